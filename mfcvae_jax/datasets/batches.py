# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Batches in a seeded random order, drawn on the device.

Every function here is pure and can run inside a jitted scan over the batches
of an epoch: the images stay where they are, in their stored type, and each
step gathers its own.

For that the images are rows, padded to whole lanes (``as_rows``). A TPU stores
an array with whichever axis last wastes the least; of bare images that is the
axis of the examples, and the program then turned the whole data set round in
every step before it could take a batch. It also keeps a CPU's gather fast.
"""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "as_float",
    "as_rows",
    "epoch_permutation",
    "n_batches",
    "row_length",
    "take_batch",
]

# Numbers that a vector register of a TPU has side by side.
_LANES = 128


def as_float(images: chex.Array) -> chex.Array:
    """Brings uint8 images, where 255 means 1.0, to float32 in [0, 1].

    Floats come back as they are.
    """
    if jnp.issubdtype(images.dtype, jnp.floating):
        return images
    if images.dtype != jnp.uint8:
        raise ValueError(
            "Images must be uint8, where 255 means 1.0, or floats in [0, 1]; "
            f"got {images.dtype}."
        )
    return images.astype(jnp.float32) / 255.0


def epoch_permutation(
    key: jax.Array, epoch: jax.Array | int, n_examples: int
) -> jax.Array:
    """Draws the order in which an epoch visits the N examples, int32, (N,).

    It depends on the epoch and on the run's key for shuffling only, so a run
    that is stopped and restored goes on in the same order.
    """
    key = jax.random.fold_in(key, epoch)
    return jax.random.permutation(key, jnp.arange(n_examples, dtype=jnp.int32))


def n_batches(n_examples: int, batch_size: int) -> int:
    """Counts the batches of an epoch, or raises ValueError if there is none.

    A last short batch is left out, so that all batches have one shape. Which
    examples that costs changes from epoch to epoch with the order; over a run
    every example has the same chance.
    """
    if not 1 <= batch_size <= n_examples:
        raise ValueError(
            f"train.batch_size must lie between 1 and the {n_examples} "
            f"examples of the training split, got {batch_size}."
        )
    return n_examples // batch_size


def row_length(image_shape: tuple[int, int, int]) -> int:
    """Returns P, the length of an image of shape (H, W, C) as a row."""
    return -(-math.prod(image_shape) // _LANES) * _LANES


def as_rows(images: np.ndarray) -> np.ndarray:
    """Makes a row, with zeros at its end, of each image: (..., P).

    There is no copy where nothing has to be added.
    """
    *leading, height, width, channels = images.shape
    rows = images.reshape(*leading, height * width * channels)
    missing = row_length((height, width, channels)) - rows.shape[-1]
    if not missing:
        return rows
    return np.pad(rows, [(0, 0)] * len(leading) + [(0, missing)])


def take_batch(
    rows: jax.Array,
    order: jax.Array,
    index: jax.Array | int,
    batch_size: int,
    image_shape: tuple[int, int, int],
) -> jax.Array:
    """Gathers one batch of an epoch.

    Args:
        rows: all images, from ``as_rows``, shape (N, P).
        order: which of `rows` are used, in this order, such as that of
            `epoch_permutation`, shape (M,).
        index: which batch, from 0 to n_batches(M, B) - 1. One beyond that
            repeats the last B examples: it may be traced, so it cannot be
            checked.
        batch_size: B.
        image_shape: (H, W, C) of an image.

    Returns:
        The images of the batch, shape (B, H, W, C), in their stored type.
    """
    chex.assert_shape(rows, (None, row_length(image_shape)))
    chex.assert_rank(order, 1)
    members = jax.lax.dynamic_slice_in_dim(
        order, index * batch_size, batch_size
    )
    batch = rows.at[members].get(mode="promise_in_bounds")
    pixels = batch[:, : math.prod(image_shape)]
    return pixels.reshape(batch_size, *image_shape)
