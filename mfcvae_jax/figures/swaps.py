# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of inputs that swap the latent of one facet: the paper's Fig. 5.

MFCVAE (arXiv:2106.05241), Fig. 5: two inputs, their reconstructions, and what
is decoded after z_j of the one has taken the place of z_j of the other.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mfcvae_jax.figures import panels, style, tiles

__all__ = ["SwapPage", "swapped_pairs"]

_HEADERS = ("x1", "x2", "rec. 1", "rec. 2", "swap 1", "swap 2")
_LABEL = 12  # characters in a line of a pair's label
_MOST_BESIDE = 3


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
    panels.image_grid(
        [
            _panel(page, f"page {p}, {page.title!r}")
            for p, page in enumerate(pages)
        ],
        path,
        column_groups=(2, 12),
        most_beside=_MOST_BESIDE,
    )


def _panel(page: SwapPage, name: str) -> panels.Panel:
    shape = np.shape(page.inputs)
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
    return panels.Panel(
        images=np.concatenate(groups, axis=1),
        title=page.title,
        facet=page.facet,
        notes=tuple(style.wrap(text, _LABEL, 2) for text in labels),
        columns=_HEADERS,
    )
