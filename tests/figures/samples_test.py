# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np

from mfcvae_jax.figures import clusters, samples
from tests.figures import pages


def _samples(n_components):
    """Three samples each, whose pixels are their component, of 255."""
    values = np.arange(n_components, dtype=np.uint8)
    shape = (n_components, 3, 4, 4, 1)
    return np.broadcast_to(values[:, None, None, None, None], shape)


class SamplesTest(pages.FigureCase):
    def _assert_rows(self, *expected):
        """Which components stand in each row of each sheet."""
        for sheet, components in zip(self.sheets, expected, strict=True):
            found = pages.tiles(sheet, len(components), 3)
            self.assertEqual(found[:, 0].tolist(), components)

    def test_rows_are_components_in_order(self):
        self.draw(
            samples.cluster_samples,
            [_samples(4), _samples(1)],
            titles=[pages.WORD * 3, pages.WORDS * 4],
        )
        self._assert_rows([0, 1, 2, 3], [0])

    def test_rows_follow_the_orders(self):
        figure = self.draw(
            samples.cluster_samples,
            [_samples(5), _samples(3)],
            orders=[[4, 0], [1, 2]],
        )
        self._assert_rows([4, 0], [1, 2])
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
            samples.cluster_samples,
            [np.zeros((12, 10, 8, 8, 1))] * 2,
            orders=[clusters.order_clusters(resp).largest(10).components] * 2,
        )
        for one, other in zip(examples.axes, drawn.axes, strict=True):
            np.testing.assert_allclose(
                one.get_position().bounds,
                other.get_position().bounds,
                atol=1e-3,
            )
