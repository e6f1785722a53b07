# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the loop tells of a run; here it is kept in memory, or nowhere.

``training.disk`` has the recorder that writes the folder of a run.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState

__all__ = ["InMemory", "Recorder"]


class Recorder:
    """Where a run starts, and what becomes of its states and records.

    This one starts anew and keeps nothing. Seeds are counted from 0. With
    several processes, process 0 alone uses the recorder that it is given.
    """

    @contextlib.contextmanager
    def recording(self, run: Run) -> Iterator[None]:
        """Prepares for a run; the other methods are called within."""
        yield

    def given_up(self) -> list[int]:
        """Returns the seeds given up when the run was trained before."""
        return []

    def restore(self, seeds: Sequence[int]) -> list[TrainState] | None:
        """Returns the states of seeds to go on from; None to start anew."""
        return None

    def start(self, step: int) -> None:
        """Is called first; records of later steps than this are void."""

    def record(self, seed: int, record: dict[str, Any]) -> None:
        """Takes a record.

        It has ``step`` (optimiser steps taken), ``epoch`` (the same in epochs),
        ``split`` ('train', 'test', 'speed'; of priors that were fitted, 'fit';
        of starts that were compared, 'choice'), and numbers by name, None for
        one that is not finite.
        """

    def save(self, seed: int, state: TrainState, bound: float | None) -> None:
        """Takes a state that is sound, between two steps.

        It has a held-out mixture bound, in nats per example, if it may be
        chosen as the best: if it was scored, and every facet is fully in
        (bounds of fewer facets are another model's). Else ``bound`` is None.
        """

    def give_up(self, seed: int, error: FloatingPointError) -> None:
        """Is told that a seed diverged while others go on."""

    def drop(self, seed: int, why: str) -> None:
        """Is told that other starts are kept, after all states were saved.

        ``why`` says in a sentence why this one goes no further.
        """


class InMemory(Recorder):
    """Keeps the records of a run.

    Attributes:
        records: in order; of several seeds, each with the number of its seed,
            from 0, as ``start``.
    """

    def __init__(self):
        self.records: list[dict[str, Any]] = []
        self._has_several = False

    @contextlib.contextmanager
    def recording(self, run: Run) -> Iterator[None]:
        """Looks how many seeds there are."""
        self._has_several = run.settings.n_starts > 1
        yield

    def record(self, seed: int, record: dict[str, Any]) -> None:
        """Keeps a record."""
        which = {"start": seed} if self._has_several else {}
        self.records.append(record | which)
