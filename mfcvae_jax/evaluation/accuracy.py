# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How well the clusters of each facet fit each labeling.

The accuracy of the MFCVAE paper (arXiv:2106.05241), App. E.5, is many-to-one:
each cluster takes the class most frequent in it. It grows with the number of
clusters, up to 1 for one cluster an example. Most other work prints one-to-one
accuracy with as many clusters as classes. The two cannot be compared, so both
are always computed, and K stands beside them.

Clusters are matched to classes on the same examples that are scored, as in
the paper.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize
from sklearn import metrics

from mfcvae_jax.datasets.spec import Labeling
from mfcvae_jax.evaluation import contingency

__all__ = [
    "Scores",
    "balanced_accuracy",
    "many_to_one_accuracy",
    "one_to_one_accuracy",
    "score",
    "score_matrix",
]


class Scores(NamedTuple):
    """How well one clustering fits one labeling; all are fractions.

    Attributes:
        many_to_one: share of examples whose class is the most frequent one of
            their cluster.
        one_to_one: share of examples in the class their cluster is matched to,
            under the best matching that gives no class to two clusters.
        balanced: recall under the many-to-one map, averaged over classes.
        nmi: normalised mutual information.
        ari: adjusted Rand index; about 0 by chance, below it if worse.
    """

    many_to_one: float
    one_to_one: float
    balanced: float
    nmi: float
    ari: float


def many_to_one_accuracy(table: np.ndarray) -> float:
    """Computes the paper's clustering accuracy (App. E.5).

    Args:
        table: counts of clusters against classes, shape (K, C), see
            `contingency.contingency_table`.
    """
    return float(table.max(axis=1).sum() / table.sum())


def one_to_one_accuracy(table: np.ndarray) -> float:
    """Computes the accuracy under the best one-to-one match (Hungarian).

    With more clusters than classes, the clusters left over count as wrong;
    with fewer, the classes left over do.

    Args:
        table: counts of clusters against classes, shape (K, C).
    """
    clusters, classes = optimize.linear_sum_assignment(table, maximize=True)
    return float(table[clusters, classes].sum() / table.sum())


def balanced_accuracy(table: np.ndarray) -> float:
    """Computes many-to-one accuracy in which every class counts the same.

    It is the mean, over the classes that occur, of the share of a class that
    lies in its clusters. Clusters take their class as in
    `many_to_one_accuracy`, by counts; in a tie the first of the classes wins.

    Args:
        table: counts of clusters against classes, shape (K, C).
    """
    n_classes = table.shape[1]
    told = np.bincount(table.argmax(axis=1), table.max(axis=1), n_classes)
    sizes = table.sum(axis=0)
    occurs = sizes > 0
    return float((told[occurs] / sizes[occurs]).mean())


def score(
    assignments: np.ndarray,
    labels: np.ndarray,
    n_components: int,
    n_classes: int,
) -> Scores:
    """Scores one facet against one labeling.

    Args:
        assignments: integers in [0, K), shape (N,).
        labels: integers in [0, C), shape (N,).
        n_components: K.
        n_classes: C.

    Raises:
        ValueError: see `contingency.contingency_table`.
    """
    table = contingency.contingency_table(
        assignments, labels, n_components, n_classes
    )
    return Scores(
        many_to_one=many_to_one_accuracy(table),
        one_to_one=one_to_one_accuracy(table),
        balanced=balanced_accuracy(table),
        nmi=float(metrics.normalized_mutual_info_score(labels, assignments)),
        ari=float(metrics.adjusted_rand_score(labels, assignments)),
    )


def score_matrix(
    assignments: np.ndarray,
    labels: np.ndarray,
    n_components: Sequence[int],
    labelings: Sequence[Labeling],
) -> list[dict[str, Any]]:
    """Scores every facet against every labeling.

    Args:
        assignments: the cluster of each example in each facet, integers,
            shape (N, J).
        labels: integers, shape (N, M).
        n_components: K of each facet, length J.
        labelings: the M labelings.

    Returns:
        J * M dicts of plain numbers and strings, facet by facet: the fields of
        ``Scores``; K, the clusters that hold an example, C and N; and
        "majority", the share of the most frequent class, which one single
        cluster scores many-to-one and one-to-one.

    Raises:
        ValueError: see `contingency.checked_columns`.
    """
    facets = contingency.checked_columns(
        "assignments", "facet", assignments, n_components
    )
    truths = contingency.checked_columns(
        "labels", "labeling", labels, [x.n_classes for x in labelings]
    )
    return [
        {
            "facet": j,
            "n_components": int(k),
            "n_used": len(np.unique(facet)),
            "labeling": labeling.name,
            "n_classes": labeling.n_classes,
            "n_examples": len(truth),
            **score(facet, truth, k, labeling.n_classes)._asdict(),
            "majority": float(np.bincount(truth).max() / len(truth)),
        }
        for j, (facet, k) in enumerate(zip(facets, n_components, strict=True))
        for truth, labeling in zip(truths, labelings, strict=True)
    ]
