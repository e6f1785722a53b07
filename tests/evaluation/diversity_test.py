# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Diversity of samples, on ones made up, and against sums of squares."""

import numpy as np
from absl.testing import parameterized
from scipy import stats
from sklearn import preprocessing

from mfcvae_jax.evaluation import diversity


def _anova(pixels, assignments, weights):
    """Within and total sum of squares, by a regression on the clusters."""
    root = np.sqrt(weights)[:, None]
    ones = np.ones((len(pixels), 1))
    dummies = preprocessing.OneHotEncoder(sparse_output=False).fit_transform(
        assignments[:, None]
    )

    def residual(design):
        fit = np.linalg.lstsq(root * design, root * pixels, rcond=None)[0]
        return np.sum((root * (pixels - design @ fit)) ** 2)

    return residual(dummies), residual(ones)


class WithinShareTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_is_the_residual_of_a_regression_on_the_clusters(self, is_weighted):
        rng = np.random.default_rng(0)
        assignments = rng.integers(0, 4, 90) * 3  # numbers that skip some
        pixels = rng.normal(size=(90, 6)) + 0.8 * assignments[:, None]
        weights = rng.uniform(0.1, 2, 90) if is_weighted else None
        of_oracle = np.ones(90) if weights is None else weights
        within, total = _anova(pixels, assignments, of_oracle)
        self.assertAlmostEqual(
            diversity.within_share(pixels, assignments, weights),
            within / total,
            places=12,
        )

    def test_weight_of_an_example_is_how_often_it_is_there(self):
        rng = np.random.default_rng(1)
        pixels, assignments = rng.random((30, 5)), rng.integers(0, 3, 30)
        times = rng.integers(0, 4, 30)
        self.assertAlmostEqual(
            diversity.within_share(pixels, assignments, times),
            diversity.within_share(
                np.repeat(pixels, times, axis=0), np.repeat(assignments, times)
            ),
            places=12,
        )

    def test_nothing_within_or_nothing_between(self):
        rng = np.random.default_rng(2)
        centres = rng.random((4, 7))
        of_each = np.repeat(np.arange(4), 5)
        found = diversity.within_share(centres[of_each], of_each)
        self.assertAlmostEqual(found, 0, places=12)
        same = np.tile(rng.random((5, 7)), (4, 1))
        self.assertAlmostEqual(diversity.within_share(same, of_each), 1)

    def test_images_that_do_not_vary_are_1_whatever_their_grey(self):
        assignments = np.repeat(np.arange(4), 25)
        for grey in (0.0, 0.1, 0.3, 1 / 3, 1.0):
            with self.subTest(grey=grey):
                pixels = np.full((100, 3), grey)
                found = diversity.within_share(pixels, assignments)
                self.assertEqual(found, 1.0)

    def test_cluster_without_weight_does_not_count(self):
        rng = np.random.default_rng(3)
        pixels, assignments = rng.random((20, 3)), np.arange(20) % 2
        weights = np.where(assignments == 0, 1.0, 0.0)
        found = diversity.within_share(pixels, assignments, weights)
        self.assertAlmostEqual(found, 1)


class SampleDiversityTest(parameterized.TestCase):
    def _samples(self, k, n):
        return np.random.default_rng(4).random((k, n, 2, 3, 1))

    def test_all_kept_none_kept_and_weighted_between(self):
        k, n = 4, 6
        own = np.tile(np.arange(k)[:, None, None], (1, n, 1))
        uniform = np.full(k, 1 / k)
        samples = self._samples(k, n)

        def kept(assignments, weights):
            return diversity.sample_diversity(
                samples, assignments, weights, 0
            ).kept

        self.assertAlmostEqual(kept(own, uniform), 1)
        self.assertEqual(kept((own + 1) % k, uniform), 0)
        half = own.copy()
        half[0, : n // 2] = 1
        half[1] = 0
        weights = np.array([0.5, 0.3, 0.15, 0.05])
        self.assertAlmostEqual(kept(half, weights), 0.25 + 0.15 + 0.05)

    def test_weights_of_float32_keep_the_measures_fractions(self):
        k, n = 30, 4
        logits = np.random.default_rng(5).normal(size=k).astype(np.float32)
        weights = np.exp(logits - np.log(np.sum(np.exp(logits))))
        own = np.tile(np.arange(k)[:, None, None], (1, n, 1))
        for scale in (1 - 1e-6, 1 + 1e-6):  # as far off as float32 leaves it
            found = diversity.sample_diversity(
                self._samples(k, n), own, weights * np.float32(scale), 0
            )
            self.assertAlmostEqual(found.kept, 1, places=12)

    def test_free_facet_is_reached_in_full_and_a_determined_one_by_1_in_k(
        self,
    ):
        """Each cluster meets all three of facet 1, and one of facet 2."""
        k, n = 5, 12
        assignments = np.zeros((k, n, 3), int)
        assignments[..., 0] = np.arange(k)[:, None]
        assignments[..., 1] = np.arange(n) % 3
        assignments[..., 2] = 7 - np.arange(k)[:, None]
        found = diversity.sample_diversity(
            self._samples(k, n), assignments, np.full(k, 1 / k), 0
        )
        np.testing.assert_allclose(found.reach, [1 / k, 1, 1 / k])

    def test_reach_is_the_ratio_of_perplexities(self):
        rng = np.random.default_rng(6)
        k, n, sizes = 4, 40, (4, 6)
        assignments = np.stack(
            [rng.integers(0, size, (k, n)) for size in sizes], axis=-1
        )
        assignments[0, :, 1] = rng.integers(0, 2, n)
        weights = rng.dirichlet(np.ones(k))
        found = diversity.sample_diversity(
            self._samples(k, n), assignments, weights, 0
        )
        for i, size in enumerate(sizes):
            shares = np.stack(
                [
                    [np.mean(row == c) for c in range(size)]
                    for row in assignments[..., i]
                ]
            )
            within = np.prod(np.exp(stats.entropy(shares, axis=1)) ** weights)
            overall = np.exp(stats.entropy(weights @ shares))
            self.assertAlmostEqual(found.reach[i], within / overall)

    def test_spread_is_that_of_the_samples_weighted_by_their_clusters(self):
        k, n = 3, 8
        samples = self._samples(k, n)
        samples[1] += 0.5
        weights = np.array([0.2, 0.7, 0.1])
        found = diversity.sample_diversity(
            samples, np.zeros((k, n, 1), int), weights, 0
        )
        within, total = _anova(
            samples.reshape(k * n, -1),
            np.repeat(np.arange(k), n),
            np.repeat(weights, n),
        )
        self.assertAlmostEqual(found.spread, within / total, places=12)

    def test_one_cluster_is_all_there_is(self):
        found = diversity.sample_diversity(
            self._samples(1, 5), np.zeros((1, 5, 2), int), np.ones(1), 1
        )
        self.assertEqual(found.kept, 1)
        self.assertAlmostEqual(found.spread, 1)
        np.testing.assert_array_equal(found.reach, 1)
