# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Fixed random orders and splits, for data that come without one."""

import numpy as np

from mfcvae_jax.datasets.spec import Split

__all__ = ["random_split", "shuffled"]


def shuffled(seed: int, classes: np.ndarray) -> np.ndarray:
    """Returns indices of examples, class by class, shuffled within each.

    Both are of shape (N,); the seed settles the draw for good.
    """
    # Raw output of a bit generator: NumPy promises never to change it (NEP
    # 19), which it does not promise of Generator.permutation.
    draw = np.random.PCG64(seed).random_raw(len(classes))
    return np.lexsort((draw, classes))


def random_split(
    images: np.ndarray,
    labels: np.ndarray,
    seed: int,
    is_test: np.ndarray | None = None,
) -> tuple[Split, Split]:
    """Sets a random fifth of the examples, rounded, aside for testing.

    Both splits come in the order of the draw, not in that of the input: the
    data-dependent initialisation looks at the first examples, and in an
    ordered set those are all alike.

    Args:
        images: shape (N, H, W, C).
        labels: shape (N, M).
        seed: of the draw. It belongs to the data set, not to the run: results
            on another split are results on another data set.
        is_test: which examples to set aside, bool, shape (N,), if that is
            given; then only their order is drawn.

    Returns:
        The splits to train and to test on.
    """
    order = shuffled(seed, np.zeros(len(images)))
    if is_test is None:
        n_test = round(len(images) / 5)
        test, train = order[:n_test], order[n_test:]
    else:
        test, train = order[is_test[order]], order[~is_test[order]]
    return (
        Split(images[train], labels[train]),
        Split(images[test], labels[test]),
    )
