# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of contingency tables and information, against scikit-learn."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats
from sklearn import metrics

from mfcvae_jax.evaluation import contingency


class ContingencyTableTest(parameterized.TestCase):
    def test_counts_by_hand(self):
        np.testing.assert_array_equal(
            contingency.contingency_table(
                np.array([0, 0, 2, 2, 2]), np.array([1, 1, 0, 1, 0]), 4, 3
            ),
            [[0, 2, 0], [0, 0, 0], [2, 1, 0], [0, 0, 0]],
        )

    def test_counts_of_small_integer_types_and_jax_arrays(self):
        # 200 * 3 + 2 does not fit into 8 bits.
        table = contingency.contingency_table(
            np.array([199, 199], np.uint8), jnp.array([2, 2]), 200, 3
        )
        self.assertEqual(table[199, 2], 2)
        self.assertEqual(table.sum(), 2)

    @parameterized.named_parameters(
        ("empty", [], [], "assignments are empty"),
        ("lengths", [0, 1], [0], "same examples, got 2 and 1"),
        (
            "cluster_too_high",
            [0, 4],
            [0, 0],
            r"assignments must lie in \[0, 3\], found values from 0 to 4",
        ),
        (
            "class_negative",
            [0, 3],
            [-1, 2],
            r"labels must lie in \[0, 2\], found values from -1 to 2",
        ),
        ("probabilities", [0.5, 0.5], [0, 0], "float64.*argmax"),
        ("columns", [[0], [1]], [0, 0], r"shape \(2, 1\)"),
    )
    def test_faults(self, assignments, labels, message):
        if not assignments:
            assignments = np.zeros(0, np.int32)
        with self.assertRaisesRegex(ValueError, message):
            contingency.contingency_table(assignments, labels, 4, 3)


class InformationTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2, 3)
    def test_against_scikit_learn(self, seed):
        rng = np.random.default_rng(seed)
        # Cluster 0 and class 4 stay empty.
        a = rng.integers(1, 6, size=80)
        b = np.where(rng.random(80) < 0.5, a % 4, rng.integers(0, 4, size=80))
        table = contingency.contingency_table(a, b, 6, 5)
        self.assertAlmostEqual(
            contingency.mutual_information(table),
            metrics.mutual_info_score(a, b),
            places=12,
        )
        self.assertAlmostEqual(
            contingency.normalised_mutual_information(table),
            metrics.normalized_mutual_info_score(a, b),
            places=12,
        )
        self.assertAlmostEqual(
            contingency.entropy(table), stats.entropy(table.ravel()), places=12
        )

    def test_product_table_shares_nothing(self):
        table = np.outer([1, 2, 0, 7], [3, 5, 2])
        self.assertAlmostEqual(contingency.mutual_information(table), 0.0)
        self.assertGreaterEqual(contingency.mutual_information(table), 0.0)

    def test_renamed_partition_shares_all(self):
        table = np.array([[0, 7, 0], [3, 0, 0], [0, 0, 5], [0, 0, 0]])
        self.assertAlmostEqual(
            contingency.mutual_information(table),
            stats.entropy([7, 3, 5]),
            places=12,
        )
        self.assertAlmostEqual(
            contingency.normalised_mutual_information(table), 1.0, places=12
        )

    @parameterized.named_parameters(
        ("one_cluster", [[2, 3]], 0.0),
        ("one_class", [[2], [3]], 0.0),
        ("both", [[5]], 1.0),
        ("both_among_unused", [[0, 0], [0, 5]], 1.0),
    )
    def test_constant_partitions(self, table, expected):
        table = np.array(table)
        self.assertEqual(contingency.mutual_information(table), 0.0)
        self.assertEqual(
            contingency.normalised_mutual_information(table), expected
        )


class CheckedColumnsTest(parameterized.TestCase):
    def test_columns_come_back(self):
        values = np.array([[0, 4], [1, 2], [1, 0]])
        first, second = contingency.checked_columns(
            "assignments", "facet", values, (2, 5)
        )
        np.testing.assert_array_equal(first, [0, 1, 1])
        np.testing.assert_array_equal(second, [4, 2, 0])

    @parameterized.named_parameters(
        ("flat", np.zeros(3, int), r"\(N, 2\), .* each facet, got \(3,\)"),
        ("too_few", np.zeros((3, 1), int), r"got \(3, 1\)"),
        ("empty", np.zeros((0, 2), int), "assignments of facet 0 are empty"),
        (
            "too_high",
            np.array([[0, 5]]),
            r"assignments of facet 1 must lie in \[0, 4\]",
        ),
    )
    def test_faults(self, values, message):
        with self.assertRaisesRegex(ValueError, message):
            contingency.checked_columns("assignments", "facet", values, (2, 5))


if __name__ == "__main__":
    absltest.main()
