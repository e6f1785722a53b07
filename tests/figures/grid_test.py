# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.figures import grid
from tests.figures import pages


class GridTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder) / "figure.png"

    def _draw(self, images, rows, columns, path=None, **titles):
        titles = {"row_title": "colour", "column_title": "digit", **titles}
        with pages.captured() as figures:
            grid.facet_grid(images, rows, columns, path or self.path, **titles)
        return figures[0]

    @parameterized.product(size=[8, 28, 64], n_channels=[1, 3])
    def test_tiles_stand_at_their_row_and_column(self, size, n_channels):
        values = np.arange(12, dtype=np.uint8).reshape(3, 4, 1, 1, 1)
        images = values * np.ones((size, size, n_channels), np.uint8)
        figure = self._draw(images, list("abc"), list("defg"))
        ((given, drawn),) = pages.sheets(figure, self.path)
        np.testing.assert_array_equal(given, drawn)
        side = (given.shape[1] - 3 * 4) // 4
        centres = side // 2 + (side + 4) * np.arange(4)
        np.testing.assert_array_equal(
            drawn[centres[:3]][:, centres, 0], values[..., 0, 0, 0]
        )
        self.assertEqual(drawn.shape[0], 3 * side + 2 * 4)

    def test_texts_stand_over_and_beside_their_tiles(self):
        figure = self._draw(
            np.zeros((2, 3, 8, 8, 1)), ["r0", "r1"], ["x", "y", "z"]
        )
        place = {t.get_text(): t.get_position() for t in figure.texts}
        box = figure.axes[0].get_position()
        centres = box.x0 + box.width * np.array([1, 3, 5]) / 6
        np.testing.assert_allclose(
            [place[text][0] for text in "xyz"], centres, atol=0.01
        )
        self.assertGreater(place["x"][1], box.y1)
        self.assertGreater(place["digit"][1], place["x"][1])
        self.assertGreater(place["r0"][1], place["r1"][1])
        self.assertLess(place["r0"][0], box.x0)
        self.assertLess(place["colour"][0], place["r0"][0])

    @parameterized.parameters(
        (1, 1, 8), (1, 20, 64), (12, 2, 28), (10, 10, 28), (4, 30, 8)
    )
    def test_long_texts_are_apart(self, n_rows, n_columns, size):
        figure = self._draw(
            np.zeros((n_rows, n_columns, size, size, 3)),
            ["Donaudampfschifffahrtsgesellschaft and more words"] * n_rows,
            [f"cluster {q} of a facet and more" for q in range(n_columns)],
            row_title="A title of the rows that takes many words " * 3,
            column_title="A title of the columns of many words " * 3,
        )
        self.assertEmpty(pages.clashes(figure))

    def test_only_too_wide_columns_stand_upright(self):
        images = np.zeros((1, 10, 8, 8, 1))
        for text, expected in (("a b c d e f g h", 0), ("abcdefghijkl", 90)):
            figure = self._draw(images, ["r"], [text] * 10, row_title="")
            self.assertEqual(
                {t.get_rotation() for t in figure.texts if "a" in t.get_text()},
                {expected},
            )

    def test_two_drawings_are_the_same(self):
        images = np.random.default_rng(0).random((2, 2, 8, 8, 3))
        other = self.path.with_name("other.png")
        self._draw(images, ["a", "b"], ["c", "d"])
        self._draw(images, ["a", "b"], ["c", "d"], other)
        self.assertEqual(self.path.read_bytes(), other.read_bytes())

    @parameterized.named_parameters(
        ("rank", (2, 4, 4, 1), ["a", "b"], ["c"], r"\(2, 4, 4, 1\)"),
        ("rows", (2, 1, 4, 4, 1), ["a"], ["c"], r"rows.*2 rows.*\['a'\]"),
        ("columns", (1, 2, 4, 4, 1), ["a"], ["c"], r"2 columns.*\['c'\]"),
        ("text", (2, 1, 4, 4, 1), "ab", ["c"], "'ab'"),
    )
    def test_refuses(self, shape, rows, columns, came):
        with self.assertRaisesRegex(ValueError, came):
            self._draw(np.zeros(shape), rows, columns)
        self.assertFalse(self.path.exists())


if __name__ == "__main__":
    absltest.main()
