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

    def test_largest_keeps_the_order_and_of_equals_the_more_confident(self):
        # Clusters 3, 1, 0, 2 by confidence, with 1, 2, 2 and 3 members.
        resp = 0.1 * np.ones((8, 4))
        members = {3: [0], 1: [1, 2], 0: [3, 4], 2: [5, 6, 7]}
        for rank, (k, examples) in enumerate(members.items()):
            resp[examples, k] = 9 - rank
        resp /= resp.sum(axis=1, keepdims=True)
        order = clusters.order_clusters(resp)
        np.testing.assert_array_equal(order.components, [3, 1, 0, 2])
        for n, kept in (
            (1, [2]),
            (2, [1, 2]),
            (3, [1, 0, 2]),
            (9, list(members)),
        ):
            found = order.largest(n)
            np.testing.assert_array_equal(found.components, kept)
            self.assertEqual(
                [list(indices) for indices in found.members],
                [members[k] for k in kept],
            )
            self.assertEqual(found.n_components, 4)
        np.testing.assert_array_equal(
            order.largest(None).components, order.components
        )


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
            example = images[order.largest(3).members[0][0]]
            used = f"{len(order.components)} of {order.n_components} clusters"
            if n_shown > 1:  # under one column there is no room
                self.assertIn(f"{used} in use; the 3 largest shown", texts)
            height, width, _ = size
            scale = (sheet.shape[1] + 4) // n_shown // width
            np.testing.assert_array_equal(
                sheet[: height * scale : scale, : width * scale : scale],
                np.round(example * 255) * np.ones(3),
            )

    def test_rows_columns_and_missing_members(self):
        # Cluster 2 has members 0, 1, 2; cluster 0 has 3; cluster 1 none.
        resp = np.array(
            [[0.0, 0.0, 1.0], [0.1, 0.0, 0.9], [0.0, 0.2, 0.8], [0.6, 0.4, 0.0]]
        )
        images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
        figure = self.draw(
            clusters.cluster_examples,
            images,
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
