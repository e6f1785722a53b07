# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Prints the held-out scores of a run's last checkpoint. Nothing is written.

    mfcvae evaluate --workdir=runs/mnist

For pictures and a page as well: mfcvae report.
"""

from absl import flags

from mfcvae_jax.commands import finished

__all__ = ["FLAGS", "main"]

FLAGS = finished.FLAGS


def main(values: flags.FlagValues) -> int:
    """Prints the scores of every seed."""
    from mfcvae_jax.report import results, write

    run, states, folder = finished.restore(values)
    folders = folder.by_seed(run.settings)
    for seed, one in write.finished_seeds(run, states, folder).items():
        if one is None:
            why = folders[seed].why_given_up()
            print(f"{run.dataset.spec.name}, seed {seed}: {why}\n")
        else:
            print(write.as_text(one, results.of(one)), end="\n\n")
    return 0
