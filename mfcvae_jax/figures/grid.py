# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A grid of images: rows are clusters of one facet, columns of another.

MFCVAE (arXiv:2106.05241), Sec. 4.2: the facets are independent a priori, so
every pair of clusters can be composed, also one that the data lack.
"""

import os
from collections.abc import Sequence

import numpy as np

from mfcvae_jax.figures import panels, style, tiles

__all__ = ["facet_grid"]

_LABEL = 20  # characters in a line of a row's label


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
