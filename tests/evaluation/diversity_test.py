# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Diversity of samples: constructed ones, and NumPy's variances."""

import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.evaluation import diversity


class WithinShareTest(parameterized.TestCase):
    def test_is_the_decomposition_of_the_variance(self):
        rng = np.random.default_rng(0)
        pixels = (
            rng.normal(size=(300, 5))
            + rng.normal(size=(4, 5))[(clusters := rng.integers(0, 4, 300))]
        )
        within = sum(
            (clusters == k).mean() * pixels[clusters == k].var(axis=0).sum()
            for k in range(4)
        )
        self.assertAlmostEqual(
            diversity.within_share(pixels, clusters),
            within / pixels.var(axis=0).sum(),
            places=12,
        )

    def test_weights_count_like_copies(self):
        rng = np.random.default_rng(1)
        pixels, clusters = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
        copies = rng.integers(1, 4, 40)
        self.assertAlmostEqual(
            diversity.within_share(pixels, clusters, copies.astype(float)),
            diversity.within_share(
                np.repeat(pixels, copies, axis=0), np.repeat(clusters, copies)
            ),
            places=12,
        )

    @parameterized.parameters(
        # One cluster says nothing; one for each example, all.
        (np.zeros(6, int), 1.0),
        (np.arange(6), 0.0),
    )
    def test_ends_of_the_scale(self, clusters, share):
        pixels = np.random.default_rng(0).normal(size=(6, 2))
        self.assertAlmostEqual(
            diversity.within_share(pixels, clusters), share, places=12
        )

    def test_nothing_varies(self):
        self.assertEqual(
            diversity.within_share(np.ones((5, 2)), np.arange(5)), 1.0
        )


class SampleDiversityTest(absltest.TestCase):
    def test_facets_that_leave_each_other_free(self):
        """Facet 0 as drawn; facet 1 goes through all its 5 clusters."""
        n_components, n = 4, 50
        own = np.repeat(np.arange(n_components), n).reshape(n_components, n)
        other = np.tile(np.arange(n) % 5, (n_components, 1))
        found = diversity.sample_diversity(
            np.random.default_rng(0).normal(size=(n_components, n, 2, 2, 1)),
            np.stack([own, other], axis=-1),
            np.full(n_components, 0.25),
            facet=0,
        )
        self.assertEqual(found.kept, 1.0)
        # Of 4 clusters of its own one is left, of the other facet's 5 all.
        np.testing.assert_allclose(found.reach, [0.25, 1.0])
        self.assertGreater(found.spread, 0.9)

    def test_facet_that_is_told_by_the_cluster(self):
        own = np.repeat(np.arange(3), 20).reshape(3, 20)
        found = diversity.sample_diversity(
            np.broadcast_to(
                np.arange(3.0).reshape(3, 1, 1, 1, 1), (3, 20, 2, 2, 1)
            ),
            np.stack([own, own[::-1]], axis=-1),
            np.full(3, 1 / 3),
            facet=1,
        )
        # Facet 1 gets the clusters the other way round; the middle one stays.
        self.assertAlmostEqual(found.kept, 1 / 3)
        np.testing.assert_allclose(found.reach, [1 / 3, 1 / 3])
        self.assertEqual(found.spread, 0.0)

    def test_clusters_count_by_their_weight(self):
        own = np.array([[0] * 10, [0] * 10])  # the second is never kept
        found = diversity.sample_diversity(
            np.zeros((2, 10, 1, 1, 1)),
            own[..., None],
            np.array([0.9, 0.1]),
            facet=0,
        )
        self.assertAlmostEqual(found.kept, 0.9)


if __name__ == "__main__":
    absltest.main()
