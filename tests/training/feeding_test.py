# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Feeding: what is read, when, and from where. Results: see devices_test."""

import threading

import jax
import numpy as np
import pytest

from mfcvae_jax.datasets import batches
from mfcvae_jax.training import devices, feeding
from tests.training import device_cases

_N, _B = 40, 8
_DISPATCHES = [
    feeding.Dispatch(epoch, *steps)
    for epoch in (0, 1)
    for steps in ((0, 3), (3, 2))
]


class _Watched:
    """Images that note which of their rows are read, and in which thread."""

    def __init__(self):
        self.images = np.arange(_N, dtype=np.uint8).reshape(_N, 1, 1, 1)
        self.nbytes = self.images.nbytes
        self.read = []
        self.threads = set()

    def __getitem__(self, rows):
        self.read.append(rows)
        self.threads.add(threading.current_thread())
        return self.images[rows]


def _permutation(epoch):
    return np.random.default_rng(epoch).permutation(_N)[None]


def _feed(images, on_device_bytes):
    program = devices.Program(
        device_cases.make_stepper("dense"), _B, devices=jax.devices()[:1]
    )
    return feeding.feed(
        program, images, _permutation, _DISPATCHES, on_device_bytes
    )


def test_small_set_is_placed_once_and_only_the_order_changes():
    images = _Watched().images
    fed = list(_feed(images, images.nbytes))
    for part, (epoch, first, n_steps) in zip(fed, _DISPATCHES, strict=True):
        assert part.images is fed[0].images
        assert (part.first, part.n_steps) == (first, n_steps)
        np.testing.assert_array_equal(part.order, _permutation(epoch)[0])
    np.testing.assert_array_equal(fed[0].images, batches.as_rows(images))


def test_one_byte_more_comes_in_chunks_of_the_rows_that_are_needed():
    images = _Watched()
    fed = list(_feed(images, images.nbytes - 1))
    for part, rows, dispatch in zip(fed, images.read, _DISPATCHES, strict=True):
        epoch, first, n_steps = dispatch
        wanted = _permutation(epoch)[0, _B * first :][: _B * n_steps]
        np.testing.assert_array_equal(rows, wanted)
        assert (part.first, part.n_steps) == (0, n_steps)
        # In the order of their use.
        np.testing.assert_array_equal(
            np.asarray(part.images)[np.asarray(part.order), 0], wanted
        )


def test_next_chunks_are_read_ahead_in_a_thread_of_their_own():
    images = _Watched()
    fed = _feed(images, 0)
    next(fed)
    # The second is placed by now, so the third is being read at least.
    assert len(images.read) >= 2
    assert threading.main_thread() not in images.threads
    fed.close()
    assert len(images.read) < len(_DISPATCHES)


def test_trouble_in_reading_is_raised_where_the_images_are_used():
    class Broken(_Watched):
        def __getitem__(self, rows):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        list(_feed(Broken(), 0))
