# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains a model and reports on it.

    mfcvae train --config=experiments/configs/mnist.py --workdir=runs/mnist \
        --config.seed=3

--config.n_seeds=10 trains ten seeds at once. Ctrl-C saves the state; the same
command with --resume goes on from there. On several hosts, give each of them
the command with --distributed.
"""

import pathlib
from collections.abc import Sequence

from absl import flags

from mfcvae_jax.commands import config_flag

__all__ = ["define_flags", "main"]


def define_flags(values: flags.FlagValues, argv: Sequence[str]) -> None:
    """Defines the flags; see ``running.Command``."""
    config_flag.define(values, argv, "File with the settings.")
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the run.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "resume",
        False,
        "Continue from the last checkpoint in --workdir.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "compilation_cache",
        None,
        "Folder of compiled programs, by default one in --workdir.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "distributed",
        False,
        "Run in several processes, each with this flag.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "coordinator",
        None,
        "host:port of process 0, unless the cluster tells.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "n_processes",
        None,
        "How many processes, unless the cluster tells.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "process_id",
        None,
        "Which process this is, unless the cluster tells.",
        flag_values=values,
    )


def main(values: flags.FlagValues) -> int:
    """Trains all seeds, and reports on them in process 0."""
    settings = config_flag.read(values)
    from mfcvae_jax import workdir
    from mfcvae_jax.report import write
    from mfcvae_jax.training import disk, loop, processes, runs

    if values.distributed:
        processes.start(
            values.coordinator, values.n_processes, values.process_id
        )
    folder = workdir.Workdir(values.workdir)
    run = runs.make_run(settings)
    states, scored = loop.train(
        run,
        disk.InWorkdir(
            folder,
            resume=values.resume,
            config_file=config_flag.path(values),
        ),
        compilation_cache=pathlib.Path(
            values.compilation_cache or folder.compilation_cache
        ),
    )
    if processes.is_main():
        print(write.write_reports(run, states, folder, scored))
    processes.meet()
    return 0 if all(state is not None for state in states) else 2
