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
    if n_blocks < 1 or n_columns < 1:
        raise ValueError(
            "Expected n_blocks and n_columns to be at least 1; got "
            f"n_blocks={n_blocks}, n_columns={n_columns}."
        )
    n_shown = min(len(images), n_blocks * n_columns)
    n_columns = min(n_columns, n_shown)
    n_blocks = -(-n_shown // n_columns)

    index = np.arange(n_blocks * n_columns).reshape(n_blocks, n_columns)
    present = index < n_shown
    index = np.where(present, index, 0)
    pairs = np.stack(
        [_as_float(images)[index], _as_float(reconstructions)[index]],
        axis=1,
    )  # (block, input or reconstruction, column, H, W, C)
    panels.draw_panels(
        [
            panels.Panel(
                images=pairs.reshape(2 * n_blocks, n_columns, *pairs.shape[3:]),
                present=present.repeat(2, axis=0),
                labels=(("input",), ("reconstruction",)) * n_blocks,
                headers=(),
                title=title,
            )
        ],
        path,
        group=2,
        group_gap=20,
    )


def _as_float(images: np.ndarray) -> np.ndarray:
    return images / 255 if images.dtype == np.uint8 else images
