# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The steps of a run as one compiled program, over seeds and devices.

The only file that says pmap. One pure step, ``Stepper.step``, is compiled in
one of four forms::

                 one device             several devices
    one seed     jit(scan)              pmap(scan): the batch is split, and
                                        gradients, batch-norm statistics and
                                        metrics are averaged over the devices
    S seeds      jit(vmap(scan))        pmap(vmap(scan)): the seeds are split

The batch and the noise do not depend on the number of devices: a run on several
devices is the run on one of them, up to the order of floating-point sums. With
several processes, each calls the same program on what belongs to its devices.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import TypeVar

import chex
import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mfcvae_jax.datasets import batches
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.training.steps import Metrics, Stepper

__all__ = ["Program"]

_Tree = TypeVar("_Tree")

_AXIS = "devices"


class Program:
    """Optimiser steps of one or several seeds on all devices at hand.

    ``place`` puts states on the devices, ``run`` takes steps, ``members`` gives
    states back. None is donated to the steps: the caller keeps the one from
    before, in case they diverge.

    Args:
        stepper: with the step.
        batch_size: B, of every seed, over all devices together.
        n_seeds: S.
        devices: to run on; by default all there are, of all processes.

    Raises:
        ValueError: if the batch cannot be split evenly.
    """

    def __init__(
        self,
        stepper: Stepper,
        batch_size: int,
        n_seeds: int = 1,
        devices: Sequence[jax.Device] | None = None,
    ):
        self._devices = list(devices or jax.devices())
        self._image_shape = stepper.model.image_shape
        self._n_seeds = n_seeds
        self._batch_size = batch_size
        n_devices = len(self._devices)
        if n_seeds == 1 and batch_size % n_devices:
            raise ValueError(
                f"train.batch_size={batch_size} cannot be split evenly over "
                f"{n_devices} devices: make it a multiple of {n_devices}, or "
                "let the run see fewer devices (CUDA_VISIBLE_DEVICES, "
                "TPU_VISIBLE_DEVICES)"
            )
        self._is_split = n_devices > 1
        is_batch_split = self._is_split and n_seeds == 1
        if is_batch_split:
            stepper = dataclasses.replace(stepper, axis_name=_AXIS)
        self._rows = batch_size // n_devices if is_batch_split else batch_size
        here = jax.process_index()
        self._local = [
            i for i, d in enumerate(self._devices) if d.process_index == here
        ]
        mesh = Mesh(np.array(self._devices)[self._local], (_AXIS,))
        self._whole = NamedSharding(mesh, PartitionSpec())
        split = NamedSharding(mesh, PartitionSpec(_AXIS))
        # Of what has a leading axis for the devices, if there are several.
        self._spread = split if self._is_split else self._whole
        devices_split = tuple(self._devices) if self._is_split else None
        self._run_on_images, self._run_on_chunk = (
            _compiled(stepper, self._rows, n_seeds, devices_split, is_chunk)
            for is_chunk in (False, True)
        )

    def place(self, states: Sequence[TrainState]) -> TrainState:
        """Puts the states of all S seeds on the devices, as ``run`` takes them.

        Every process passes them all.
        """
        if self._n_seeds == 1:
            (state,) = states
            return jax.device_put(state, self._whole)
        hosted = jax.device_get(list(states))
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *hosted)
        arranged = jax.tree.map(self._arrange_seeds, stacked)
        return jax.device_put(arranged, self._spread)

    def place_images(self, images: np.ndarray) -> chex.Array:
        """Puts images (N, H, W, C) on every device, as rows (N, P)."""
        return jax.device_put(batches.as_rows(images), self._whole)

    def place_chunk(self, chunk: np.ndarray) -> chex.Array:
        """Puts images where they are used, as rows (..., n, P).

        Args:
            chunk: the images of an order, as ``arrange`` gave it or a part
                along its last axis, shape (..., n, H, W, C).
        """
        return jax.device_put(batches.as_rows(chunk), self._spread)

    def place_order(self, order: np.ndarray) -> chex.Array:
        """Puts an order on the devices that need it."""
        return jax.device_put(order, self._spread)

    def arrange(self, permutations: np.ndarray) -> np.ndarray:
        """Tells each device of this process which rows it visits, and when.

        Args:
            permutations: the order of an epoch for each seed, shape (S, N).

        Returns:
            Rows of the images, all batches in a row; leading axes are the
            devices and the seeds, each if there are several.
        """
        n_batches = permutations.shape[1] // self._batch_size
        order = permutations[:, : n_batches * self._batch_size]
        if self._n_seeds > 1:
            return self._arrange_seeds(order)
        if not self._is_split:
            return order[0]
        shape = (n_batches, len(self._devices), self._rows)
        by_device = order.reshape(shape).swapaxes(0, 1)
        return by_device[self._local].reshape(len(self._local), -1)

    def batch_slice(self, first: int, n_steps: int) -> slice:
        """Returns the part of an order's last axis that some batches take."""
        return slice(first * self._rows, (first + n_steps) * self._rows)

    def run(
        self,
        state: TrainState,
        images: chex.Array,
        order: chex.Array,
        first: int,
        n_steps: int,
    ) -> tuple[TrainState, list[Metrics]]:
        """Takes several steps in one dispatch, and waits for them.

        Args:
            state: from ``place`` or the last ``run``.
            images: from ``place_images`` or ``place_chunk``.
            order: of their rows, from ``place_order``.
            first: the first batch of that order to take.
            n_steps: how many batches to take.

        Returns:
            The state after them; and of each seed the metrics of each step, in
            host memory, leading axis (n_steps,).
        """
        is_chunk = images.ndim > 2  # it has the leading axes of the order
        run = self._run_on_chunk if is_chunk else self._run_on_images
        state, metrics = run(state, images, order, first, n_steps)
        # To wait here is to know of trouble early; on CPU, collectives that
        # pile up can wait for each other until they give up.
        return state, jax.device_get(self.members(metrics))

    def lower(
        self, state: TrainState, n_images: int, n_steps: int
    ) -> jax.stages.Lowered:
        """Returns what ``run`` compiles, for shapes alone.

        The devices may be those of a topology that is not at hand. With several
        processes it is the program of this one.

        Args:
            state: of one seed, shapes and types are enough.
            n_images: N, of the data set on the devices, in bytes.
            n_steps: in a dispatch.
        """
        sharding = None if self._is_split else self._whole
        order = self.arrange(np.zeros((self._n_seeds, n_images), np.int32))
        row = batches.row_length(self._image_shape)

        def placed(shape, dtype):
            return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)

        # The leading axes of an order are those of several seeds' states, too.
        leading = order.shape[:-1] if self._n_seeds > 1 else ()
        return self._run_on_images.lower(
            jax.tree.map(
                lambda a: placed((*leading, *a.shape), a.dtype), state
            ),
            placed((n_images, row), np.uint8),
            placed(order.shape, order.dtype),
            placed((), np.int32),
            n_steps,
        )

    def members(self, tree: _Tree) -> list[_Tree]:
        """Undoes ``place``: one tree of a seed each, in every process.

        The tree is a state or the metrics of all seeds. The trees are on one
        device or in host memory.
        """
        if self._n_seeds == 1:  # each device has a copy
            return [jax.tree.map(lambda a: a.addressable_data(0), tree)]
        hosted = jax.device_get(tree)
        if self._is_split:
            every = multihost_utils.process_allgather(hosted, tiled=True)
            hosted = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), every)
        return [
            jax.tree.map(lambda a, i=i: a[i], hosted)
            for i in range(self._n_seeds)
        ]

    def _arrange_seeds(self, stacked: np.ndarray) -> np.ndarray:
        """Shape (S, ...) to this process's (devices, seeds, ...), if split."""
        if not self._is_split:
            return stacked
        # Every device takes as many seeds. Where they do not divide evenly, the
        # last seed is repeated, and the repetitions are dropped at the end.
        n_devices = len(self._devices)
        n_slots = n_devices * -(-self._n_seeds // n_devices)
        slots = np.minimum(np.arange(n_slots), self._n_seeds - 1)
        return stacked[slots.reshape(n_devices, -1)[self._local]]


# Runs of the same settings in one process share what is compiled: an estimator
# that is fitted again compiles nothing, even one of eight starts, which has a
# program for each number of them that is left.
@functools.lru_cache(maxsize=16)
def _compiled(
    stepper: Stepper,
    rows: int,
    n_seeds: int,
    devices: tuple[jax.Device, ...] | None,
    is_chunk: bool,
) -> jax.stages.Wrapped:
    """The form for these seeds and devices (None: one); compiled when called.

    A chunk of images has the leading axes of the order.
    """
    image_shape = stepper.model.image_shape

    def steps(state, images, order, first, n_steps):
        def body(state, index):
            x = batches.take_batch(images, order, index, rows, image_shape)
            return stepper.step(state, batches.as_float(x))

        return jax.lax.scan(body, state, first + np.arange(n_steps))

    several = n_seeds > 1
    if several:
        one_seed = steps

        def steps(state, images, order, first, n_steps):
            return jax.vmap(
                functools.partial(one_seed, n_steps=n_steps),
                in_axes=(0, 0 if is_chunk else None, 0, None),
            )(state, images, order, first)

    if devices is None:
        return jax.jit(steps, static_argnums=4)
    axis = 0 if several else None
    return jax.pmap(
        steps,
        axis_name=_AXIS,
        in_axes=(axis, 0 if is_chunk else None, 0, None),
        out_axes=axis,
        static_broadcasted_argnums=4,
        devices=devices,
    )
