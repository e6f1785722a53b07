# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How training images come to the steps.

A set that is small enough is put on every device once. A larger one stays in
host memory, or in a memory-mapped file, and its batches come over in chunks,
one dispatch each: while the devices work on one, the next is on its way to them
and the one after it is being read. Either way the same rows make the same
batches, and a process reads no more of a large set than its own devices take.
"""

import concurrent.futures
import itertools
import operator
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import chex
import numpy as np
from absl import logging

from mfcvae_jax.datasets import batches
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.training.devices import Program
from mfcvae_jax.training.runs import Run

__all__ = ["Dispatch", "Fed", "dispatches", "feed", "permutations"]

_T = TypeVar("_T")
_epoch = operator.attrgetter("epoch")


class Dispatch(NamedTuple):
    """Steps that are taken in one call of the program.

    Attributes:
        epoch: which they belong to.
        first: the first batch of the epoch among them.
        n_steps: how many they are.
    """

    epoch: int
    first: int
    n_steps: int


class Fed(NamedTuple):
    """The arguments that ``Program.run`` takes after the state.

    Attributes:
        images: on the devices.
        order: rows of these images, on the devices.
        first: the first batch of that order to take.
        n_steps: how many batches to take.
    """

    images: chex.Array
    order: chex.Array
    first: int
    n_steps: int


def permutations(seeds: Sequence[Run], epoch: int) -> np.ndarray:
    """Returns the order of the examples of every seed, shape (S, N)."""
    n_examples = len(seeds[0].dataset.train.images)
    keys = [run_key(seed.settings.seed, KeyUse.ORDER) for seed in seeds]
    return np.stack(
        [batches.epoch_permutation(key, epoch, n_examples) for key in keys]
    )


def dispatches(run: Run, step: int) -> Iterator[Dispatch]:
    """Cuts the rest of a run, from a step on, into dispatches, in order.

    The cuts do not depend on where an epoch is taken up again, so that a
    resumed run compiles, and computes, the same scans.
    """
    n = run.steps_per_epoch
    n_dispatches = -(-n // run.settings.train.steps_per_dispatch)
    cuts = [n * i // n_dispatches for i in range(n_dispatches + 1)]
    for epoch in range(step // n, run.stepper.schedule.n_steps // n):
        for first, end in zip(cuts[:-1], cuts[1:], strict=True):
            if epoch * n + first >= step:
                yield Dispatch(epoch, first, end - first)


def feed(
    program: Program,
    images: np.ndarray,
    permutations: Callable[[int], np.ndarray],
    dispatches: Iterable[Dispatch],
    on_device_bytes: float,
) -> Generator[Fed]:
    """Feeds the dispatches of a run to its program, one by one.

    Args:
        program: which runs them.
        images: of the training split, shape (N, H, W, C).
        permutations: the order of every seed in an epoch, shape (S, N).
        dispatches: in order.
        on_device_bytes: a set no larger than this is put on every device.
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
    for epoch, of_epoch in itertools.groupby(dispatches, _epoch):
        order = program.place_order(program.arrange(permutations(epoch)))
        for dispatch in of_epoch:
            yield Fed(placed, order, dispatch.first, dispatch.n_steps)


def _from_host(program, images, permutations, dispatches):
    def read(rows):
        # Of a memory-mapped file, asarray makes an array in memory.
        return np.asarray(images[rows])

    def reading():
        for epoch, of_epoch in itertools.groupby(dispatches, _epoch):
            order = program.arrange(permutations(epoch))
            for dispatch in of_epoch:
                part = program.batch_slice(dispatch.first, dispatch.n_steps)
                rows = order[..., part]
                yield dispatch.n_steps, rows, reader.submit(read, rows)

    def placed():
        for n_steps, rows, chunk in _one_ahead(reading()):
            in_order = np.arange(rows.shape[-1], dtype=rows.dtype)
            yield Fed(
                program.place_chunk(chunk.result()),
                program.place_order(np.broadcast_to(in_order, rows.shape)),
                0,
                n_steps,
            )

    # The thread does nothing but read: JAX's settings can differ by thread.
    with concurrent.futures.ThreadPoolExecutor(1) as reader:
        yield from _one_ahead(placed())


def _one_ahead(items: Iterable[_T]) -> Iterator[_T]:
    """Yields items, each when the one after it has been asked for."""
    for item, _ in itertools.pairwise(itertools.chain[Any](items, [None])):
        yield item
