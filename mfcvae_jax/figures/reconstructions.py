# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Inputs above their reconstructions."""

import os

import numpy as np

from mfcvae_jax.figures import panels, tiles

__all__ = ["reconstruction_pairs"]


def reconstruction_pairs(
    images: np.ndarray,
    reconstructions: np.ndarray,
    path: str | os.PathLike[str],
    *,
    title: str = "",
    n_blocks: int = 3,
    n_columns: int = 14,
) -> None:
    """Draws blocks of two rows: inputs, and under them reconstructions.

    Args:
        images: shape (N, H, W, C), grey or RGB, float in [0, 1] or uint8; the
            first n_blocks * n_columns are shown.
        reconstructions: of the same shape, in the same order.
        path: where to write; the ending chooses the format.
        title: set above the figure; may be empty.
        n_blocks: blocks to show at most.
        n_columns: images in a block.

    Raises:
        ValueError: if the shapes differ or a count is not positive.
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
    tiles.check_counts(n_blocks=n_blocks, n_columns=n_columns)
    n_shown = min(len(images), n_blocks * n_columns)
    n_columns = min(n_columns, n_shown)
    n_blocks = -(-n_shown // n_columns)

    # (input or reconstruction, block and column, H, W, C)
    pairs = np.full((2, n_blocks * n_columns, *images.shape[1:]), np.nan)
    pairs[0, :n_shown] = tiles.as_float(images[:n_shown])
    pairs[1, :n_shown] = tiles.as_float(reconstructions[:n_shown])
    pairs = pairs.reshape(2, n_blocks, n_columns, *images.shape[1:])
    rows = pairs.swapaxes(0, 1).reshape(2 * n_blocks, *pairs.shape[2:])
    panel = panels.Panel(
        images=rows, title=title, rows=("input", "reconstruction") * n_blocks
    )
    panels.image_grid([panel], path, row_groups=(2, 20))
