# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import traversals
from tests.figures import pages


def _images(n_dims, n_steps, size=8, n_channels=1):
    """Images whose pixels are n_steps * dimension + step, of 255."""
    values = np.arange(n_dims * n_steps, dtype=np.uint8)
    values = values.reshape(n_dims, n_steps, 1, 1, 1)
    return values * np.ones((size, size, n_channels), np.uint8)


class TraversalsTest(pages.FigureCase):
    @parameterized.parameters((8, 1), (64, 3))
    def test_rows_are_dimensions_and_columns_steps(self, size, n_channels):
        figure = self.draw(
            traversals.latent_traversals,
            [_images(d, 5, size, n_channels) for d in (3, 1)],
            np.linspace(-2, 2, 5),
        )
        for n_dims, sheet in zip((3, 1), self.sheets, strict=True):
            np.testing.assert_array_equal(
                pages.tiles(sheet, n_dims, 5),
                np.arange(5 * n_dims).reshape(n_dims, 5),
            )
        texts = pages.texts(figure)
        for text in ("−2", "−1"):  # others are also dimensions
            self.assertEqual(texts.count(text), 2)
        self.assertIn("Facet 1", texts)

    @parameterized.parameters(
        (1, 1, [1]), (2, 11, [2]), (4, 11, [2, 2]), (2, 31, [1, 1])
    )
    def test_panels_stand_beside_or_under_each_other(
        self, n_facets, n_steps, expected
    ):
        figure = self.draw(
            traversals.latent_traversals,
            [_images(5, n_steps)] * n_facets,
            np.linspace(-2.25, 2.25, n_steps),
        )
        self.assertEqual(pages.rows_of_axes(figure), expected)
        if n_steps == 31:  # of many columns some have a step
            texts = pages.texts(figure)
            self.assertEqual(texts.count("−2.25"), 2)
            self.assertEqual(texts.count("2.25"), 2)
            self.assertEqual(texts.count("−0.45"), 0)
