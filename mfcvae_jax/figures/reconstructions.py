# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is decoded of inputs: as they are, swapped, and one dimension moved.

MFCVAE (arXiv:2106.05241), Fig. 5: two inputs, their reconstructions, and what
is decoded after z_j of the one has taken the place of z_j of the other.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mfcvae_jax.figures import panels, style, tiles

__all__ = [
    "SwapPage",
    "latent_traversals",
    "reconstruction_pairs",
    "swapped_pairs",
]

_N_COLUMNS = 14  # inputs beside each other

_HEADERS = ("x1", "x2", "rec. 1", "rec. 2", "swap 1", "swap 2")
_LABEL = 12  # characters in a line of a pair's label
_MOST_BESIDE = 3  # panels of pairs

_MANY = 24  # steps beside each other; of more of them few have a header


def reconstruction_pairs(
    images: np.ndarray,
    reconstructions: np.ndarray,
    path: str | os.PathLike[str],
) -> None:
    """Draws rows of inputs, and under each of them the reconstructions.

    Args:
        images: shape (N, H, W, C).
        reconstructions: of the same shape, in the same order.
        path: where to write.

    Raises:
        ValueError: if the shapes differ.
    """
    images = tiles.check_images(images, "NHWC", "images")
    reconstructions = tiles.check_images(
        reconstructions, "NHWC", "reconstructions"
    )
    if images.shape != reconstructions.shape:
        raise ValueError(
            f"Expected reconstructions of the shape of images, {images.shape}; "
            f"got {reconstructions.shape}."
        )
    n_columns = min(_N_COLUMNS, len(images))
    blocks, columns = np.divmod(np.arange(len(images)), n_columns)
    n_blocks = -(-len(images) // n_columns)
    shown = np.full((n_blocks, 2, n_columns, *images.shape[1:]), np.nan)
    shown[blocks, 0, columns] = tiles.as_float(images)
    shown[blocks, 1, columns] = tiles.as_float(reconstructions)
    panel = panels.Panel(
        images=shown.reshape(2 * n_blocks, *shown.shape[2:]),
        rows=("input", "reconstruction") * n_blocks,
    )
    panels.image_grid([panel], path, row_groups=(2, 20))


class SwapPage(NamedTuple):
    """The pairs of one panel.

    Attributes:
        title: set above the panel, such as the facet that is swapped.
        inputs: shape (P, 2, H, W, C).
        reconstructions: of the inputs, same shape.
        swapped: reconstructions after the swap, same shape; the first keeps
            all facets of the first input but the swapped one.
        labels: one text per pair, P in all; each may be empty.
        facet: index j of the facet that is swapped, whose colour marks the
            panel; negative for no mark.
    """

    title: str
    inputs: np.ndarray
    reconstructions: np.ndarray
    swapped: np.ndarray
    labels: tuple[str, ...]
    facet: int


def swapped_pairs(
    pages: Sequence[SwapPage], path: str | os.PathLike[str]
) -> None:
    """Draws one panel per page, up to three side by side, with a row per pair.

    Args:
        pages: at least one; the numbers of pairs may differ.
        path: where to write.

    Raises:
        ValueError: if there is no page or no pair, or if shapes do not fit.
    """
    if not len(pages):
        raise ValueError("Expected at least one page of pairs; got none.")
    drawn = []
    for p, page in enumerate(pages):
        name, shape = f"page {p}, {page.title!r}", np.shape(page.inputs)
        groups = []
        for field in ("inputs", "reconstructions", "swapped"):
            images = tiles.check_images(
                getattr(page, field), "PIHWC", f"{field} of {name}"
            )
            if images.shape != shape or shape[1] != 2:
                raise ValueError(
                    f"Expected {field} of {name} of shape (P, 2, H, W, C), the "
                    f"same as inputs, {shape}; got {images.shape}."
                )
            groups.append(tiles.as_float(images))
        labels = style.check_texts(page.labels, shape[0], f"labels of {name}")
        drawn.append(
            panels.Panel(
                images=np.concatenate(groups, axis=1),
                title=page.title,
                facet=page.facet,
                notes=tuple(style.wrap(text, _LABEL, 2) for text in labels),
                columns=_HEADERS,
            )
        )
    panels.image_grid(
        drawn, path, column_groups=(2, 12), most_beside=_MOST_BESIDE
    )


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
