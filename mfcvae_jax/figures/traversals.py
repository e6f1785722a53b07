# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What one latent dimension does: steps along each z_{j,d}, per facet."""

import os
from collections.abc import Sequence

import numpy as np

from mfcvae_jax.figures import panels, tiles

__all__ = ["latent_traversals"]

_MANY = 24  # columns beside each other; of more steps few have a header


def latent_traversals(
    facets: Sequence[np.ndarray],
    steps: np.ndarray,
    path: str | os.PathLike[str],
) -> None:
    """Draws one panel per facet; a row moves along one latent dimension.

    Panels stand side by side as far as their columns stay wide enough.

    Args:
        facets: one array per facet, shape (D_j, T, H, W, C): images decoded
            at T places along each of the D_j latent dimensions of facet j.
        steps: those places, in standard deviations of the prior from where
            the traversal starts, increasing, shape (T,).
        path: where to write.

    Raises:
        ValueError: if there is no facet or if shapes do not fit.
    """
    if not len(facets):
        raise ValueError("Expected images of at least one facet; got none.")
    steps = np.asarray(steps, float)
    if steps.ndim != 1 or not steps.size or not (np.diff(steps) > 0).all():
        raise ValueError(
            "Expected steps of shape (T,), at least one and increasing; got "
            f"{steps.tolist()}."
        )
    columns = [f"{step:.3g}".replace("-", "−") for step in steps]
    if len(steps) > _MANY:
        kept = {0, len(steps) // 2, len(steps) - 1}
        columns = [text if t in kept else "" for t, text in enumerate(columns)]
    drawn = []
    for j, facet in enumerate(facets):
        images = tiles.check_images(facet, "DTHWC", f"images of facet {j}")
        if images.shape[1] != len(steps):
            raise ValueError(
                f"Expected {len(steps)} images along each dimension of facet "
                f"{j}, one per step; got shape {images.shape}."
            )
        drawn.append(
            panels.Panel(
                images,
                title=f"Facet {j}",
                facet=j,
                rows=tuple(map(str, range(len(images)))),
                headers=("d", ""),
                columns=tuple(columns),
                caption="columns: prior standard deviations",
            )
        )
    panels.image_grid(drawn, path, most_beside=max(1, _MANY // len(steps)))
