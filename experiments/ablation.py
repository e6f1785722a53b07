# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Compares ladder and shared encoder, progressive and not (App. E.1).

    python experiments/ablation.py --sweep=runs/ablation

Draws accuracy over training, for every facet and arm of a sweep, into its
folder, one picture a labeling, and writes the numbers (accuracies.csv) and a
table of the ends (accuracies.md). Any sweep will do; ``make ablation`` trains
that of the paper on digits.
"""

import pathlib

from absl import flags

from mfcvae_jax.commands import running
from mfcvae_jax.report import ablation, csv_rows

_SWEEP = flags.DEFINE_string(
    "sweep",
    None,
    "Folder that experiments/sweep.py has written.",
    required=True,
)


def _compare() -> int:
    folder = pathlib.Path(_SWEEP.value)
    arms, missing = ablation.read_arms(folder)
    for line in missing:
        print(f"left out: {line}")
    if not arms:
        raise ValueError(f"--sweep={folder}: no run there has come to a score")
    for path in ablation.draw_accuracies(arms, folder):
        print(path)
    rows = list(ablation.accuracies(arms))
    path = folder / "accuracies.csv"
    csv_rows.write(path, list(rows[0]), rows)
    print(path)
    table = ablation.end_table(arms)
    (folder / "accuracies.md").write_text(f"{table}\n")
    print(f"{folder / 'accuracies.md'}\n{table}")
    return 0


if __name__ == "__main__":
    running.script(_compare)
