# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which starts of a run go on: those with the best held-out mixture bounds.

Labels choose nothing. When it is time, and how many are kept, follows from the
schedule: see ``progressive.choices``. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Choice", "Choices", "choose"]


class Choice(NamedTuple):
    """What becomes of one start.

    Attributes:
        bound: its held-out mixture bound, in nats per example.
        rank: from 1, the best, on.
        n_starts: that were compared.
        is_kept: whether it goes on.
        best: the best bound of all.
        best_seed: whose that is.
    """

    bound: float
    rank: int
    n_starts: int
    is_kept: bool
    best: float
    best_seed: int

    def values(self) -> dict[str, float]:
        """What is recorded of it, by name."""
        return {
            "mixture_bound": self.bound,
            "rank": self.rank,
            "n_starts": self.n_starts,
            "is_kept": float(self.is_kept),
        }

    def why(self, step: int) -> str:
        """Says why it is not kept after ``step``, in a sentence."""
        return (
            f"at step {step} its held-out mixture bound is {self.bound:.4f} "
            f"nats per example, place {self.rank} of {self.n_starts}; that of "
            f"seed {self.best_seed} is {self.best:.4f}"
        )


# By the number of the start, best first.
Choices = dict[int, Choice]


def choose(
    bounds: Mapping[int, float], n_kept: int, seeds: Sequence[int]
) -> Choices:
    """Ranks starts by their bounds and keeps the best.

    Of equal bounds, that of the earlier start is better. One that is not finite
    is worse than any other.

    Args:
        bounds: held-out mixture bound of each start that is left, in nats per
            example, by its number.
        n_kept: at most so many go on.
        seeds: of all starts, by their number.

    Returns:
        What becomes of each, by its number, best first.
    """
    order = sorted(
        bounds, key=lambda i: (-np.nan_to_num(bounds[i], nan=-np.inf), i)
    )
    best = order[0]
    return {
        i: Choice(
            bound=bounds[i],
            rank=rank,
            n_starts=len(order),
            is_kept=rank <= n_kept,
            best=bounds[best],
            best_seed=seeds[best],
        )
        for rank, i in enumerate(order, 1)
    }
