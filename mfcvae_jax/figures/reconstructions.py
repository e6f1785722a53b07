# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Inputs above their reconstructions."""

import os

import numpy as np

from mfcvae_jax.figures import panels, tiles

__all__ = ["reconstruction_pairs"]

_N_COLUMNS = 14


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
    n_blocks = -(-len(images) // n_columns)
    # (input or reconstruction, block and column, H, W, C)
    pairs = np.full((2, n_blocks * n_columns, *images.shape[1:]), np.nan)
    pairs[0, : len(images)] = tiles.as_float(images)
    pairs[1, : len(images)] = tiles.as_float(reconstructions)
    pairs = pairs.reshape(2, n_blocks, n_columns, *images.shape[1:])
    panel = panels.Panel(
        images=pairs.swapaxes(0, 1).reshape(2 * n_blocks, *pairs.shape[2:]),
        rows=("input", "reconstruction") * n_blocks,
    )
    panels.image_grid([panel], path, row_groups=(2, 20))
