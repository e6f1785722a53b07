# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The flags --workdir and --best: a run, as far as it was trained."""

from typing import TYPE_CHECKING

from absl import flags

from mfcvae_jax.commands import running

if TYPE_CHECKING:
    from mfcvae_jax.training.runs import Run
    from mfcvae_jax.training.state import TrainState
    from mfcvae_jax.workdir import Workdir

__all__ = ["FLAGS", "WORKDIR", "restore"]

WORKDIR = running.string(
    "workdir",
    "Folder of the run, or gs://bucket/run, or s3://bucket/run.",
    required=True,
)

FLAGS = (
    WORKDIR,
    running.switch(
        "best",
        "Take the checkpoint with the best held-out bound, not the last.",
    ),
)


def restore(
    values: flags.FlagValues,
) -> tuple["Run", tuple["TrainState | None", ...], "Workdir"]:
    """Reads a run and the state of each of its seeds.

    Returns:
        The run, the states (None for a seed that was given up), the folder.

    Raises:
        FileNotFoundError: if there is no run, no checkpoint or no data.
        ValueError: if these do not fit each other.
    """
    from mfcvae_jax import workdir
    from mfcvae_jax.training import disk, runs

    folder = workdir.Workdir(values.workdir)
    run = runs.make_run(folder.settings())
    return run, disk.restore(run, folder, is_best=values.best), folder
