# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The flags --workdir and --best: a run, as far as it was trained."""

from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
    from mfcvae_jax.training.runs import Run
    from mfcvae_jax.training.state import TrainState
    from mfcvae_jax.workdir import Workdir

__all__ = ["define_flags", "restore"]


def define_flags(values: flags.FlagValues) -> None:
    """Defines the two flags.

    Args:
        values: where to define them.
    """
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the run.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "best",
        False,
        "Take the checkpoint with the best held-out bound, not the last.",
        flag_values=values,
    )


def restore(
    values: flags.FlagValues,
) -> tuple["Run", tuple["TrainState | None", ...], "Workdir"]:
    """Reads a run and the state of each of its seeds.

    Args:
        values: of the flags.

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
