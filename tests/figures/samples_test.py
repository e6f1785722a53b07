# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import clusters, samples
from tests.figures import pages


def _samples(n_components, n=3, size=4):
    """Samples whose pixels are their component, of 255."""
    return np.broadcast_to(
        np.arange(n_components, dtype=np.uint8)[:, None, None, None, None],
        (n_components, n, size, size, 1),
    )


def _components(sheet, n_rows):
    """Which components stand in each row of a sheet."""
    return pages.tiles(sheet, n_rows, 3)[:, 0].tolist()


class SamplesTest(pages.FigureCase):
    @parameterized.parameters(1, 3)
    def test_rows_are_components_in_order(self, n_facets):
        figure = self.draw(samples.cluster_samples, [_samples(4)] * n_facets)
        sheets = pages.sheets(figure, self.path)
        self.assertLen(sheets, n_facets)
        for sheet in sheets:
            self.assertEqual(_components(sheet, 4), [0, 1, 2, 3])

    def test_rows_follow_the_orders(self):
        figure = self.draw(
            samples.cluster_samples,
            [_samples(5), _samples(3)],
            orders=[[4, 0, 2], [1, 2, 0]],
            n_rows=2,
        )
        first, second = pages.sheets(figure, self.path)
        self.assertEqual(_components(first, 2), [4, 0])
        self.assertEqual(_components(second, 2), [1, 2])
        texts = pages.texts(figure)
        self.assertIn("2 of 5 clusters shown", texts)
        self.assertIn("2 of 3 clusters shown", texts)
        self.assertCountEqual(
            [t for t in texts if t.isdigit()], ["4", "0", "1", "2"]
        )

    def test_tiles_stand_where_those_of_the_examples_stand(self):
        resp = np.eye(12)[np.arange(48) % 12]
        with pages.captured() as figures:
            clusters.cluster_examples(
                np.zeros((48, 8, 8, 1)), [resp] * 2, self.path
            )
            samples.cluster_samples(
                [np.zeros((12, 10, 8, 8, 1))] * 2,
                self.path,
                orders=[clusters.order_clusters(resp).components] * 2,
            )
        examples, drawn = (
            [axes.get_position().bounds for axes in figure.axes]
            for figure in figures
        )
        np.testing.assert_allclose(examples, drawn, atol=1e-3)
