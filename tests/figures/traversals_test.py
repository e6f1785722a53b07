# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import traversals
from tests.figures import pages

_STEPS = np.linspace(-2, 2, 5)


def _images(n_dims, n_steps=5, size=8, n_channels=1):
    """Images whose pixels are n_steps * dimension + step, of 255."""
    values = np.arange(n_dims * n_steps, dtype=np.uint8)
    values = values.reshape(n_dims, n_steps, 1, 1, 1)
    return values * np.ones((size, size, n_channels), np.uint8)


class TraversalsTest(pages.FigureCase):
    def _draw(self, facets, steps=_STEPS):
        return self.draw(traversals.latent_traversals, facets, steps)

    @parameterized.product(size=[8, 64], n_channels=[1, 3])
    def test_rows_are_dimensions_and_columns_steps(self, size, n_channels):
        figure = self._draw(
            [_images(d, size=size, n_channels=n_channels) for d in (3, 1)]
        )
        sheets = pages.sheets(figure, self.path)
        for n_dims, sheet in zip((3, 1), sheets, strict=True):
            np.testing.assert_array_equal(
                pages.tiles(sheet, n_dims, 5),
                np.arange(5 * n_dims).reshape(n_dims, 5),
            )
        texts = pages.texts(figure)
        for text in ("−2", "−1"):  # others are also dimensions
            self.assertEqual(texts.count(text), 2)
        self.assertIn("Facet 1", texts)

    def test_of_many_columns_some_have_a_step(self):
        steps = np.linspace(-2.5, 2.5, 31)
        texts = pages.texts(self._draw([_images(2, 31)] * 2, steps))
        self.assertEqual(texts.count("−2.5"), 2)
        self.assertEqual(texts.count("2.5"), 2)
        self.assertEqual(texts.count("−0.5"), 0)

    @parameterized.parameters(
        (2, 5, (2, 1)), (2, 11, (2, 1)), (4, 11, (2, 2)), (2, 31, (1, 2))
    )
    def test_panels_stand_beside_or_under_each_other(
        self, n_facets, n_steps, expected
    ):
        figure = self._draw(
            [_images(2, n_steps)] * n_facets, np.arange(n_steps)
        )
        boxes = [axes.get_position() for axes in figure.axes]
        self.assertLen({round(box.x0, 6) for box in boxes}, expected[0])
        self.assertLen({round(box.y0, 6) for box in boxes}, expected[1])
