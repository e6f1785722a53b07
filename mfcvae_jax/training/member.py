# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""One seed of a training run: its folder, and all that is written there."""

import contextlib
from collections.abc import Sequence

from absl import logging

from mfcvae_jax import progressive
from mfcvae_jax.training import runs
from mfcvae_jax.training.checkpoint import Checkpointer, DamagedError
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.training.writers import MetricsWriter
from mfcvae_jax.workdir import Workdir

__all__ = ["Member", "saved_states"]


class Member:
    """A seed whose state is saved, scored and recorded. A context manager.

    Attributes:
        run: of this seed alone.
        workdir: of this seed.
    """

    def __init__(self, run: Run, workdir: Workdir):
        self.run = run
        self.workdir = workdir
        self.checkpointer = Checkpointer(
            workdir.checkpoints, run.settings, is_writer=True
        )
        self._writer: MetricsWriter | None = None

    def __enter__(self) -> "Member":
        """Returns itself."""
        return self

    def __exit__(self, *exception) -> None:
        """Waits for what is being written."""
        with contextlib.ExitStack() as stack:
            stack.push(self.checkpointer)
            if self._writer is not None:
                stack.push(self._writer)

    def start_records(self, after_step: int) -> None:
        """Opens the records; see ``MetricsWriter``.

        Args:
            after_step: records of later steps are dropped.
        """
        self._writer = MetricsWriter(self.workdir, after_step)

    def record(self, step: int, split: str, values: dict[str, float]) -> None:
        """Writes a record.

        Args:
            step: optimiser steps taken.
            split: 'train', 'test' or 'speed'.
            values: numbers by name.
        """
        assert self._writer is not None
        epoch = step / self.run.steps_per_epoch
        self._writer.write(step, epoch, split, values)

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Scores the held-out split, and records it.

        Args:
            state: trained so far.

        Returns:
            The record.
        """
        scored = runs.score(self.run, state)
        values = dict(scored.terms)
        for row in scored.matrix.rows():
            where = f"{row['facet']}/{row['labeling']}"
            for name in ("many_to_one", "one_to_one", "nmi"):
                values[f"{name}/{where}"] = row[name]
            values[f"clusters/{row['facet']}"] = row["n_used"]
        self.record(int(state.step), "test", values)
        return values

    def save(self, state: TrainState, bound: float | None = None) -> None:
        """Saves a state; it is a candidate for the best once all facets are in.

        Args:
            state: to be saved.
            bound: on the held-out split, if the state has just been scored.

        Raises:
            NotSavedError: if it cannot be written.
        """
        phases = progressive.phases(self.run.stepper.schedule, int(state.step))
        is_full = (phases == progressive.Phase.ACTIVE).all()
        self.checkpointer.save(state, bound if is_full else None)

    def give_up(self, error: FloatingPointError) -> None:
        """Notes for good that this seed diverged.

        Args:
            error: which says how.
        """
        with self.workdir.writing():
            self.workdir.diverged.write_text(f"{error}\n")
        logging.error("seed %d is given up: %s", self.run.settings.seed, error)


def saved_states(members: Sequence[Member]) -> list[TrainState] | None:
    """Restores the last step that all members have saved.

    A checkpoint that cannot be read is reported, and the one before is taken.

    Args:
        members: of one run.

    Returns:
        Their states; None if the run has not come to a checkpoint.

    Raises:
        DamagedError: if there are checkpoints, but none can be read.
    """
    steps_saved = [set(member.checkpointer.steps()) for member in members]
    in_common = set.intersection(*steps_saved)
    for step in sorted(in_common, reverse=True):
        try:
            return [
                member.checkpointer.restore(runs.blank_state(member.run), step)
                for member in members
            ]
        except DamagedError as error:
            logging.error("%s Going back to the one before.", error)
    if all(steps_saved):
        raise DamagedError(
            "no checkpoint can be read in "
            + ", ".join(str(m.workdir.checkpoints) for m in members)
            + ": start again in another --workdir"
        )
    return None
