# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import style, swaps
from tests.figures import pages


def _page(n=2, size=8, n_channels=1, **changes):
    """A page whose tiles are 6 * row + column, of 255."""
    tiles = np.arange(6 * n, dtype=np.uint8).reshape(n, 3, 2, 1, 1, 1)
    tiles = tiles * np.ones((size, size, n_channels), np.uint8)
    page = swaps.SwapPage(
        title="Facet 1",
        inputs=tiles[:, 0],
        reconstructions=tiles[:, 1] / 255,
        swapped=tiles[:, 2] / np.float32(255),
        labels=tuple(f"{p} and {p}" for p in range(n)),
        facet=1,
    )
    return page._replace(**changes)


class SwapsTest(pages.FigureCase):
    @parameterized.parameters((8, 1), (64, 3))
    def test_tiles_stand_in_three_groups_of_two(self, size, n_channels):
        drawn = [_page(n, size, n_channels) for n in (3, 1)]
        self.draw(swaps.swapped_pairs, drawn)
        for n, sheet in zip((3, 1), self.sheets, strict=True):
            side = (sheet.shape[1] - 5 * 4 - 2 * 12) // 6
            columns = side // 2 + (side + 4) * np.arange(6)
            columns += 12 * (np.arange(6) // 2)
            rows = side // 2 + (side + 4) * np.arange(n)
            np.testing.assert_array_equal(
                sheet[rows][:, columns, 0], np.arange(6 * n).reshape(n, 6)
            )
            between = sheet[:, 2 * side + 4 : 2 * side + 20]
            np.testing.assert_array_equal(between, 255)

    def test_texts_and_marks(self):
        figure = self.draw_twice(
            swaps.swapped_pairs,
            [_page(), _page(title="Those that fail", facet=-1)],
        )
        texts = pages.texts(figure)
        for text in ("x1", "x2", "rec. 1", "rec. 2", "swap 1", "swap 2"):
            self.assertEqual(texts.count(text), 2)
        self.assertIn("Those that fail", texts)
        self.assertEqual(texts.count("1 and 1"), 2)
        # Only the first panel has the mark of a facet.
        (mark,) = figure.findobj(
            lambda artist: getattr(artist, "get_text", str)() == "■"
        )
        self.assertEqual(mark.get_color(), style.facet_colour(1))

    @parameterized.parameters((1, [1]), (3, [3]), (4, [2, 2]), (5, [3, 2]))
    def test_at_most_three_pages_stand_beside_each_other(self, n, expected):
        # The first page of all has most rows.
        drawn = [
            _page(
                n_pairs,
                title=f"Facet {pages.WORDS}",
                labels=("cube to a sphere of this and that", "", "7")[:n_pairs],
            )
            for n_pairs in (3, 3, 2, 1, 1)[:n]
        ]
        figure = self.draw(swaps.swapped_pairs, drawn)
        self.assertEqual(pages.rows_of_axes(figure), expected)
        lowest = min(a.get_position().y0 for a in figure.axes[: expected[0]])
        for axes in figure.axes[expected[0] :]:
            self.assertLess(axes.get_position().y1, lowest)
