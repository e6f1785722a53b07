# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import grid
from tests.figures import pages


class GridTest(pages.FigureCase):
    def _draw(self, images, rows, columns, **titles):
        titles = {"row_title": "colour", "column_title": "digit", **titles}
        return self.draw(grid.facet_grid, images, rows, columns, **titles)

    @parameterized.product(size=[8, 64], n_channels=[1, 3])
    def test_tiles_stand_at_their_row_and_column(self, size, n_channels):
        values = np.arange(12, dtype=np.uint8).reshape(3, 4, 1, 1, 1)
        images = values * np.ones((size, size, n_channels), np.uint8)
        figure = self._draw(images, list("abc"), list("defg"))
        (sheet,) = pages.sheets(figure, self.path)
        np.testing.assert_array_equal(
            pages.tiles(sheet, 3, 4), values[..., 0, 0, 0]
        )

    def test_texts_stand_over_and_beside_their_tiles(self):
        figure = self._draw(
            np.zeros((2, 3, 8, 8, 1)), ["r0", "r1"], ["x", "y", "z"]
        )
        (axes,) = figure.axes
        image = axes.images[0].get_window_extent()
        boxes = {
            text.get_text(): text.get_window_extent()
            for text in (
                *figure.texts,
                *axes.texts,
                *axes.get_xticklabels(),
            )
        }
        for q, text in enumerate("xyz"):
            box = boxes[text]
            wanted = image.x0 + image.width * (2 * q + 1) / 6
            self.assertAlmostEqual((box.x0 + box.x1) / 2, wanted, delta=3)
            self.assertGreater(box.y0, image.y1)
        self.assertGreater(boxes["r0"].y0, boxes["r1"].y1)
        self.assertLess(boxes["r0"].x1, image.x0)
        self.assertLess(boxes["colour"].x1, boxes["r0"].x0)

    def test_only_too_wide_columns_stand_upright(self):
        images = np.zeros((1, 10, 8, 8, 1))
        for text, expected in (("a b c d e f g h", 0), ("abcdefghijkl", 90)):
            figure = self._draw(images, ["r"], [text] * 10, row_title="")
            labels = figure.axes[0].get_xticklabels()
            self.assertEqual({t.get_rotation() for t in labels}, {expected})
