# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Contingency tables, and the information that two partitions share.

What compares a clustering with a labeling, or with another, is a function of a
table of counts: entry (k, c) is how many examples are in cluster k and in class
c. Rows and columns of zeros, never used, change no result.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats
from sklearn import metrics

__all__ = [
    "checked_columns",
    "contingency_table",
    "entropy",
    "mutual_information",
]


def contingency_table(
    assignments: np.ndarray,
    labels: np.ndarray,
    n_components: int,
    n_classes: int,
) -> np.ndarray:
    """Counts how often each cluster meets each class.

    Args:
        assignments: integers in [0, K), shape (N,).
        labels: integers in [0, C), shape (N,); those of one labeling, or the
            assignments of another facet.
        n_components: K, used or not.
        n_classes: C, present or not.

    Returns:
        Counts, int64, shape (K, C).

    Raises:
        ValueError: if there are no examples, the lengths differ, or a value
            is not an integer of its range.
    """
    assignments = _checked_indices("assignments", assignments, n_components)
    labels = _checked_indices("labels", labels, n_classes)
    if len(assignments) != len(labels):
        raise ValueError(
            "assignments and labels must be of the same examples, got "
            f"{len(assignments)} and {len(labels)} of them."
        )
    table = np.zeros((n_components, n_classes), np.int64)
    np.add.at(table, (assignments, labels), 1)
    return table


def entropy(counts: np.ndarray) -> float:
    """Computes the entropy of a partition, -sum p log p.

    Args:
        counts: examples in each part, any shape, not all zero.

    Returns:
        Nats.
    """
    # + 0.0 turns the -0.0 of a single part into 0.0.
    return float(stats.entropy(np.ravel(counts))) + 0.0


def mutual_information(table: np.ndarray) -> float:
    """Computes the information that two partitions share, as counts tell it.

    Of two independent partitions with K and C parts in use this plug-in
    estimate finds about (K - 1)(C - 1) / (2 N) on average, not 0.

    Args:
        table: counts, shape (K, C), not all zero.

    Returns:
        Nats; at least 0 and at most either entropy.
    """
    shared = metrics.mutual_info_score(None, None, contingency=table)
    # Rounding may put it a little above what is possible.
    return min(
        float(shared), entropy(table.sum(axis=1)), entropy(table.sum(axis=0))
    )


def checked_columns(
    what: str, of: str, values: np.ndarray, sizes: Sequence[int]
) -> list[np.ndarray]:
    """Takes a table of indices apart into its columns, checking each.

    Args:
        what: what the values are, such as "assignments", for messages.
        of: what a column belongs to, such as "facet", for messages.
        values: integers, shape (N, number of sizes).
        sizes: column i must lie in [0, sizes[i]).

    Returns:
        The columns, each of shape (N,).

    Raises:
        ValueError: if the shape does not fit, there are no examples, or a
            value is not an integer of its range.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(sizes):
        raise ValueError(
            f"{what} must be of shape (N, {len(sizes)}), one column for each "
            f"{of}, got {values.shape}."
        )
    return [
        _checked_indices(f"{what} of {of} {i}", column, size)
        for i, (column, size) in enumerate(zip(values.T, sizes, strict=True))
    ]


def _checked_indices(what: str, values: np.ndarray, size: int) -> np.ndarray:
    """Returns values if they are a vector of integers in [0, size)."""
    values = np.asarray(values)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"{what} must be integers of shape (N,), got {values.dtype} of "
            f"shape {values.shape}; of probabilities take the argmax first."
        )
    if len(values) == 0:
        raise ValueError(f"{what} are empty; at least one example is needed.")
    low, high = values.min(), values.max()
    if low < 0 or high >= size:
        raise ValueError(
            f"{what} must lie in [0, {size - 1}], found values from {low} to "
            f"{high}."
        )
    return values
