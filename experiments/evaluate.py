# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Reports on a run again, from its last checkpoint, without training.

python experiments/evaluate.py --workdir=runs/mnist
"""

from absl import app, flags

from mfcvae_jax import report, workdir
from mfcvae_jax.training import loop

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    folder = workdir.Workdir(_WORKDIR.value)
    run = loop.make_run(folder.settings())
    print(report.write_report(run, loop.restore(run, folder), folder))


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir"])
    app.run(main)
