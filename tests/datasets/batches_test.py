# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of batches drawn on the device."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mfcvae_jax.datasets import batches

_SHAPE = (2, 3, 2)


def _numbered_rows(n_examples):
    """Rows of images whose pixels all hold their own index."""
    index = np.arange(n_examples, dtype=np.uint8)
    images = np.tile(index[:, None, None, None], (1, *_SHAPE))
    return jnp.asarray(batches.as_rows(images))


class AsFloatTest(parameterized.TestCase):
    def test_bytes_are_divided_by_255(self):
        values = np.arange(256, dtype=np.uint8)
        result = batches.as_float(jnp.asarray(values))
        self.assertEqual(result.dtype, jnp.float32)
        np.testing.assert_allclose(result, values / 255.0, rtol=1e-7)
        self.assertEqual(float(result[255]), 1.0)

    @parameterized.parameters(jnp.float32, jnp.bfloat16)
    def test_floats_pass_through(self, dtype):
        images = jnp.linspace(0.0, 1.0, 7, dtype=dtype)
        self.assertIs(batches.as_float(images), images)

    def test_other_integers_are_refused(self):
        with self.assertRaisesRegex(ValueError, "uint8.*got int32"):
            batches.as_float(jnp.arange(3))


class EpochPermutationTest(parameterized.TestCase):
    def test_key_and_epoch_settle_the_order(self):
        orders = [
            tuple(draw(jax.random.key(seed), epoch, 50).tolist())
            for draw in (
                batches.epoch_permutation,
                jax.jit(batches.epoch_permutation, static_argnums=2),
            )
            for seed in range(3)
            for epoch in range(4)
        ]
        self.assertLen(set(orders), 12)
        self.assertEqual(orders[:12], orders[12:])

    def test_every_example_is_left_out_about_as_often(self):
        # 7 examples in batches of 3: one is left out of each epoch.
        draw = functools.partial(
            batches.epoch_permutation, jax.random.key(0), n_examples=7
        )
        counts = np.bincount(jax.vmap(draw)(jnp.arange(700))[:, 6], minlength=7)
        # 100 expected, standard deviation 9.3.
        np.testing.assert_allclose(counts, 100, atol=40)


class NBatchesTest(parameterized.TestCase):
    @parameterized.parameters(
        (60000, 512, 117), (10, 5, 2), (10, 4, 2), (10, 10, 1), (1, 1, 1)
    )
    def test_short_batch_is_left_out(self, n_examples, batch_size, expected):
        self.assertEqual(batches.n_batches(n_examples, batch_size), expected)

    @parameterized.parameters(11, 0, -1)
    def test_impossible_batch_size(self, batch_size):
        with self.assertRaisesRegex(
            ValueError, f"train.batch_size.* 10 .*got {batch_size}"
        ):
            batches.n_batches(10, batch_size)


class TakeBatchTest(parameterized.TestCase):
    @parameterized.parameters((20, 4), (23, 5), (7, 7), (5, 1))
    def test_epoch_visits_an_example_at_most_once(self, n_examples, batch_size):
        rows = _numbered_rows(n_examples)
        n_batches = batches.n_batches(n_examples, batch_size)

        @jax.jit
        def epoch_of(key):
            order = batches.epoch_permutation(key, 0, n_examples)

            def step(carry, index):
                return carry, batches.take_batch(
                    rows, order, index, batch_size, _SHAPE
                )

            return jax.lax.scan(step, None, jnp.arange(n_batches))[1]

        seen = np.asarray(epoch_of(jax.random.key(1)))
        self.assertEqual(seen.shape, (n_batches, batch_size, *_SHAPE))
        self.assertEqual(seen.dtype, np.uint8)
        # Whole images arrive: each holds one number.
        np.testing.assert_array_equal(seen.min((2, 3, 4)), seen.max((2, 3, 4)))
        visited = seen[..., 0, 0, 0].ravel()
        self.assertLen(set(visited.tolist()), n_batches * batch_size)

    def test_pixels_and_channels_keep_their_places_in_any_order_of_rows(self):
        images = np.random.default_rng(0).random((9, *_SHAPE), np.float32)
        rows = jnp.asarray(batches.as_rows(images))
        for order in (np.random.default_rng(1).permutation(9), [4, 1, 0, 3]):
            found = batches.take_batch(rows, jnp.array(order), 1, 2, _SHAPE)
            np.testing.assert_array_equal(found, images[order[2:4]])

    def test_rows_of_other_images_are_refused(self):
        with self.assertRaisesRegex(AssertionError, "shape"):
            batches.take_batch(
                _numbered_rows(5), jnp.arange(4), 0, 2, (9, 9, 2)
            )


class AsRowsTest(parameterized.TestCase):
    @parameterized.parameters(
        ((5, 28, 28, 1), 896), ((2, 3, 8, 8, 1), 128), ((4, 32, 32, 3), 3072)
    )
    def test_rows_are_whole_lanes(self, shape, length):
        images = np.random.default_rng(0).integers(1, 256, shape, np.uint8)
        rows = batches.as_rows(images)
        n_pixels = np.prod(shape[-3:])
        self.assertEqual(rows.shape, (*shape[:-3], length))
        self.assertEqual(batches.row_length(shape[-3:]), length)
        np.testing.assert_array_equal(
            rows[..., :n_pixels].reshape(shape), images
        )
        self.assertFalse(rows[..., n_pixels:].any())

    def test_nothing_is_copied_if_nothing_is_added(self):
        images = np.zeros((2, 8, 8, 2), np.uint8)
        self.assertTrue(np.shares_memory(batches.as_rows(images), images))
