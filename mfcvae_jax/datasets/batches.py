# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Batches in a seeded random order, drawn on the device.

Every function here is pure and can run inside a jitted scan over the batches
of an epoch: the images stay where they are, in their stored type, and each
step gathers its own.
"""

import chex
import jax
import jax.numpy as jnp

__all__ = ["as_float", "epoch_permutation", "n_batches", "take_batch"]


def as_float(images: chex.Array) -> chex.Array:
    """Brings images to floats in [0, 1].

    Args:
        images: uint8, where 255 means 1.0, or floats, any shape.

    Returns:
        float32 in [0, 1] for uint8; floats come back as they are.
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
    """Draws the order in which an epoch visits the examples.

    It depends on the key and the epoch only, so a run that is stopped and
    restored goes on in the same order.

    Args:
        key: the run's key for shuffling, the same in every epoch.
        epoch: which epoch.
        n_examples: N.

    Returns:
        A permutation of 0..N-1, int32, shape (N,).
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


def take_batch(
    images: jax.Array,
    order: jax.Array,
    index: jax.Array | int,
    batch_size: int,
) -> jax.Array:
    """Gathers one batch of an epoch.

    Args:
        images: all images, shape (N, H, W, C).
        order: rows of `images` in the order of their use, such as a
            permutation from `epoch_permutation`, shape (M,).
        index: which batch, from 0 to n_batches(M, B) - 1. An index beyond
            that repeats the last B examples instead of failing: it may be
            traced, so it cannot be checked here.
        batch_size: B.

    Returns:
        The images of the batch, shape (B, H, W, C), in their stored type.
    """
    chex.assert_rank(images, 4)
    chex.assert_rank(order, 1)
    members = jax.lax.dynamic_slice_in_dim(
        order, index * batch_size, batch_size
    )
    # Rows of plain vectors: on a CPU, XLA gathers bytes and turns them into
    # floats four times faster this way than from four axes.
    rows = images.reshape(len(images), -1)
    batch = rows.at[members].get(mode="promise_in_bounds")
    return batch.reshape(batch_size, *images.shape[1:])
