# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Examples of each cluster, one panel per facet: the paper's Fig. 4.

MFCVAE (arXiv:2106.05241), Fig. 4: clusters are rows in decreasing order of the
average assignment probability of their members; members are columns in
decreasing order of their assignment probability max_k p(c_j = k | x).
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mfcvae_jax.figures import panels, tiles

__all__ = ["ClusterOrder", "cluster_examples", "order_clusters"]

_SUM_TOLERANCE = 1e-2


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

    def largest(self, n: int | None) -> "ClusterOrder":
        """Keeps the n clusters with the most members; None keeps all.

        Of clusters as large as each other, the more confident are kept.
        """
        sizes = np.array([len(indices) for indices in self.members])
        kept = np.sort(np.argsort(-sizes, kind="stable")[:n])
        return self._replace(
            components=self.components[kept],
            members=tuple(self.members[i] for i in kept),
        )


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
    n_components = responsibilities.shape[1]
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
        n_components=n_components,
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

    The largest clusters are rows and members columns, ordered as by
    `order_clusters`.
    Beside each row stand the index k of the component and its number n of
    members; under each panel, how many clusters are in use.

    Args:
        images: shape (N, H, W, C).
        responsibilities: one array per facet, shape (N, K_j), probabilities.
        path: where to write.
        n_rows: clusters to show per facet, the largest; None for all that are
            in use.
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
        in_use = order_clusters(probabilities)
        n_used = len(in_use.members)
        order = in_use.largest(n_rows)
        members = order.members
        is_all = len(members) == n_used
        which = "all" if is_all else f"the {len(members)} largest"
        shown = np.full((len(members), n_columns, *images.shape[1:]), np.nan)
        for row, indices in zip(shown, members, strict=True):
            kept = indices[:n_columns]
            row[: len(kept)] = tiles.as_float(images[kept])
        drawn.append(
            panels.Panel(
                shown,
                title=f"Facet {j}",
                facet=j,
                rows=tuple(map(str, order.components)),
                notes=tuple(str(len(indices)) for indices in members),
                headers=("k", "n"),
                caption=f"{n_used} of {order.n_components} clusters in use; "
                f"{which} shown",
            )
        )
    panels.image_grid(drawn, path, row_groups=(1, 6))


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
