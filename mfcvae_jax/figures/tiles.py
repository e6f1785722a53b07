# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Images that are checked, and sheets of them on exact pixels. Pure NumPy.

Tiles stand in rows and columns. A pixel of an image becomes a square of whole
pixels of the sheet (nearest neighbour, integer factor), so that an 8 x 8 digit
stays crisp.
"""

import numpy as np

__all__ = ["as_float", "check_images", "offsets", "scale_for", "sheet"]


def check_images(images: np.ndarray, axes: str, name: str) -> np.ndarray:
    """Returns images as an array, if they are grey or RGB, float or uint8.

    Args:
        images: to be checked.
        axes: the letters of the expected axes, ending in 'HWC'.
        name: what to call the images in an error.

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
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(
            f"Expected {name} as floats in [0, 1] or uint8; got {images.dtype}."
        )
    return images


def as_float(images: np.ndarray) -> np.ndarray:
    """Turns bytes into floats in [0, 1]; floats stay as they are."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / 255
    return images


def scale_for(size: int, target: float) -> int:
    """Returns the whole factor that brings a tile near a wanted size.

    Args:
        size: the longer side of an image, in pixels; never shrunk.
        target: the wanted side of a tile, in pixels; 32 at least.
    """
    return max(1, round(target / size), -(-32 // size))


def offsets(
    n: int, size: int, gap: int, groups: tuple[int, int] = (1, 0)
) -> np.ndarray:
    """Returns where the n tiles of one axis begin, in pixels, shape (n,).

    Args:
        n: number of tiles.
        size: length of a tile along the axis, in pixels.
        gap: space between neighbours, in pixels.
        groups: (n, gap): every n tiles are set off from the next ones by so
            many pixels more.
    """
    index = np.arange(n)
    return index * (size + gap) + index // groups[0] * groups[1]


def sheet(
    images: np.ndarray,
    *,
    scale: int = 1,
    gap: int = 2,
    row_groups: tuple[int, int] = (1, 0),
    column_groups: tuple[int, int] = (1, 0),
) -> np.ndarray:
    """Assembles images into one sheet of aligned tiles on white.

    Args:
        images: shape (R, Q, H, W, C) for R rows of Q tiles; float clipped to
            [0, 1], or uint8. A tile that is NaN throughout is missing.
        scale: whole factor by which each image is enlarged.
        gap: white pixels between tiles; there are none around them.
        row_groups: of rows, see `offsets`.
        column_groups: of columns.

    Returns:
        The sheet, uint8, shape (height, width, 3).

    Raises:
        ValueError: if a shape or a type does not fit, or if an image is NaN
            in some of its pixels only.
    """
    images = check_images(images, "RQHWC", "images")
    n_rows, n_columns, height, width, _ = images.shape
    n_missing = np.isnan(images).sum(axis=(2, 3, 4))
    broken = np.argwhere((n_missing > 0) & (n_missing < images[0, 0].size))
    if len(broken):
        row, column = broken[0]
        raise ValueError(
            f"Expected finite images, or tiles that are NaN throughout; the "
            f"tile in row {row}, column {column} is NaN in "
            f"{n_missing[row, column]} of its values."
        )
    height, width = scale * height, scale * width
    rows = offsets(n_rows, height, gap, row_groups)
    columns = offsets(n_columns, width, gap, column_groups)
    result = np.full((rows[-1] + height, columns[-1] + width, 3), 255, np.uint8)
    for r, q in np.argwhere(n_missing == 0):
        tile = np.round(as_float(images[r, q]).clip(0.0, 1.0) * 255)
        result[rows[r] : rows[r] + height, columns[q] : columns[q] + width] = (
            tile.repeat(scale, axis=0).repeat(scale, axis=1)
        )
    return result
