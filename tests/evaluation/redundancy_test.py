# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of redundancy between facets and of clusters in use."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats
from sklearn import metrics

from mfcvae_jax.evaluation import redundancy


class FacetRedundancyTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_against_scikit_learn(self, seed):
        rng = np.random.default_rng(seed)
        first = rng.integers(0, 4, size=90)
        related = np.where(rng.random(90) < 0.5, first, 0)
        third = rng.integers(0, 7, size=90)
        assignments = np.stack([first, related, third], axis=1)
        result = redundancy.facet_redundancy(assignments, (5, 4, 9))
        for i in range(3):
            for j in range(3):
                pair = assignments[:, i], assignments[:, j]
                self.assertAlmostEqual(
                    result.mutual_information[i, j],
                    metrics.mutual_info_score(*pair),
                    places=12,
                )
                self.assertAlmostEqual(
                    result.normalised[i, j],
                    metrics.normalized_mutual_info_score(*pair),
                    places=12,
                )

    def test_all_combinations_once_are_independent(self):
        grid = np.stack(np.meshgrid(range(3), range(5), range(2)), axis=-1)
        result = redundancy.facet_redundancy(grid.reshape(-1, 3), (3, 5, 2))
        np.testing.assert_allclose(
            result.mutual_information, np.diag(np.log([3, 5, 2])), atol=1e-12
        )
        np.testing.assert_allclose(result.normalised, np.eye(3), atol=1e-12)

    def test_renamed_copy_is_fully_redundant(self):
        facet = np.random.default_rng(0).integers(0, 6, size=50)
        copy = np.array([3, 5, 0, 1, 4, 2])[facet]
        result = redundancy.facet_redundancy(
            np.stack([facet, copy], axis=1), (6, 6)
        )
        np.testing.assert_allclose(
            result.mutual_information,
            np.full((2, 2), stats.entropy(np.bincount(facet))),
        )
        np.testing.assert_allclose(result.normalised, np.ones((2, 2)))

    def test_independent_draws_show_the_stated_bias(self):
        rng = np.random.default_rng(0)
        found = [
            redundancy.facet_redundancy(
                rng.integers(0, 5, size=(500, 2)), (5, 5)
            ).mutual_information[0, 1]
            for _ in range(200)
        ]
        expected = (5 - 1) * (5 - 1) / (2 * 500)
        self.assertAlmostEqual(np.mean(found) / expected, 1.0, delta=0.15)

    def test_collapsed_facets_repeat_nothing(self):
        assignments = np.zeros((10, 3), int)
        assignments[:, 2] = np.arange(10) % 2
        result = redundancy.facet_redundancy(assignments, (1, 4, 2))
        expected = np.zeros((3, 3))
        expected[2, 2] = 1.0
        np.testing.assert_array_equal(
            result.mutual_information, np.log(2) * expected
        )
        np.testing.assert_array_equal(result.normalised, expected)

    @parameterized.named_parameters(
        ("facets", np.zeros((4, 2), int), r"\(N, 3\).*got \(4, 2\)"),
        ("empty", np.zeros((0, 3), int), "facet 0 are empty"),
        ("range", np.full((4, 3), 2), r"facet 1 must lie in \[0, 1\]"),
    )
    def test_faults(self, assignments, message):
        for function in (redundancy.facet_redundancy, redundancy.cluster_usage):
            with self.assertRaisesRegex(ValueError, message):
                function(assignments, (3, 2, 3))


class ClusterUsageTest(parameterized.TestCase):
    def test_by_hand(self):
        assignments = np.array(
            [[0, 0, 0], [7, 0, 0], [7, 0, 1], [0, 0, 2]], np.int32
        )
        usage = redundancy.cluster_usage(assignments, (8, 1, 25))
        np.testing.assert_array_equal(usage.n_used, [2, 1, 3])
        # Sizes 2 2; 4; 2 1 1, whose entropy is 1.5 bits.
        np.testing.assert_allclose(usage.effective, [2.0, 1.0, 2.0**1.5])

    def test_effective_number_is_at_most_the_number_in_use(self):
        assignments = np.random.default_rng(0).geometric(0.3, size=(300, 4)) - 1
        usage = redundancy.cluster_usage(assignments, (99,) * 4)
        self.assertTrue(np.all(usage.effective < usage.n_used))
        self.assertTrue(np.all(usage.effective > 1.0))


if __name__ == "__main__":
    absltest.main()
