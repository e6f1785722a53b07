# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains a model and reports on it.

    python experiments/train.py --config=experiments/configs/mnist.py \
        --workdir=runs/mnist --config.seed=3

--config.n_seeds=10 trains ten seeds at once. Ctrl-C saves the state; the same
command with --resume goes on from there. On several hosts, give each of them
the command with --distributed. An error is one line; --verbosity=1 shows where
it came from.
"""

import pathlib
import re
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from mfcvae_jax import report, workdir
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.training import loop, processes, runs, stopping

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string="File with the settings.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run.", required=True
)
_RESUME = flags.DEFINE_bool(
    "resume", False, "Continue from the last checkpoint in --workdir."
)
_CACHE = flags.DEFINE_string(
    "compilation_cache",
    None,
    "Folder of compiled programs, by default one in --workdir.",
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Run in several processes, each with this flag."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "host:port of process 0, unless the cluster tells."
)
_N_PROCESSES = flags.DEFINE_integer(
    "n_processes", None, "How many processes, unless the cluster tells."
)
_PROCESS_ID = flags.DEFINE_integer(
    "process_id", None, "Which process this is, unless the cluster tells."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    if not flags.FLAGS["verbosity"].present:  # --verbosity=1 shows tracebacks
        logging.set_verbosity(logging.INFO)
    # At this level, orbax and JAX tell of every file and every backend.
    logging.get_absl_handler().addFilter(
        lambda record: not re.search(r"orbax|jax/_src", record.pathname)
    )
    try:
        settings = settings_lib.from_config(_CONFIG.value.to_dict())
        if _DISTRIBUTED.value:
            processes.start(
                _COORDINATOR.value, _N_PROCESSES.value, _PROCESS_ID.value
            )
        return _train(settings, workdir.Workdir(_WORKDIR.value))
    except stopping.Stopped as stopped:
        logging.warning("%s", stopped)
        return 128 + stopped.signum
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        logging.debug("where it came from", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        processes.leave(2)
        return 2


def _train(settings: settings_lib.Settings, folder: workdir.Workdir) -> int:
    """Trains all seeds, and reports on them in process 0."""
    run = runs.make_run(settings)
    cache = pathlib.Path(_CACHE.value or folder.compilation_cache)
    states = loop.train(
        run, folder, resume=_RESUME.value, compilation_cache=cache
    )
    if processes.is_main():
        print(report.write_reports(run, states, folder))
    return 0 if all(state is not None for state in states) else 2


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main)
