# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import clusters
from tests.figures import pages


def _one_image_per_index(n, size=4):
    """Images that tell which they are: all pixels are index / 255."""
    return np.broadcast_to(
        np.arange(n, dtype=np.uint8)[:, None, None, None], (n, size, size, 1)
    )


class OrderTest(parameterized.TestCase):
    def test_rows_by_mean_and_members_by_confidence(self):
        order = clusters.order_clusters(
            np.array(
                [
                    [0.6, 0.4, 0.0],
                    [0.1, 0.9, 0.0],
                    [0.8, 0.2, 0.0],
                    [0.0, 1.0, 0.0],
                    [0.7, 0.3, 0.0],
                ]
            )
        )
        np.testing.assert_array_equal(order.components, [1, 0])
        np.testing.assert_array_equal(order.members[0], [3, 1])
        np.testing.assert_array_equal(order.members[1], [2, 4, 0])
        self.assertEqual(order.n_components, 3)

    def test_agrees_with_sorting_each_cluster_by_itself(self):
        rng = np.random.default_rng(1)
        resp = rng.dirichlet(np.full(7, 0.3), 200)
        order = clusters.order_clusters(resp)
        assigned = resp.argmax(1)
        means = {k: resp[assigned == k, k].mean() for k in set(assigned)}
        self.assertSequenceEqual(
            list(order.components), sorted(means, key=means.get, reverse=True)
        )
        for k, members in zip(order.components, order.members, strict=True):
            self.assertCountEqual(members, np.flatnonzero(assigned == k))
            self.assertTrue((np.diff(resp[members, k]) <= 0).all())

    def test_permuting_components_permutes_the_rows(self):
        rng = np.random.default_rng(2)
        resp = rng.dirichlet(np.ones(5), 60)
        permutation = rng.permutation(5)
        one = clusters.order_clusters(resp)
        other = clusters.order_clusters(resp[:, permutation])
        np.testing.assert_array_equal(
            permutation[other.components], one.components
        )
        for a, b in zip(one.members, other.members, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_ties_go_to_the_lower_index(self):
        order = clusters.order_clusters(np.eye(2)[[1, 0, 1, 0]])
        np.testing.assert_array_equal(order.components, [0, 1])
        np.testing.assert_array_equal(order.members[0], [1, 3])
        np.testing.assert_array_equal(order.members[1], [0, 2])

    def test_one_component(self):
        order = clusters.order_clusters(np.ones((3, 1), np.float32))
        np.testing.assert_array_equal(order.components, [0])
        np.testing.assert_array_equal(order.members[0], [0, 1, 2])


class ExamplesTest(pages.FigureCase):
    def _draw(self, images, resp, **settings):
        return self.draw(clusters.cluster_examples, images, resp, **settings)

    @parameterized.product(n_facets=[1, 3], n_channels=[1, 3])
    def test_tiles_are_the_images_pixel_by_pixel(self, n_facets, n_channels):
        rng = np.random.default_rng(n_facets)
        images = rng.random((60, 6, 5, n_channels))
        resp = [rng.dirichlet(np.full(4 + j, 0.1), 60) for j in range(n_facets)]
        figure = self._draw(images, resp, n_rows=3, n_columns=4)
        sheets = pages.sheets(figure, self.path)
        self.assertLen(sheets, n_facets)
        for sheet, probabilities in zip(sheets, resp, strict=True):
            order = clusters.order_clusters(probabilities)
            scale = (sheet.shape[1] + 4) // 4 // 5
            example = images[order.members[0][0]]
            np.testing.assert_array_equal(
                sheet[: 6 * scale : scale, : 5 * scale : scale],
                np.round(example * 255) * np.ones(3),
            )

    def test_rows_columns_and_missing_members(self):
        # Cluster 2 has members 0, 1, 2; cluster 0 has 3; cluster 1 none.
        resp = np.array(
            [[0.0, 0.0, 1.0], [0.1, 0.0, 0.9], [0.0, 0.2, 0.8], [0.6, 0.4, 0.0]]
        )
        images = _one_image_per_index(4)
        figure = self._draw(images, [resp], n_columns=3)
        (sheet,) = pages.sheets(figure, self.path)
        np.testing.assert_array_equal(
            pages.tiles(sheet, 2, 3), [[0, 1, 2], [3, 255, 255]]
        )
        place = {t.get_text(): t.xy[1] for t in figure.axes[0].texts}
        self.assertLess(place["2"], place["0"])
        texts = pages.texts(figure)
        self.assertIn("2 of 3 clusters in use; all shown", texts)
        self.assertCountEqual(
            [text for text in texts if text.isdigit()], ["2", "0", "3", "1"]
        )

    @parameterized.parameters(
        (3, "5 of 8 clusters in use; 3 shown"),
        (None, "5 of 8 clusters in use; all shown"),
    )
    def test_caption(self, n_rows, expected):
        resp = np.eye(8)[np.arange(40) % 5]
        figure = self._draw(_one_image_per_index(40), [resp], n_rows=n_rows)
        self.assertIn(expected, pages.texts(figure))
