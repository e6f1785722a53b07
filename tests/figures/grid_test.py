# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import grid
from tests.figures import pages


class GridTest(pages.FigureCase):
    @parameterized.parameters(
        (3, 4, 8, 1), (1, 1, 8, 1), (1, 20, 64, 3), (12, 2, 28, 3)
    )
    def test_tiles_stand_at_their_row_and_column(
        self, n_rows, n_columns, size, n_channels
    ):
        values = np.arange(n_rows * n_columns, dtype=np.uint8)
        values = values.reshape(n_rows, n_columns)
        self.draw(
            grid.facet_grid,
            values[..., None, None, None]
            * np.ones((size, size, n_channels), np.uint8),
            [f"{pages.WORD} {pages.WORDS}"] * n_rows,
            [f"cluster {q} of a facet and more" for q in range(n_columns)],
            row_title=pages.WORDS * 3,
            column_title=pages.WORDS * 3,
        )
        np.testing.assert_array_equal(
            pages.tiles(self.sheets[0], n_rows, n_columns), values
        )

    def test_texts_stand_over_and_beside_their_tiles(self):
        figure = self.draw(
            grid.facet_grid,
            np.zeros((2, 3, 8, 8, 1)),
            ["r0", "r1"],
            ["x", "y", "z"],
            row_title="colour",
            column_title="digit",
        )
        (axes,) = figure.axes
        image = axes.images[0].get_window_extent()
        texts = (*figure.texts, *axes.texts, *axes.get_xticklabels())
        boxes = {text.get_text(): text.get_window_extent() for text in texts}
        for q, text in enumerate("xyz"):
            box = boxes[text]
            wanted = image.x0 + image.width * (2 * q + 1) / 6
            self.assertAlmostEqual((box.x0 + box.x1) / 2, wanted, delta=3)
            self.assertGreater(box.y0, image.y1)
        self.assertGreater(boxes["r0"].y0, boxes["r1"].y1)
        self.assertLess(boxes["r0"].x1, image.x0)
        self.assertLess(boxes["colour"].x1, boxes["r0"].x0)

    @parameterized.parameters(("a b c d e f g h", 0), ("abcdefghijkl", 90))
    def test_only_too_wide_columns_stand_upright(self, text, expected):
        figure = self.draw(
            grid.facet_grid,
            np.zeros((1, 10, 8, 8, 1)),
            ["r"],
            [text] * 10,
            row_title="",
            column_title="digit",
        )
        labels = figure.axes[0].get_xticklabels()
        self.assertEqual({t.get_rotation() for t in labels}, {expected})
