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
                ]
            )
        )
        np.testing.assert_array_equal(order, [5, 3, 4, 0, 2])

    def test_a_permuted_diagonal_becomes_diagonal(self):
        permutation = np.random.default_rng(0).permutation(8)
        table = np.diag(np.arange(1, 9))[permutation]
        order = confusion.block_order(table)
        np.testing.assert_array_equal(table[order], np.diag(np.arange(1, 9)))


class ConfusionTest(pages.FigureCase):
    def _draw(self, tables, **settings):
        return self.draw(confusion.confusion_matrices, tables, **settings)

    def test_colours_are_parts_of_the_rows_in_order(self):
        table = np.array([[0, 0, 0], [1, 0, 3], [2, 0, 0]])
        figure = self._draw([[table]], labelings=["digit"])
        (mesh,) = figure.axes[0].collections
        np.testing.assert_allclose(
            np.asarray(mesh.get_array()), [[1, 0, 0], [0.25, 0, 0.75]]
        )
        texts = pages.texts(figure)
        self.assertIn("Facet 0 × digit", texts)
        self.assertIn(
            "83.3 % many-to-one, 2 of 3 clusters in use", " ".join(texts)
        )
        for text in ("k", "n", "0", "1", "2", "4"):  # classes, indices, sizes
            self.assertIn(text, texts)
        self.assertEqual(_counts(figure.axes[0]), ["2", "1", "3"])

    def test_counts_are_left_out_where_they_do_not_fit(self):
        few = self._draw([[np.full((2, 4), 1234567)]], labelings=["a"])
        both = self._draw(
            [[np.full((2, 60), 12345), np.full((2, 4), 12345)]],
            labelings=["a", "b"],
        )
        self.assertLen(_counts(few.axes[0]), 8)
        self.assertEmpty(_counts(both.axes[0]))
        self.assertLen(_counts(both.axes[1]), 8)

    @parameterized.parameters((2, 10), (10, 10, 4), (40, 3))
    def test_labelings_share_the_width_of_the_page(self, *n_classes):
        figure = self._draw(
            [[np.ones((3, n)) for n in n_classes]],
            labelings=["labeling"] * len(n_classes),
        )
        self.assertLessEqual(figure.get_size_inches()[0], style.WIDTH + 0.01)

    def test_cells_have_one_height_in_all_maps(self):
        tables = [[np.ones((3, 4))], [np.ones((9, 4))]]
        one, other = self._draw(tables, labelings=["a"]).axes
        self.assertAlmostEqual(
            3 * one.get_position().height, other.get_position().height, 2
        )
