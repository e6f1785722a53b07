# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Many small pictures of one size in one PNG."""

import io
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from mfcvae_jax.figures import tiles

__all__ = ["Sprites", "sprites"]


class Sprites(NamedTuple):
    """A sheet of tiles without gaps; tile i is at row i // columns.

    Attributes:
        png: the file.
        columns: tiles in a row.
    """

    png: bytes
    columns: int


def sprites(images: np.ndarray) -> Sprites:
    """Sets images into one nearly square sheet.

    Args:
        images: shape (N, H, W, C), C = 1 or 3, N >= 1, uint8 or floats, which
            are clipped to [0, 1].

    Returns:
        The sheet; its last row is filled up with black.
    """
    n, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(n * height / width))
    rows = math.ceil(n / columns)
    filled = np.zeros((rows * columns, *images.shape[1:]), images.dtype)
    filled[:n] = images
    filled = filled.reshape(rows, columns, *images.shape[1:])
    sheet = tiles.sheet(filled, gap=0)[..., :channels]
    file = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(
        file, "PNG", optimize=True
    )
    return Sprites(file.getvalue(), columns)
