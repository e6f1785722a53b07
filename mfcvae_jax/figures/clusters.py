# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures by cluster: examples, samples, and clusters of facets combined.

MFCVAE (arXiv:2106.05241), Fig. 4: clusters are rows in decreasing order of the
average assignment probability of their members; members are columns in
decreasing order of their assignment probability max_k p(c_j = k | x). Fig. 6:
each row holds random samples of one cluster of facet j, the other facets being
drawn from their marginals; rows are sorted and selected as in Fig. 4. Sec. 4.2:
the facets are independent a priori, so every pair of clusters can be composed,
also one that the data lack.
"""

import os
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from mfcvae_jax.figures import panels, style, tiles

__all__ = [
    "ClusterOrder",
    "cluster_examples",
    "cluster_samples",
    "facet_grid",
    "order_clusters",
]

_ROW_GROUPS = (1, 6)  # rows are clusters, and farther apart than members
_SUM_TOLERANCE = 1e-2
_LABEL = 20  # characters in a line of a grid's row


class ClusterOrder(NamedTuple):
    """The clusters of one facet that have members, most confident first.

    Attributes:
        components: index of each cluster in use, shape (U,), int.
        members: for each cluster in use, the indices of its examples, most
            confident first; U arrays of int.
        n_components: K, of which U are in use.
    """

    components: np.ndarray
    members: tuple[np.ndarray, ...]
    n_components: int


def order_clusters(responsibilities: np.ndarray) -> ClusterOrder:
    """Assigns examples to components and orders both by confidence.

    An example belongs to its most probable component. Ties, also between the
    many probabilities that round to one, go to the lower index.

    Args:
        responsibilities: of one facet, shape (N, K), probabilities.

    Returns:
        The clusters in use, in the order of the rows of Fig. 4.

    Raises:
        ValueError: if these are not N >= 1 distributions over K components.
    """
    responsibilities = _check_responsibilities(responsibilities)
    assigned = responsibilities.argmax(axis=1)
    probability = responsibilities.max(axis=1).astype(np.float64)
    by_confidence = np.argsort(-probability, kind="stable")

    used = np.unique(assigned)
    means = np.array([probability[assigned == k].mean() for k in used])
    components = used[np.argsort(-means, kind="stable")]
    return ClusterOrder(
        components=components,
        members=tuple(
            by_confidence[assigned[by_confidence] == k] for k in components
        ),
        n_components=responsibilities.shape[1],
    )


def cluster_examples(
    images: np.ndarray,
    responsibilities: Sequence[np.ndarray],
    path: str | os.PathLike[str],
    *,
    n_rows: int | None = 10,
    n_columns: int = 10,
) -> None:
    """Draws the most confident examples of each cluster of each facet.

    Clusters in use are rows and members columns, ordered by `order_clusters`.
    Beside each row stand the index k of the component and its number n of
    members; under each panel, how many clusters are in use.

    Args:
        images: shape (N, H, W, C).
        responsibilities: one array per facet, shape (N, K_j), probabilities.
        path: where to write.
        n_rows: clusters to show per facet; None for all that are in use.
        n_columns: members to show per cluster.

    Raises:
        ValueError: if shapes do not fit together or nothing is to be shown.
    """
    images = tiles.check_images(images, "NHWC", "images")
    if isinstance(responsibilities, np.ndarray) or not len(responsibilities):
        raise ValueError(
            "Expected responsibilities as a list with one array per facet, at "
            f"least one; got {type(responsibilities).__name__} of length "
            f"{len(responsibilities)}."
        )
    drawn = []
    for j, probabilities in enumerate(responsibilities):
        if np.shape(probabilities)[:1] != images.shape[:1]:
            raise ValueError(
                f"Expected responsibilities of facet {j} for "
                f"{len(images)} images; got shape {np.shape(probabilities)}."
            )
        order = order_clusters(probabilities)
        n_used = len(order.members)
        members = order.members[:n_rows]
        n_shown = "all" if len(members) == n_used else len(members)
        shown = np.full((len(members), n_columns, *images.shape[1:]), np.nan)
        for row, indices in zip(shown, members, strict=True):
            kept = indices[:n_columns]
            row[: len(kept)] = tiles.as_float(images[kept])
        drawn.append(
            panels.Panel(
                shown,
                title=f"Facet {j}",
                facet=j,
                rows=tuple(map(str, order.components[:n_rows])),
                notes=tuple(str(len(indices)) for indices in members),
                headers=("k", "n"),
                caption=f"{n_used} of {order.n_components} clusters in use; "
                f"{n_shown} shown",
            )
        )
    panels.image_grid(drawn, path, row_groups=_ROW_GROUPS)


def cluster_samples(
    samples: Sequence[np.ndarray],
    path: str | os.PathLike[str] | BinaryIO,
    *,
    orders: Sequence[Sequence[int]] | None = None,
    titles: Sequence[str] | None = None,
    n_rows: int | None = 10,
) -> None:
    """Draws samples of each cluster of each facet.

    Args:
        samples: one array per facet, shape (K_j, n, H, W, C): n samples of
            each component. Samples that are NaN throughout are left out.
        path: where to write.
        orders: for each facet the component indices of its rows, from the
            top; `order_clusters(...).components` makes the rows those of
            `cluster_examples`. None for 0, 1, ..., K_j - 1.
        titles: one per facet; 'Facet 0', 'Facet 1', ... if None.
        n_rows: clusters to show per facet; None for all that are in `orders`.

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
        rows = _check_order(orders[j], len(facet), j)[:n_rows]
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
    panels.image_grid(drawn, path, row_groups=_ROW_GROUPS)


