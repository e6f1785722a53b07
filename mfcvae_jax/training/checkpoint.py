# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the training state. The only file that imports orbax."""

import pathlib

import jax
import orbax.checkpoint as ocp

from mfcvae_jax.training.state import TrainState

__all__ = ["Checkpointer"]


class Checkpointer:
    """Saves and restores training states in a folder, one entry a step.

    A save is atomic: it is there in full or not at all. Use it as a context
    manager, so that the last save is waited for.

    Args:
        folder: of the checkpoints.
        keep: number of most recent checkpoints kept.
    """

    def __init__(self, folder: pathlib.Path, keep: int = 1):
        self._folder = folder
        self._manager = ocp.CheckpointManager(
            folder, options=ocp.CheckpointManagerOptions(max_to_keep=keep)
        )

    def __enter__(self) -> "Checkpointer":
        """Returns itself."""
        return self

    def __exit__(self, *exception) -> None:
        """Waits for a save that is under way."""
        self._manager.close()

    def save(self, state: TrainState) -> None:
        """Saves a state under its step, unless that step is saved already.

        Args:
            state: to be saved.
        """
        step = int(state.step)
        if step not in self._manager.all_steps():
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def latest_step(self) -> int | None:
        """Returns the step of the last checkpoint; None if there is none."""
        return self._manager.latest_step()

    def restore(self, template: TrainState) -> TrainState:
        """Restores the last checkpoint.

        Args:
            template: a state of the same model and optimiser, or its shapes
                and types as ``jax.eval_shape`` gives them.

        Returns:
            The saved state.

        Raises:
            FileNotFoundError: if there is no checkpoint.
            RuntimeError: if it cannot be read.
        """
        step = self.latest_step()
        if step is None:
            raise FileNotFoundError(
                f"no checkpoint in {self._folder}: the run stopped before its "
                "first one; start it again in another --workdir"
            )
        try:
            return self._manager.restore(
                step, args=ocp.args.StandardRestore(_placed(template))
            )
        # What orbax raises depends on which of its files is damaged.
        except Exception as error:
            earlier = sorted(set(self._manager.all_steps()) - {step})
            advice = (
                f"remove that folder to go on from step {earlier[-1]}"
                if earlier
                else "there is no earlier one: start again in another --workdir"
            )
            raise RuntimeError(
                f"checkpoint {self._folder / str(step)} cannot be read: it is "
                f"truncated, incomplete or of another model; {advice}. "
                f"({type(error).__name__}: {error})"
            ) from error


def _placed(template: TrainState) -> TrainState:
    """The template's shapes and types, to be restored onto the first device."""
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=sharding
        ),
        template,
    )
