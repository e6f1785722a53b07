# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which starts of a run go on: those with the best held-out mixture bounds.

Labels choose nothing. When it is time, and how many are kept, follows from the
schedule: see ``progressive.choices``. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Choice", "Choices", "choose", "why_not_kept"]


class Choice(NamedTuple):
    """What becomes of one start, as it is recorded.

    Attributes:
        mixture_bound: held-out, in nats per example.
        rank: from 1, the best, on.
        n_starts: that were compared.
        is_kept: whether it goes on.
    """

    mixture_bound: float
    rank: int
    n_starts: int
    is_kept: bool


# By the number of the start, best first.
Choices = dict[int, Choice]


def choose(bounds: Mapping[int, float], n_kept: int) -> Choices:
    """Ranks starts by their bounds and keeps the best.

    Of equal bounds, that of the earlier start is better. One that is not finite
    is worse than any other.

    Args:
        bounds: held-out mixture bound of each start that is left, in nats per
            example, by its number.
        n_kept: at most so many go on.
    """
    order = sorted(
        bounds, key=lambda i: (-np.nan_to_num(bounds[i], nan=-np.inf), i)
    )
    return {
        i: Choice(bounds[i], rank, len(order), rank <= n_kept)
        for rank, i in enumerate(order, 1)
    }


def why_not_kept(
    choices: Choices, start: int, seeds: Sequence[int], step: int
) -> str:
    """Says why a start is not kept after ``step``, in a sentence."""
    best, one = next(iter(choices)), choices[start]
    return (
        f"at step {step} its held-out mixture bound is {one.mixture_bound:.4f} "
        f"nats per example, place {one.rank} of {one.n_starts}; that of seed "
        f"{seeds[best]} is {choices[best].mixture_bound:.4f}"
    )