def facet_grid(
    images: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    path: str | os.PathLike[str],
    *,
    row_title: str,
    column_title: str,
) -> None:
    """Draws one image for each pair of clusters of two facets.

    Args:
        images: shape (R, Q, H, W, C); one that is NaN throughout is left out.
        rows: one text per row, R in all; long ones are broken.
        columns: one text per column, Q in all; they stand upright where one
            is wider than its column.
        path: where to write.
        row_title: what the rows are, set along the left side.
        column_title: what the columns are, set above them.

    Raises:
        ValueError: if the images, or the numbers of texts, do not fit.
    """
    images = tiles.check_images(images, "RQHWC", "images")
    rows = style.check_texts(rows, images.shape[0], "rows")
    columns = style.check_texts(columns, images.shape[1], "columns")
    panel = panels.Panel(
        images=images,
        title=column_title,
        rows=tuple(style.wrap(text, _LABEL, 2) for text in rows),
        columns=columns,
    )
    panels.image_grid([panel], path, side_title=row_title)


def _check_responsibilities(responsibilities: np.ndarray) -> np.ndarray:
    responsibilities = np.asarray(responsibilities)
    if responsibilities.ndim != 2 or 0 in responsibilities.shape:
        raise ValueError(
            "Expected responsibilities of shape (N, K), neither of them 0; "
            f"got shape {responsibilities.shape}."
        )
    if not np.isfinite(responsibilities).all():
        raise ValueError(
            "Expected finite responsibilities; "
            f"{int((~np.isfinite(responsibilities)).any(axis=1).sum())} of "
            f"{len(responsibilities)} examples have others."
        )
    sums = responsibilities.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if responsibilities.min() < 0 or abs(sums[worst] - 1) > _SUM_TOLERANCE:
        raise ValueError(
            "Expected responsibilities as probabilities that sum to 1 over "
            f"components; got a smallest value of {responsibilities.min():.3g} "
            f"and a sum of {sums[worst]:.3g} for example {worst}. "
            "Exponentiate log responsibilities first."
        )
    return responsibilities


def _check_order(
    order: Sequence[int], n_components: int, facet: int
) -> np.ndarray:
    rows = np.asarray(order)
    known = set(rows.flat) & set(range(n_components))
    is_distinct = rows.shape == (len(known),)
    if not is_distinct or not known or rows.dtype.kind not in "iu":
        raise ValueError(
            f"Expected the order of facet {facet} to hold distinct component "
            f"indices from 0 to {n_components - 1}; got {list(order)}."
        )
    return rows
