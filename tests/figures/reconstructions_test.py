# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import reconstructions, style
from tests.figures import pages


class ReconstructionsTest(pages.FigureCase):
    @parameterized.parameters((1, 1), (5, 5), (17, 14), (42, 14))
    def test_reconstructions_stand_under_their_inputs(self, n, n_columns):
        images = pages.plain(np.arange(n))
        figure = self.draw(
            reconstructions.reconstruction_pairs, images, images / 255 + 0.4
        )
        (sheet,) = self.sheets
        n_blocks = -(-n // n_columns)
        found = pages.tiles(sheet, 2 * n_blocks, n_columns)
        found = found.reshape(n_blocks, 2, n_columns)
        inputs, mirrored = found.swapaxes(0, 1).reshape(2, -1)
        np.testing.assert_array_equal(inputs[:n], np.arange(n))
        np.testing.assert_array_equal(mirrored[:n], 102 + np.arange(n))
        np.testing.assert_array_equal(inputs[n:], 255)  # the last may be short
        side = (sheet.shape[1] + 4) // n_columns - 4
        pair = 2 * side + 4
        self.assertLen(sheet, n_blocks * (pair + 24) - 24)
        np.testing.assert_array_equal(sheet[pair:][:24], 255)
        texts = pages.texts(figure)
        self.assertEqual(texts, ["input", "reconstruction"] * n_blocks)


def _page(n=2, size=8, n_channels=1, **changes):
    """A page whose tiles are 6 * row + column, of 255."""
    values = np.arange(6 * n).reshape(n, 3, 2)
    tiles = pages.plain(values, size, n_channels)
    page = reconstructions.SwapPage(
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
        self.draw(reconstructions.swapped_pairs, drawn)
        for n, sheet in zip((3, 1), self.sheets, strict=True):
            np.testing.assert_array_equal(
                pages.tiles(sheet, n, 6), np.arange(6 * n).reshape(n, 6)
            )
            side = (sheet.shape[1] - 5 * 4 - 2 * 12) // 6
            self.assertLen(sheet, n * (side + 4) - 4)
            between = sheet[:, 2 * side + 4 : 2 * side + 20]
            np.testing.assert_array_equal(between, 255)

    def test_texts_and_marks(self):
        figure = self.draw_twice(
            reconstructions.swapped_pairs,
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
        figure = self.draw(reconstructions.swapped_pairs, drawn)
        self.assertEqual(pages.rows_of_axes(figure), expected)
        lowest = min(a.get_position().y0 for a in figure.axes[: expected[0]])
        for axes in figure.axes[expected[0] :]:
            self.assertLess(axes.get_position().y1, lowest)


class TraversalsTest(pages.FigureCase):
    @parameterized.parameters((8, 1), (64, 3))
    def test_rows_are_dimensions_and_columns_steps(self, size, n_channels):
        values = [np.arange(5 * d).reshape(d, 5) for d in (3, 1)]
        figure = self.draw(
            reconstructions.latent_traversals,
            [pages.plain(v, size, n_channels) for v in values],
            np.linspace(-2, 2, 5),
        )
        for sheet, expected in zip(self.sheets, values, strict=True):
            np.testing.assert_array_equal(
                pages.tiles(sheet, len(expected), 5), expected
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
            reconstructions.latent_traversals,
            [np.zeros((5, n_steps, 8, 8, 1))] * n_facets,
            np.linspace(-2.25, 2.25, n_steps),
        )
        self.assertEqual(pages.rows_of_axes(figure), expected)
        if n_steps == 31:  # of many columns some have a step
            texts = pages.texts(figure)
            self.assertEqual(texts.count("−2.25"), 2)
            self.assertEqual(texts.count("2.25"), 2)
            self.assertEqual(texts.count("−0.45"), 0)
