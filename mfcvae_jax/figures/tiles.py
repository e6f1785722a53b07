# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sheets of images: equal tiles in rows and columns, on exact pixels.

Pure NumPy. A pixel of an image becomes a square of whole pixels of the sheet
(nearest neighbour, integer factor), so that an 8 x 8 digit stays crisp.
"""

import numpy as np

__all__ = ["as_rgb8", "check_images", "offsets", "scale_for", "sheet"]


def check_images(images: np.ndarray, axes: str, name: str) -> np.ndarray:
    """Checks the shape and the type of images.

    Args:
        images: grey (C=1) or RGB (C=3), float in [0, 1] or uint8 in [0, 255].
        axes: the letters of the expected axes, ending in 'HWC'.
        name: what to call the images in an error.

    Returns:
        The images as an array.

    Raises:
        ValueError: if rank, channels or type are others.
    """
    images = np.asarray(images)
    letters = ", ".join(axes)
    if images.ndim != len(axes) or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"Expected {name} of shape ({letters}) with 1 or 3 channels; got "
            f"shape {images.shape}."
        )
    if images.size == 0:
        raise ValueError(
            f"Expected at least one image and one pixel in {name}; got shape "
            f"{images.shape}."
        )
    if images.dtype != np.uint8 and not np.issubdtype(
        images.dtype, np.floating
    ):
        raise ValueError(
            f"Expected {name} as floats in [0, 1] or uint8; got {images.dtype}."
        )
    return images


def as_rgb8(images: np.ndarray) -> np.ndarray:
    """Turns images into 8-bit RGB; floats are clipped to [0, 1].

    Args:
        images: shape (..., C) with C = 1 or 3, finite floats or uint8.

    Returns:
        uint8, shape (..., 3).
    """
    if images.dtype != np.uint8:
        images = np.round(np.clip(images, 0.0, 1.0) * 255).astype(np.uint8)
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def scale_for(size: int, target: float, minimum: float = 32) -> int:
    """Returns the whole factor that brings a tile near a wanted size.

    Args:
        size: the longer side of an image, in pixels.
        target: the wanted side of a tile, in pixels.
        minimum: a tile is never smaller than this, in pixels.

    Returns:
        The factor, at least 1: images are enlarged, never shrunk.
    """
    return max(1, round(target / size), -int(-minimum // size))


def offsets(
    n: int, size: int, gap: int, *, group: int | None = None, group_gap: int = 0
) -> np.ndarray:
    """Returns where the tiles of one axis begin.

    Args:
        n: number of tiles.
        size: length of a tile along the axis, in pixels.
        gap: space between neighbours, in pixels.
        group: if given, every `group` tiles are set off from the next ones.
        group_gap: the additional space between groups, in pixels.

    Returns:
        First pixel of each tile, shape (n,), int; the axis ends at
        `offsets(...)[-1] + size`.
    """
    index = np.arange(n)
    starts = index * (size + gap)
    return starts if group is None else starts + index // group * group_gap


def sheet(
    images: np.ndarray,
    *,
    present: np.ndarray | None = None,
    scale: int = 1,
    gap: int = 2,
    group: int | None = None,
    group_gap: int = 0,
    column_group: int | None = None,
    column_group_gap: int = 0,
    background: tuple[int, int, int] = (255, 255, 255),
) -> np.ndarray:
    """Assembles images into one sheet of aligned tiles.

    Args:
        images: shape (R, Q, H, W, C) for R rows of Q tiles; grey (C=1) or RGB
            (C=3), float clipped to [0, 1], or uint8. A tile that is NaN
            throughout is missing.
        present: False where a tile is missing, shape (R, Q), bool; None if
            only NaN marks missing tiles.
        scale: whole factor by which each image is enlarged.
        gap: pixels of background between tiles; there are none around them.
        group: set off every `group` rows from the next ones, see `offsets`.
        group_gap: additional pixels between groups of rows.
        column_group: set off every `column_group` columns from the next ones.
        column_group_gap: additional pixels between groups of columns.
        background: colour of gaps and missing tiles, 0 to 255.

    Returns:
        The sheet, uint8, shape (height, width, 3).

    Raises:
        ValueError: if a shape or a type does not fit, or if an image is NaN
            in some of its pixels only.
    """
    images = check_images(images, "RQHWC", "images")
    n_rows, n_columns, height, width, _ = images.shape
    present = _present(images, present)
    rows = offsets(
        n_rows, height * scale, gap, group=group, group_gap=group_gap
    )
    columns = offsets(
        n_columns,
        width * scale,
        gap,
        group=column_group,
        group_gap=column_group_gap,
    )
    result = np.empty(
        (rows[-1] + height * scale, columns[-1] + width * scale, 3), np.uint8
    )
    result[:] = background
    for r, q in np.argwhere(present):
        tile = as_rgb8(images[r, q])
        tile = tile.repeat(scale, axis=0).repeat(scale, axis=1)
        result[
            rows[r] : rows[r] + height * scale,
            columns[q] : columns[q] + width * scale,
        ] = tile
    return result


def _present(images: np.ndarray, present: np.ndarray | None) -> np.ndarray:
    grid = images.shape[:2]
    if present is None:
        present = np.ones(grid, bool)
    present = np.asarray(present, bool)
    if present.shape != grid:
        raise ValueError(
            f"Expected present of shape {grid}, one entry per tile; got shape "
            f"{present.shape}."
        )
    if images.dtype == np.uint8:
        return present
    is_nan = np.isnan(images)
    all_nan = is_nan.all(axis=(2, 3, 4))
    broken = present & ~all_nan & is_nan.any(axis=(2, 3, 4))
    if broken.any():
        row, column = np.argwhere(broken)[0]
        raise ValueError(
            f"Expected finite images, or tiles that are NaN throughout; the "
            f"tile in row {row}, column {column} is NaN in "
            f"{int(is_nan[row, column].sum())} of its values."
        )
    return present & ~all_nan
