# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import confusion, style
from tests.figures import pages


def _counts(axes):
    """What is written inside the cells of a map."""
    return [t.get_text() for t in axes.texts if not hasattr(t, "xy")]


class BlockOrderTest(parameterized.TestCase):
    def test_by_class_then_purity_without_empty_clusters(self):
        order = confusion.block_order(
            np.array(
                [
                    [0, 6, 4],  # class 1, 60 % pure
                    [0, 0, 0],
                    [1, 0, 9],  # class 2, 90 %
                    [5, 5, 0],  # a tie goes to class 0, 50 %
                    [0, 2, 0],  # class 1, 100 %
                    [3, 0, 0],  # class 0, 100 %
                    [7, 0, 0],  # the same: a tie goes to the lower index
                ]
            )
        )
        np.testing.assert_array_equal(order, [5, 6, 3, 4, 0, 2])


class ConfusionTest(pages.FigureCase):
    def test_colours_are_parts_of_the_rows_in_order(self):
        table = np.array([[0, 0, 0], [1, 0, 3], [2, 0, 0]])
        figure = self.draw_twice(
            confusion.confusion_matrices, [[table]], labelings=["digit"]
        )
        (mesh,) = figure.axes[0].collections
        np.testing.assert_allclose(
            np.asarray(mesh.get_array()), [[1, 0, 0], [0.25, 0, 0.75]]
        )
        texts = pages.texts(figure)
        caption = "83.3 % many-to-one, 2 of 3 clusters in use"
        # With classes, indices and sizes.
        for text in ("Facet 0 × digit", caption, "k", "n", "0", "1", "2", "4"):
            self.assertIn(text, texts)
        self.assertEqual(_counts(figure.axes[0]), ["2", "1", "3"])

    @parameterized.parameters(
        ((1,), 9), ((2, 10), 9900), ((10, 10, 4), 99), ((40, 4), 12345)
    )
    def test_labelings_share_the_width_of_the_page(self, n_classes, largest):
        rng = np.random.default_rng(0)
        tables = [
            [rng.integers(1, largest, (n, k)) for k in n_classes]
            for n in (3, 9)
        ]
        figure = self.draw(
            confusion.confusion_matrices,
            tables,
            labelings=[f"{pages.WORDS} {m}" for m in range(len(n_classes))],
        )
        self.assertLessEqual(figure.get_size_inches()[0], style.WIDTH + 0.01)
        maps = np.reshape(figure.axes, (2, -1))
        # Cells have one height in all maps.
        first, second = (axes.get_position().height for axes in maps[:, 0])
        self.assertAlmostEqual(3 * first, second, places=2)
        # Counts are left out where they do not fit.
        n_written = [len(_counts(axes)) for axes in maps[1]]
        expected = [0 if k == 40 else 9 * k for k in n_classes]
        self.assertEqual(n_written, expected)
