# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How diverse the samples of each cluster are, and how well they keep to it.

The paper (App. E.6) measures diversity by LPIPS, whose network would have to be
downloaded. What is measured here needs no other model; docs/experiments.md
compares the two.
"""

from typing import NamedTuple

import numpy as np

from mfcvae_jax.evaluation import contingency

__all__ = ["Diversity", "sample_diversity", "within_share"]


class Diversity(NamedTuple):
    """The samples of the clusters of one facet; all are fractions.

    Attributes:
        kept: share of samples that the model, shown them, assigns to the
            cluster they were drawn from; 1 is full control.
        spread: share of the variance of pixels that lies within clusters; 1 if
            the cluster says nothing of the picture, 0 if it says all.
        reach: of each facet, the effective number of its clusters among the
            samples of one cluster, over that among all samples, shape (J,); 1
            where choosing the cluster leaves that facet free.
    """

    kept: float
    spread: float
    reach: np.ndarray


def sample_diversity(
    samples: np.ndarray,
    assignments: np.ndarray,
    weights: np.ndarray,
    facet: int,
) -> Diversity:
    """Measures samples of every cluster of a facet.

    Args:
        samples: n of each cluster, shape (K, n, H, W, C).
        assignments: clusters that the model assigns them to, integers, shape
            (K, n, J).
        weights: of the clusters in all measures, p(c), shape (K,).
        facet: whose clusters they are.
    """
    n_components, n, n_facets = assignments.shape
    weights = np.asarray(weights, np.float64)
    weights = weights / weights.sum()  # of float32 they sum to 1 not quite
    drawn_from = np.repeat(np.arange(n_components), n)
    assigned = assignments.reshape(-1, n_facets)
    kept = (assigned[:, facet] == drawn_from).reshape(-1, n).mean(axis=1)
    reach = []
    for found in assigned.T:
        counts = contingency.contingency_table(
            drawn_from, found, n_components, found.max() + 1
        )
        within = weights @ [contingency.entropy(row) for row in counts]
        reach.append(np.exp(within - contingency.entropy(weights @ counts)))
    return Diversity(
        kept=float(weights @ kept),
        spread=within_share(
            samples.reshape(n_components * n, -1),
            drawn_from,
            np.repeat(weights / n, n),
        ),
        reach=np.array(reach),
    )


def within_share(
    pixels: np.ndarray,
    assignments: np.ndarray,
    weights: np.ndarray | None = None,
) -> float:
    """Returns the share of the variance that lies within clusters.

    Variances are summed over pixels; total = within + between clusters.

    Args:
        pixels: shape (N, F).
        assignments: cluster of each example, integers, shape (N,).
        weights: of each example, shape (N,); None for equal ones.

    Returns:
        A fraction; 1 if nothing varies at all.
    """
    # What does not vary is 0 then, and no mean of it is off by rounding.
    pixels = np.asarray(pixels, np.float64) - pixels[0]
    if weights is None:
        weights = np.ones(len(pixels))
    weights = weights / weights.sum()
    total = weights @ (pixels - weights @ pixels) ** 2
    within = np.zeros_like(total)
    for k in np.unique(assignments):
        is_in = assignments == k
        mass = weights[is_in].sum()
        if mass > 0:
            shares = weights[is_in] / mass
            centred = pixels[is_in] - shares @ pixels[is_in]
            within += mass * (shares @ centred**2)
    return float(within.sum() / total.sum()) if total.sum() > 0 else 1.0
