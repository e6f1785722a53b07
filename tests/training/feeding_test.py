# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Feeding: what is read, when, and from where. Results: see devices_test."""

import threading

import jax
import numpy as np
from absl.testing import absltest

from mfcvae_jax.datasets import batches
from mfcvae_jax.training import devices, feeding
from tests.training import device_cases

_N, _B = 40, 8


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


class FeedTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.program = devices.Program(
            device_cases.make_stepper("dense"), _B, devices=jax.devices()[:1]
        )
        self.dispatches = [
            feeding.Dispatch(0, 0, 3),
            feeding.Dispatch(0, 3, 2),
            feeding.Dispatch(1, 0, 3),
            feeding.Dispatch(1, 3, 2),
        ]

    def _permutation(self, epoch):
        return np.random.default_rng(epoch).permutation(_N)[None]

    def _wanted(self, dispatch):
        first, n = dispatch.first, dispatch.n_steps
        return self._permutation(dispatch.epoch)[0][_B * first :][: _B * n]

    def _feed(self, images, on_device_bytes):
        return feeding.feed(
            self.program,
            images,
            self._permutation,
            self.dispatches,
            on_device_bytes,
        )

    def test_small_set_is_placed_once_and_only_the_order_changes(self):
        images = _Watched().images
        fed = list(self._feed(images, images.nbytes))
        self.assertEqual([part.dispatch for part in fed], self.dispatches)
        for part in fed:
            self.assertIs(part.images, fed[0].images)
            self.assertEqual(part.first, part.dispatch.first)
            np.testing.assert_array_equal(
                part.order, self._permutation(part.dispatch.epoch)[0]
            )
        np.testing.assert_array_equal(fed[0].images, batches.as_rows(images))

    def test_one_byte_more_comes_in_chunks_of_the_rows_that_are_needed(self):
        images = _Watched()
        fed = list(self._feed(images, images.nbytes - 1))
        self.assertEqual([part.dispatch for part in fed], self.dispatches)
        for part, rows in zip(fed, images.read, strict=True):
            wanted = self._wanted(part.dispatch)
            np.testing.assert_array_equal(rows, wanted)
            self.assertEqual(part.first, 0)
            # In the order of their use.
            np.testing.assert_array_equal(
                np.asarray(part.images)[np.asarray(part.order), 0], wanted
            )

    def test_next_chunks_are_read_ahead_in_a_thread_of_their_own(self):
        images = _Watched()
        fed = self._feed(images, 0)
        next(fed)
        # The second is placed by now, so the third is being read at least.
        self.assertGreaterEqual(len(images.read), 2)
        self.assertNotIn(threading.main_thread(), images.threads)
        fed.close()
        self.assertLess(len(images.read), len(self.dispatches))

    def test_trouble_in_reading_is_raised_where_the_images_are_used(self):
        class Broken(_Watched):
            def __getitem__(self, rows):
                raise OSError("the disk is gone")

        with self.assertRaisesRegex(OSError, "disk is gone"):
            list(self._feed(Broken(), 0))

    def test_nothing_to_feed(self):
        self.dispatches = []
        self.assertEqual(list(self._feed(_Watched(), 0)), [])
