# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How training images come to the steps.

A set that is small enough is put on every device once. A larger one stays in
host memory, or in a memory-mapped file, and its batches come over in chunks,
one dispatch each; the next chunk is gathered while the devices work on the one
before. Either way the same rows make the same batches, and a process reads no
more of a large set than its own devices take.
"""

import concurrent.futures
from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple

import chex
import numpy as np
from absl import logging

from mfcvae_jax.training.devices import Program

__all__ = ["Dispatch", "Fed", "feed"]


class Dispatch(NamedTuple):
    """Steps that are taken without a return to Python.

    Attributes:
        epoch: which they belong to.
        first: the first batch of the epoch among them.
        n_steps: how many they are.
    """

    epoch: int
    first: int
    n_steps: int


class Fed(NamedTuple):
    """A dispatch and the arguments of ``Program.run`` that make it.

    Attributes:
        dispatch: which.
        images: on the devices.
        order: rows of these images, on the devices.
        first: the first batch of that order to take.
    """

    dispatch: Dispatch
    images: chex.Array
    order: chex.Array
    first: int


def feed(
    program: Program,
    images: np.ndarray,
    permutations: Callable[[int], np.ndarray],
    dispatches: Iterable[Dispatch],
    on_device_bytes: float,
) -> Generator[Fed]:
    """Feeds the dispatches of a run, one by one.

    Args:
        program: which runs them.
        images: of the training split, shape (N, H, W, C).
        permutations: the order of every seed in an epoch, shape (S, N).
        dispatches: in order.
        on_device_bytes: a set no larger than this is put on every device.

    Yields:
        What the program needs for each dispatch.
    """
    if images.nbytes <= on_device_bytes:
        return _from_devices(program, images, permutations, dispatches)
    logging.info(
        "the training images, %.1f GB, stay off the devices and come over in "
        "chunks: data.on_device_gb is %.1f",
        images.nbytes / 1e9,
        on_device_bytes / 1e9,
    )
    return _from_host(program, images, permutations, dispatches)


def _from_devices(program, images, permutations, dispatches):
    placed = program.place_images(images)
    epoch, order = -1, None
    for dispatch in dispatches:
        if dispatch.epoch != epoch:
            epoch = dispatch.epoch
            order = program.place_order(program.arrange(permutations(epoch)))
        yield Fed(dispatch, placed, order, dispatch.first)


def _from_host(program, images, permutations, dispatches):
    epoch, order = -1, np.empty((0,), np.int32)

    def gather(dispatch):
        nonlocal epoch, order
        if dispatch.epoch != epoch:
            epoch = dispatch.epoch
            order = program.arrange(permutations(epoch))
        rows = order[..., program.batch_slice(dispatch.first, dispatch.n_steps)]
        in_order = np.broadcast_to(np.arange(rows.shape[-1]), rows.shape)
        return Fed(
            dispatch,
            program.place_chunk(images, rows),
            program.place_order(in_order.astype(rows.dtype)),
            0,
        )

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        coming = None
        for dispatch in dispatches:
            following = pool.submit(gather, dispatch)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()
