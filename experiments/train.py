# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains a model and reports on it.

    python experiments/train.py --config=experiments/configs/mnist.py \
        --workdir=runs/mnist --config.seed=3

Ctrl-C saves the state; the same command with --resume goes on from there.
An error is one line; --verbosity=1 shows where it came from.
"""

import sys

from absl import app, flags, logging
from ml_collections import config_flags

from mfcvae_jax import report, workdir
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.training import loop, runs, stopping

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string="File with the settings.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run.", required=True
)
_RESUME = flags.DEFINE_bool(
    "resume", False, "Continue from the last checkpoint in --workdir."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    if not flags.FLAGS["verbosity"].present:  # --verbosity=1 shows tracebacks
        logging.set_verbosity(logging.INFO)
    # Orbax tells every step of every save at this level.
    logging.get_absl_handler().addFilter(
        lambda record: "orbax" not in record.pathname
    )
    folder = workdir.Workdir(_WORKDIR.value)
    try:
        run = runs.make_run(settings_lib.from_config(_CONFIG.value.to_dict()))
        state = loop.train(run, folder, resume=_RESUME.value)
    except stopping.Stopped as stopped:
        logging.warning("%s", stopped)
        return 128 + stopped.signum
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        logging.debug("where it came from", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.write_report(run, state, folder))
    return 0


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main)
