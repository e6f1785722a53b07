# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How much the facets repeat each other, and how many clusters they use.

Facets are worth having when each finds what the others do not: the mutual
information between the assignments of two facets should be near 0. A facet
whose examples all sit in one cluster has found nothing; it also shares nothing
with any other, so read the two results together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mfcvae_jax.evaluation import contingency

__all__ = ["Redundancy", "facet_redundancy"]


class Redundancy(NamedTuple):
    """The information that pairs of facets share, and the clusters in use.

    Attributes:
        mutual_information: nats, shape (J, J), symmetric; on the diagonal the
            entropy of each facet. Independent facets do not show quite 0, see
            `contingency.mutual_information`.
        normalised: the same over the mean of the two facets' entropies, in
            [0, 1], shape (J, J); 0 where both facets are one single cluster.
        n_used: clusters that hold at least one example, int64, shape (J,).
        effective: exp of the entropy of the cluster sizes, shape (J,): the
            number of clusters of equal size with that entropy; from 1 to
            n_used.
    """

    mutual_information: np.ndarray
    normalised: np.ndarray
    n_used: np.ndarray
    effective: np.ndarray


def facet_redundancy(
    assignments: np.ndarray, n_components: Sequence[int]
) -> Redundancy:
    """Measures what every pair of facets shares.

    Args:
        assignments: the cluster of each example in each facet, integers,
            shape (N, J).
        n_components: K of each facet, length J.

    Raises:
        ValueError: see `contingency.checked_columns`.
    """
    columns = contingency.checked_columns(
        "assignments", "facet", assignments, n_components
    )
    facets = list(zip(columns, n_components, strict=True))
    shared = np.array(
        [
            [
                contingency.mutual_information(
                    contingency.contingency_table(one, other, k, k_other)
                )
                for other, k_other in facets
            ]
            for one, k in facets
        ]
    )
    entropies = np.diagonal(shared)
    mean = (entropies[:, np.newaxis] + entropies) / 2.0
    # Unlike NMI, two facets of one cluster each get 0: they agree, but there
    # is nothing in either that the other repeats.
    normalised = np.divide(
        shared, mean, out=np.zeros_like(shared), where=mean > 0.0
    )
    n_used = np.array([len(np.unique(column)) for column in columns])
    return Redundancy(shared, normalised, n_used, np.exp(entropies))
