# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether other seeds find the same clusters: a quality without labels."""

import itertools
from collections.abc import Sequence

import numpy as np
from sklearn import metrics

__all__ = ["stability"]


def stability(assignments: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the mean adjusted mutual information of all pairs of seeds.

    1 where all seeds sort the examples alike, whatever they number the
    clusters; 0 where they agree no more than by chance. Two seeds whose facet
    is one single cluster count as alike: read it with the clusters in use.

    Args:
        assignments: of each seed, the cluster of each example in each facet,
            integers, shape (N, J); the same examples for all.

    Returns:
        One number per facet, shape (J,).

    Raises:
        ValueError: if there are fewer than two seeds, or of different shapes.
    """
    if len(assignments) < 2:
        raise ValueError(
            f"stability compares seeds, at least two; got {len(assignments)}"
        )
    shapes = {np.shape(of_seed) for of_seed in assignments}
    if len(shapes) > 1:
        raise ValueError(
            f"the seeds have assignments of different shapes: {sorted(shapes)}"
        )
    pairs = list(itertools.combinations(assignments, 2))
    ((_, n_facets),) = shapes
    return np.array(
        [
            np.mean(
                [
                    metrics.adjusted_mutual_info_score(one[:, j], other[:, j])
                    for one, other in pairs
                ]
            )
            for j in range(n_facets)
        ]
    )
