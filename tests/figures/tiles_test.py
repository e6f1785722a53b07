# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import tiles


class SheetTest(parameterized.TestCase):
    def test_pixels_of_a_tile_are_those_of_its_image(self):
        images = np.random.default_rng(0).random((2, 3, 4, 5, 3), np.float32)
        sheet = tiles.sheet(images, scale=2, gap=3)
        self.assertEqual(sheet.shape, (2 * 8 + 3, 3 * 10 + 2 * 3, 3))
        self.assertEqual(sheet.dtype, np.uint8)
        tile = sheet[11:19, 26:36]  # row 1, column 2
        expected = np.round(images[1, 2] * 255)
        for i in range(2):
            for j in range(2):
                np.testing.assert_array_equal(tile[i::2, j::2], expected)
        for gap in (sheet[8:11], sheet[:, 10:13]):
            np.testing.assert_array_equal(gap, 255)

    def test_grey_becomes_three_equal_channels(self):
        images = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 2, 1)
        np.testing.assert_array_equal(
            tiles.sheet(images), images[0, 0].repeat(3, axis=-1)
        )

    def test_floats_are_clipped(self):
        images = np.array([-2.0, 0.5, 7.0]).reshape(1, 1, 1, 3, 1)
        np.testing.assert_array_equal(
            tiles.sheet(images)[0, :, 0], [0, 128, 255]
        )

    def test_tiles_of_nan_are_missing(self):
        images = np.zeros((1, 3, 2, 2, 1))
        images[0, :2] = np.nan
        sheet = tiles.sheet(images, gap=0)
        np.testing.assert_array_equal(sheet[..., 0], [[255] * 4 + [0] * 2] * 2)

    @parameterized.parameters(
        (8, 75, 9),
        (28, 75, 3),
        (28, 50, 2),
        (64, 75, 1),
        (28, 10, 2),
        (300, 75, 1),
        (1, 50, 50),
    )
    def test_scale(self, size, target, expected):
        self.assertEqual(tiles.scale_for(size, target), expected)

    def test_offsets(self):
        np.testing.assert_array_equal(
            tiles.offsets(5, 10, 2, (2, 7)), [0, 12, 31, 43, 62]
        )
