# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import clusters
from tests.figures import pages


class OrderTest(parameterized.TestCase):
    @parameterized.parameters(1, 7)
    def test_agrees_with_sorting_each_cluster_by_itself(self, n_components):
        rng = np.random.default_rng(1)
        resp = rng.dirichlet(np.full(n_components, 0.3), 200)
        order = clusters.order_clusters(resp)
        self.assertEqual(order.n_components, n_components)
        assigned = resp.argmax(1)
        means = {k: resp[assigned == k, k].mean() for k in set(assigned)}
        self.assertSequenceEqual(
            list(order.components), sorted(means, key=means.get, reverse=True)
        )
        for k, members in zip(order.components, order.members, strict=True):
            self.assertCountEqual(members, np.flatnonzero(assigned == k))
            self.assertTrue((np.diff(resp[members, k]) <= 0).all())

    def test_ties_go_to_the_lower_index(self):
        order = clusters.order_clusters(np.eye(2)[[1, 0, 1, 0]])
        np.testing.assert_array_equal(order.components, [0, 1])
        np.testing.assert_array_equal(order.members, [[1, 3], [0, 2]])


class ExamplesTest(pages.FigureCase):
    @parameterized.parameters(
        (1, (6, 5, 1), 1), (2, (8, 16, 3), 4), (3, (64, 40, 3), 4)
    )
    def test_tiles_are_the_images_pixel_by_pixel(self, n_facets, size, n_shown):
        rng = np.random.default_rng(n_facets)
        images = rng.random((60, *size))
        resp = [rng.dirichlet(np.full(4 + j, 0.1), 60) for j in range(n_facets)]
        figure = self.draw(
            clusters.cluster_examples,
            images,
            resp,
            n_rows=3,
            n_columns=n_shown,
        )
        texts = pages.texts(figure)
        self.assertLen(self.sheets, n_facets)
        for sheet, probabilities in zip(self.sheets, resp, strict=True):
            order = clusters.order_clusters(probabilities)
            used = f"{len(order.components)} of {order.n_components} clusters"
            if n_shown > 1:  # under one column there is no room
                self.assertIn(f"{used} in use; 3 shown", texts)
            height, width, _ = size
            scale = (sheet.shape[1] + 4) // n_shown // width
            example = images[order.members[0][0]]
            np.testing.assert_array_equal(
                sheet[: height * scale : scale, : width * scale : scale],
                np.round(example * 255) * np.ones(3),
            )

    def test_rows_columns_and_missing_members(self):
        # Cluster 2 has members 0, 1, 2; cluster 0 has 3; cluster 1 none.
        resp = np.array(
            [[0.0, 0.0, 1.0], [0.1, 0.0, 0.9], [0.0, 0.2, 0.8], [0.6, 0.4, 0.0]]
        )
        figure = self.draw(
            clusters.cluster_examples,
            pages.plain(np.arange(4)),
            [resp],
            n_rows=None,
            n_columns=3,
        )
        np.testing.assert_array_equal(
            pages.tiles(self.sheets[0], 2, 3), [[0, 1, 2], [3, 255, 255]]
        )
        place = {t.get_text(): t.xy[1] for t in figure.axes[0].texts}
        self.assertLess(place["2"], place["0"])
        texts = pages.texts(figure)
        self.assertIn("2 of 3 clusters in use; all shown", texts)
        self.assertCountEqual(
            [text for text in texts if text.isdigit()], ["2", "0", "3", "1"]
        )


def _samples(n_components):
    """Three samples each, whose pixels are their component, of 255."""
    return pages.plain(np.arange(n_components)[:, None].repeat(3, axis=1))


class SamplesTest(pages.FigureCase):
    def _rows(self, n_rows):
        """Which components stand in the rows of each sheet."""
        return [
            pages.tiles(sheet, n, 3)[:, 0].tolist()
            for sheet, n in zip(self.sheets, n_rows, strict=True)
        ]

    def test_rows_are_components_in_order(self):
        self.draw(
            clusters.cluster_samples,
            [_samples(4), _samples(1)],
            titles=[pages.WORD * 3, pages.WORDS * 4],
        )
        self.assertEqual(self._rows([4, 1]), [[0, 1, 2, 3], [0]])

    def test_rows_follow_the_orders(self):
        figure = self.draw(
            clusters.cluster_samples,
            [_samples(5), _samples(3)],
            orders=[[4, 0, 2], [1, 2, 0]],
            n_rows=2,
        )
        self.assertEqual(self._rows([2, 2]), [[4, 0], [1, 2]])
        texts = pages.texts(figure)
        self.assertIn("2 of 5 clusters shown", texts)
        self.assertIn("2 of 3 clusters shown", texts)
        self.assertCountEqual(
            [t for t in texts if t.isdigit()], ["4", "0", "1", "2"]
        )

    def test_tiles_stand_where_those_of_the_examples_stand(self):
        resp = np.eye(12)[np.arange(48) % 12]
        examples = self.draw(
            clusters.cluster_examples, np.zeros((48, 8, 8, 1)), [resp] * 2
        )
        drawn = self.draw(
            clusters.cluster_samples,
            [np.zeros((12, 10, 8, 8, 1))] * 2,
            orders=[clusters.order_clusters(resp).components] * 2,
        )
        for one, other in zip(examples.axes, drawn.axes, strict=True):
            np.testing.assert_allclose(
                one.get_position().bounds,
                other.get_position().bounds,
                atol=1e-3,
            )


class GridTest(pages.FigureCase):
    @parameterized.parameters(
        (3, 4, 8, 1), (1, 1, 8, 1), (1, 20, 64, 3), (12, 2, 28, 3)
    )
    def test_tiles_stand_at_their_row_and_column(
        self, n_rows, n_columns, size, n_channels
    ):
        values = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
        self.draw(
            clusters.facet_grid,
            pages.plain(values, size, n_channels),
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
            clusters.facet_grid,
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
            clusters.facet_grid,
            np.zeros((1, 10, 8, 8, 1)),
            ["r"],
            [text] * 10,
            row_title="",
            column_title="digit",
        )
        labels = figure.axes[0].get_xticklabels()
        self.assertEqual({t.get_rotation() for t in labels}, {expected})
