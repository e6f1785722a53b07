# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which pairs of inputs to swap a facet between, and whether that worked.

MFCVAE (arXiv:2106.05241), Fig. 5 and App. E.4: the two inputs of a pair lie in
different clusters of every facet. The paper looks at the swapped pictures; here
the model itself is asked, too: encoded again, a swapped picture should be in
the other input's cluster of the swapped facet, and in its own of the others.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["choose_pairs", "is_as_wanted"]


def choose_pairs(responsibilities: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Chooses pairs of examples by confidence.

    An example is as confident as its least confident facet. From the most
    confident on, each is paired with the next that lies in another cluster of
    every facet; no example, and no combination of clusters, comes twice.

    Args:
        responsibilities: one array per facet, shape (N, K_j), probabilities.
        n: pairs wanted.

    Returns:
        Indices of examples, int64, shape (P, 2), most confident first; P is
        less than n where there are no more such pairs.
    """
    assigned = np.stack([r.argmax(axis=1) for r in responsibilities], axis=1)
    confidence = np.min([r.max(axis=1) for r in responsibilities], axis=0)
    order = np.argsort(-confidence, kind="stable")
    clusters = assigned[order]
    is_free = np.ones(len(order), bool)
    pairs: list[np.ndarray] = []
    seen: set[frozenset] = set()
    for i in range(len(order)):
        if len(pairs) == n:
            break
        if not is_free[i]:
            continue
        fits = is_free[i:] & (clusters[i:] != clusters[i]).all(axis=1)
        for other in i + np.flatnonzero(fits):
            pair = np.array([i, other])
            combination = frozenset(map(tuple, clusters[pair].tolist()))
            if combination not in seen:
                seen.add(combination)
                is_free[pair] = False
                pairs.append(order[pair])
                break
    return np.array(pairs, np.int64).reshape(-1, 2)


def is_as_wanted(
    assignments: np.ndarray, of_swapped: np.ndarray, facet: int
) -> np.ndarray:
    """Tells whether swapped pictures are in the clusters that they should be.

    Args:
        assignments: clusters of the inputs, shape (P, 2, J).
        of_swapped: clusters of the swapped pictures, shape (P, 2, J).
        facet: that was swapped.

    Returns:
        For each picture and facet whether it is, bool, shape (P, 2, J).
    """
    wanted = assignments.copy()
    wanted[:, :, facet] = assignments[:, ::-1, facet]
    return of_swapped == wanted
