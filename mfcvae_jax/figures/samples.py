# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of each cluster, one panel per facet: the paper's Fig. 6.

MFCVAE (arXiv:2106.05241), Fig. 6: each row holds random samples of one
cluster of facet j, the other facets being drawn from their marginals; rows are
sorted and selected as in Fig. 4.
"""

import os
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from mfcvae_jax.figures import panels, style, tiles

__all__ = ["cluster_samples"]


def cluster_samples(
    samples: Sequence[np.ndarray],
    path: str | os.PathLike[str] | BinaryIO,
    *,
    orders: Sequence[Sequence[int]] | None = None,
    titles: Sequence[str] | None = None,
) -> None:
    """Draws samples of each cluster of each facet.

    Args:
        samples: one array per facet, shape (K_j, n, H, W, C): n samples of
            each component. Samples that are NaN throughout are left out.
        path: where to write.
        orders: for each facet the component indices of its rows, from the
            top; `order_clusters(...).largest(10).components` makes the rows
            those of `cluster_examples`. None for 0, 1, ..., K_j - 1.
        titles: one per facet; 'Facet 0', 'Facet 1', ... if None.

    Raises:
        ValueError: if a shape or an order does not fit.
    """
    if not len(samples):
        raise ValueError("Expected samples of at least one facet; got none.")
    samples = [
        tiles.check_images(facet, "KnHWC", f"samples of facet {j}")
        for j, facet in enumerate(samples)
    ]
    if orders is None:
        orders = [range(len(facet)) for facet in samples]
    if len(orders) != len(samples):
        raise ValueError(
            f"Expected one order per facet, {len(samples)} in all; got "
            f"{len(orders)}."
        )
    if titles is None:
        titles = [f"Facet {j}" for j in range(len(samples))]
    titles = style.check_texts(titles, len(samples), "titles of facets")
    drawn = []
    for j, facet in enumerate(samples):
        rows = _check_order(orders[j], len(facet), j)
        drawn.append(
            panels.Panel(
                facet[rows],
                title=titles[j],
                facet=j,
                rows=tuple(map(str, rows)),
                headers=("k", ""),
                caption=f"{len(rows)} of {len(facet)} clusters shown",
            )
        )
    panels.image_grid(drawn, path, row_groups=(1, 6))


def _check_order(
    order: Sequence[int], n_components: int, facet: int
) -> np.ndarray:
    rows = np.asarray(order)
    if (
        rows.ndim != 1
        or rows.size == 0
        or not np.issubdtype(rows.dtype, np.integer)
        or rows.min() < 0
        or rows.max() >= n_components
        or len(np.unique(rows)) != len(rows)
    ):
        raise ValueError(
            f"Expected the order of facet {facet} to hold distinct component "
            f"indices from 0 to {n_components - 1}; got {list(order)}."
        )
    return rows
