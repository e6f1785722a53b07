# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run in its folder: the recorder that writes it, and how it is read."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
from absl import logging

from mfcvae_jax import storage
from mfcvae_jax.training import runs
from mfcvae_jax.training.checkpoint import Checkpointer, restore_latest
from mfcvae_jax.training.recording import Recorder
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.training.writers import MetricsWriter
from mfcvae_jax.workdir import Workdir

__all__ = ["InWorkdir", "adopt", "restore"]


class InWorkdir(Recorder):
    """Writes checkpoints, metrics and TensorBoard files into a workdir.

    All methods raise NotWrittenError or NotSavedError where the disk is full.

    Args:
        workdir: of the run.
        resume: whether a run that is there is continued, from its last
            checkpoint, or from the start if it had not come to one.
        config_file: that the run was started with, if any: what it registers
            is found again when the run is read.
    """

    def __init__(
        self, workdir: Workdir, *, resume: bool = False, config_file: str = ""
    ):
        self._metrics: dict[int, MetricsWriter] = {}
        self._workdir = workdir
        self._resume = resume
        self._config_file = config_file

    @contextlib.contextmanager
    def recording(self, run: Run) -> Iterator[None]:
        """Claims the folder, see ``Workdir.claim``; waits for the last save."""
        self._folders = list(self._workdir.by_seed(run.settings).values())
        self._runs = runs.of_each_seed(run)
        with contextlib.ExitStack() as stack:
            stack.enter_context(
                self._workdir.claim(
                    run.settings,
                    resume=self._resume,
                    dataset=run.dataset,
                    config_file=self._config_file,
                )
            )
            saved = (
                Checkpointer(folder.checkpoints, seed, is_writer=True)
                for folder, seed in zip(self._folders, self._runs, strict=True)
            )
            self._checkpointers = [*map(stack.enter_context, saved)]
            self._open = stack
            yield

    def given_up(self) -> list[int]:
        """Returns the seeds whose folder says that they were given up."""
        return [i for i, f in enumerate(self._folders) if f.why_given_up()]

    def restore(self, seeds: Sequence[int]) -> list[TrainState] | None:
        """Restores the last step that seeds have all saved, if there is one."""
        return restore_latest([self._checkpointers[i] for i in seeds])

    def start(self, step: int) -> None:
        """Opens the records; see ``MetricsWriter``."""
        for i, folder in enumerate(self._folders):
            if not folder.why_given_up():  # else they are as they should be
                writer = MetricsWriter(folder, step or -1)
                self._metrics[i] = self._open.enter_context(writer)

    def record(self, seed: int, record: dict[str, Any]) -> None:
        """Writes a record."""
        self._metrics[seed].write(record)

    def save(self, seed: int, state: TrainState, bound: float | None) -> None:
        """Saves a state, in the background; all records of before are there."""
        if seed in self._metrics:
            self._metrics[seed].publish()
        self._checkpointers[seed].save(state, bound)

    def give_up(self, seed: int, error: FloatingPointError) -> None:
        """Notes for good that a seed diverged."""
        with self._workdir.writing():
            storage.write(self._folders[seed].diverged, f"{error}\n")
        logging.error(
            "seed %d is given up: %s", self._runs[seed].settings.seed, error
        )

    def drop(self, seed: int, why: str) -> None:
        """Notes for good that a start is not kept, once all are saved.

        Were it noted before, a run killed in between would go back to an
        earlier step, from where the others would go on without this start.
        """
        for checkpointer in self._checkpointers:
            checkpointer.wait()
        with self._workdir.writing():
            storage.write(self._folders[seed].not_kept, f"{why}\n")
        logging.info(
            "seed %d is not kept: %s", self._runs[seed].settings.seed, why
        )


def restore(
    run: Run, workdir: Workdir, *, is_best: bool = False
) -> tuple[TrainState | None, ...]:
    """Restores the last checkpoints of a run, or those of the best bound.

    Returns:
        The state of each seed; None for one that was given up.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        DamagedError: if it cannot be read.
        ValueError: if it is that of another model, or the run was trained on
            other data.
    """
    workdir.check_data(run.dataset)
    seeds = runs.of_each_seed(run)
    folders = workdir.by_seed(run.settings).values()
    return tuple(
        None if folder.why_given_up() else _restore(seed, folder, is_best)
        for seed, folder in zip(seeds, folders, strict=True)
    )


def adopt(run: Run, workdir: Workdir, variables: dict[str, Any]) -> None:
    """Saves given variables as a finished run, as if it had been trained.

    Raises:
        ValueError: if ``workdir`` holds something already.
    """
    state = runs.starting_state(run, variables)._replace(
        step=jnp.int32(run.stepper.schedule.n_steps)
    )
    recorder = InWorkdir(workdir)
    with recorder.recording(run):
        recorder.save(0, state, None)


def _restore(seed: Run, folder: Workdir, is_best: bool) -> TrainState:
    with Checkpointer(folder.checkpoints, seed) as checkpointer:
        if is_best:
            step = checkpointer.best_step()
            if step is None:
                raise FileNotFoundError(
                    f"no checkpoint in {folder.checkpoints} was saved with its "
                    "held-out bound after the last facet had come in"
                )
            return checkpointer.restore(step)
        found = restore_latest([checkpointer])
        if found is None:
            raise FileNotFoundError(
                f"no checkpoint in {folder.checkpoints}: the run stopped "
                "before its first one; start it again"
            )
        return found[0]
