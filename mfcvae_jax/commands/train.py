# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains a model and reports on it.

    mfcvae train --config=experiments/configs/mnist.py --workdir=runs/mnist \
        --config.seed=3

--config.n_seeds=10 trains ten seeds at once, --config.n_init=4 four starts of
which it keeps the best. Ctrl-C saves the state; the same command with --resume
goes on from there. On several hosts, give each of them the command with
--distributed.
"""

from absl import flags

from mfcvae_jax.commands import config_flag, finished, running

__all__ = ["FLAGS", "main"]

FLAGS = (
    config_flag.config("File with the settings."),
    finished.WORKDIR,
    running.switch("resume", "Continue from the last checkpoint in --workdir."),
    running.string(
        "compilation_cache",
        "Folder of compiled programs, by default JAX_COMPILATION_CACHE_DIR, or "
        "else one in --workdir.",
    ),
    running.switch(
        "distributed", "Run in several processes, each with this flag."
    ),
    running.string(
        "coordinator", "host:port of process 0, unless the cluster tells."
    ),
    running.integer(
        "n_processes", "How many processes, unless the cluster tells."
    ),
    running.integer(
        "process_id", "Which process this is, unless the cluster tells."
    ),
)


def main(values: flags.FlagValues) -> int:
    """Trains all seeds, and reports on them in process 0."""
    settings = config_flag.read(values)
    import jax

    from mfcvae_jax import storage, workdir
    from mfcvae_jax.report import write
    from mfcvae_jax.training import disk, loop, processes, runs

    if values.distributed:
        processes.start(
            values.coordinator, values.n_processes, values.process_id
        )
    folder = workdir.Workdir(values.workdir)
    compiled = values.compilation_cache
    if not compiled and not jax.config.values["jax_compilation_cache_dir"]:
        compiled = folder.compilation_cache
    run = runs.make_run(settings)
    states, scored = loop.train(
        run,
        disk.InWorkdir(
            folder,
            resume=values.resume,
            config_file=config_flag.path(values),
        ),
        compilation_cache=storage.locate(compiled) if compiled else None,
    )
    if processes.is_main():
        print(write.write_reports(run, states, folder, scored))
    processes.meet()
    n_trained = sum(state is not None for state in states)
    return 0 if n_trained == settings.n_seeds else 2
