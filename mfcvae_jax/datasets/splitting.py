# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A fixed random split, for data that come without one."""

import numpy as np

from mfcvae_jax.datasets.spec import Split

__all__ = ["random_split"]

_TEST_FRACTION = 0.2


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
    # Raw output of a bit generator: NumPy promises never to change it (NEP
    # 19), which it does not promise of Generator.permutation.
    order = np.argsort(np.random.PCG64(seed).random_raw(len(images)))
    if is_test is None:
        is_drawn = np.arange(len(images)) < round(_TEST_FRACTION * len(images))
    else:
        is_drawn = is_test[order]
    train, test = (
        Split(images[members], labels[members])
        for members in (order[~is_drawn], order[is_drawn])
    )
    return train, test
