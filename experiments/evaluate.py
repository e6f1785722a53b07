# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Reports on a run again, from its last checkpoint, without training.

python experiments/evaluate.py --workdir=runs/mnist

--best takes the checkpoint with the best held-out bound instead.
"""

import sys

from absl import app, flags, logging

from mfcvae_jax import report, workdir
from mfcvae_jax.training import loop, runs

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run.", required=True
)
_BEST = flags.DEFINE_bool(
    "best", False, "Take the best checkpoint, by the held-out bound."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    folder = workdir.Workdir(_WORKDIR.value)
    try:
        run = runs.make_run(folder.settings())
        states = loop.restore(run, folder, is_best=_BEST.value)
    except (ValueError, OSError, RuntimeError) as error:
        logging.debug("where it came from", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.write_reports(run, states, folder))
    return 0


if __name__ == "__main__":
    app.run(main)
