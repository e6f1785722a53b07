# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of clustering scores, against scikit-learn and full enumeration."""

import itertools
import json

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from mfcvae_jax.datasets.spec import Labeling
from mfcvae_jax.evaluation import accuracy


def _partitions(seed, n_components, n_classes, n_examples=60):
    """Two related partitions, with classes of unequal size."""
    rng = np.random.default_rng(seed)
    sizes = rng.dirichlet(np.ones(n_classes))
    labels = rng.choice(n_classes, size=n_examples, p=sizes)
    assignments = np.where(
        rng.random(n_examples) < 0.6,
        labels % n_components,
        rng.integers(0, n_components, size=n_examples),
    )
    return assignments, labels


def _best_over_all_maps(assignments, labels, maps):
    return max(
        np.mean(np.array(classes)[assignments] == labels) for classes in maps
    )


class AgainstOraclesTest(parameterized.TestCase):
    @parameterized.product(
        seed=(0, 1, 2), n_components=(1, 3, 4, 5), n_classes=(1, 3, 4)
    )
    def test_many_to_one_is_the_best_of_all_maps(
        self, seed, n_components, n_classes
    ):
        a, b = _partitions(seed, n_components, n_classes)
        maps = itertools.product(range(n_classes), repeat=n_components)
        self.assertAlmostEqual(
            accuracy.score(a, b, n_components, n_classes).many_to_one,
            _best_over_all_maps(a, b, maps),
        )

    @parameterized.product(
        seed=(0, 1, 2), n_components=(1, 3, 4, 5), n_classes=(1, 3, 4)
    )
    def test_one_to_one_is_the_best_of_all_matches(
        self, seed, n_components, n_classes
    ):
        a, b = _partitions(seed, n_components, n_classes)
        # Clusters beyond the number of classes get a class of their own,
        # which nothing belongs to.
        matches = itertools.permutations(
            range(max(n_components, n_classes)), n_components
        )
        self.assertAlmostEqual(
            accuracy.score(a, b, n_components, n_classes).one_to_one,
            _best_over_all_maps(a, b, matches),
        )

    @parameterized.product(
        seed=(0, 1, 2, 3), n_components=(1, 3, 7), n_classes=(2, 5)
    )
    def test_nmi_and_ari(self, seed, n_components, n_classes):
        a, b = _partitions(seed, n_components, n_classes)
        scores = accuracy.score(a, b, n_components, n_classes)
        self.assertAlmostEqual(
            scores.nmi, metrics.normalized_mutual_info_score(b, a), places=12
        )
        self.assertAlmostEqual(
            scores.ari, metrics.adjusted_rand_score(b, a), places=12
        )

    @parameterized.parameters(0, 1, 2, 3)
    def test_balanced(self, seed):
        a, b = _partitions(seed, 6, 4, n_examples=101)
        class_of_cluster = np.array(
            [np.bincount(b[a == k], minlength=4).argmax() for k in range(6)]
        )
        self.assertAlmostEqual(
            accuracy.score(a, b, 6, 4).balanced,
            metrics.recall_score(
                b,
                class_of_cluster[a],
                labels=np.unique(b),
                average="macro",
                zero_division=0,
            ),
        )

    def test_ari_of_a_large_set_does_not_overflow(self):
        # Pairs of pairs: 1e6 examples make 2.5e23 of them.
        table = np.array([[400_000, 100_000], [100_000, 400_000]])
        a = np.repeat([0, 0, 1, 1], table.ravel())
        b = np.repeat([0, 1, 0, 1], table.ravel())
        self.assertAlmostEqual(
            accuracy.adjusted_rand_index(table),
            metrics.adjusted_rand_score(b, a),
        )


class PropertiesTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_renaming_clusters_changes_nothing(self, seed):
        a, b = _partitions(seed, 6, 4)
        renamed = np.random.default_rng(seed).permutation(6)[a]
        np.testing.assert_allclose(
            accuracy.score(renamed, b, 6, 4),
            accuracy.score(a, b, 6, 4),
            atol=1e-12,
        )

    def test_unused_clusters_and_classes_change_nothing(self):
        a, b = _partitions(0, 6, 4)
        np.testing.assert_allclose(
            accuracy.score(a + 3, b + 2, 12, 9),
            accuracy.score(a, b, 6, 4),
            atol=1e-12,
        )

    def test_labels_under_other_names_score_one(self):
        labels = np.array([0, 0, 1, 2, 2, 2])
        np.testing.assert_allclose(
            accuracy.score(2 - labels, labels, 3, 3), np.ones(5)
        )

    def test_each_metric_by_hand(self):
        # Two clusters share class 0: many-to-one takes both, one-to-one one.
        table = np.array([[4, 0], [3, 1], [0, 2]])
        self.assertAlmostEqual(accuracy.many_to_one_accuracy(table), 0.9)
        self.assertAlmostEqual(accuracy.one_to_one_accuracy(table), 0.6)
        self.assertAlmostEqual(
            accuracy.balanced_accuracy(table), (7 / 7 + 2 / 3) / 2
        )

    @parameterized.named_parameters(
        ("one_cluster", [0, 0, 0, 0], [0, 1, 1, 2], (0.5, 0.5, 1 / 3, 0, 0)),
        ("one_class", [0, 1, 2, 2], [1, 1, 1, 1], (1, 0.5, 1, 0, 0)),
        ("both", [1, 1, 1, 1], [2, 2, 2, 2], (1, 1, 1, 1, 1)),
        ("one_example", [2], [0], (1, 1, 1, 1, 1)),
        ("all_apart", [0, 1, 2], [2, 1, 0], (1, 1, 1, 1, 1)),
    )
    def test_degenerate(self, assignments, labels, expected):
        scores = accuracy.score(assignments, labels, 3, 3)
        np.testing.assert_allclose(scores, expected, atol=1e-12)
        self.assertAlmostEqual(
            scores.ari, metrics.adjusted_rand_score(labels, assignments)
        )


class ScoreMatrixTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.labels = np.stack(
            [rng.integers(0, 4, size=200), rng.integers(0, 3, size=200)], axis=1
        )
        # Facet 0 is the second labeling, facet 1 noise in 4 of 6 clusters.
        self.assignments = np.stack(
            [self.labels[:, 1], rng.integers(0, 4, size=200)], axis=1
        )
        self.labelings = (Labeling("digit", 4), Labeling("hue", 3))
        self.matrix = accuracy.score_matrix(
            self.assignments, self.labels, (3, 6), self.labelings
        )

    def test_entry_is_the_facet_against_the_labeling(self):
        for j, k in enumerate((3, 6)):
            for m, labeling in enumerate(self.labelings):
                self.assertEqual(
                    self.matrix.scores[j][m],
                    accuracy.score(
                        self.assignments[:, j],
                        self.labels[:, m],
                        k,
                        labeling.n_classes,
                    ),
                )
        self.assertEqual(self.matrix.scores[0][1].many_to_one, 1.0)
        self.assertEqual(self.matrix.n_used, (3, 4))

    def test_baseline_is_the_majority_class(self):
        for m, labeling in enumerate(self.labelings):
            majority = np.bincount(self.labels[:, m]).max() / 200
            np.testing.assert_allclose(
                self.matrix.baseline[m],
                (majority, majority, 1 / labeling.n_classes, 0, 0),
                atol=1e-12,
            )

    def test_rows_survive_json(self):
        rows = self.matrix.rows()
        self.assertEqual(json.loads(json.dumps(rows)), rows)
        self.assertEqual(
            [(row["facet"], row["labeling"]) for row in rows],
            [(0, "digit"), (0, "hue"), (1, "digit"), (1, "hue")],
        )
        self.assertEqual(rows[3]["n_components"], 6)
        self.assertEqual(rows[3]["n_used"], 4)
        self.assertEqual(rows[1]["one_to_one"], 1.0)

    @parameterized.named_parameters(
        ("facets", (200, 1), (200, 2), r"assignments .*\(N, 2\).*\(200, 1\)"),
        ("labelings", (200, 2), (200, 3), r"labels .*\(N, 2\).*\(200, 3\)"),
        ("examples", (200, 2), (199, 2), "same examples, got 200 and 199"),
        ("empty", (0, 2), (0, 2), "assignments of facet 0 are empty"),
    )
    def test_shapes_that_do_not_fit(self, of_assignments, of_labels, message):
        with self.assertRaisesRegex(ValueError, message):
            accuracy.score_matrix(
                np.zeros(of_assignments, int),
                np.zeros(of_labels, int),
                (3, 6),
                self.labelings,
            )

    def test_out_of_range_names_the_facet_or_labeling(self):
        with self.assertRaisesRegex(ValueError, "assignments of facet 1"):
            accuracy.score_matrix(
                self.assignments, self.labels, (3, 2), self.labelings
            )
        with self.assertRaisesRegex(ValueError, "labels of labeling 0"):
            accuracy.score_matrix(
                self.assignments,
                self.labels + [[1, 0]],
                (3, 6),
                self.labelings,
            )


class FormatMatrixTest(parameterized.TestCase):
    def _matrix(self, n_labelings):
        labels = np.tile(np.arange(8)[:, np.newaxis] % 4, (1, n_labelings))
        assignments = np.stack([np.arange(8) % 4, np.arange(8) // 4], axis=1)
        return accuracy.score_matrix(
            assignments,
            labels,
            (25, 2),
            [Labeling(f"labeling_{m}", 4) for m in range(n_labelings)],
        )

    def test_whole_text(self):
        self.assertEqual(
            accuracy.format_matrix(self._matrix(1)).splitlines(),
            [
                "                       |       labeling_0 (4 classes)",
                "                       |     m:1    1:1    bal    NMI    ARI",
                "---------------------- | -----------------------------------",
                "facet 0  K=25 (4 used) |  100.00 100.00 100.00 100.00 100.00",
                "facet 1  K=2 (2 used)  |   25.00  25.00  25.00   0.00 -27.27",
                "one cluster            |   25.00  25.00  25.00   0.00   0.00",
                "",
                "8 examples. All in per cent.",
                "m:1 many-to-one accuracy (the paper's), "
                "1:1 one-to-one (Hungarian),",
                "bal many-to-one with every class counting the same.",
            ],
        )

    @parameterized.product(n_labelings=(0, 1, 2, 3, 6), width=(80, 100, 200))
    def test_fits_the_terminal_and_leaves_nothing_out(self, n_labelings, width):
        text = accuracy.format_matrix(self._matrix(n_labelings), width)
        self.assertLessEqual(max(map(len, text.splitlines())), width)
        for m in range(n_labelings):
            self.assertIn(f"labeling_{m} (4 classes)", text)
        self.assertEqual(text.count("m:1    1:1"), n_labelings)

    def test_without_labelings_it_counts_the_clusters_in_use(self):
        self.assertEqual(
            accuracy.format_matrix(self._matrix(0)).splitlines()[-1],
            "8 examples without labels.",
        )

    def test_two_labelings_stand_beside_each_other_in_100_columns(self):
        lines = accuracy.format_matrix(self._matrix(2)).splitlines()
        self.assertIn("labeling_1", lines[0])

    def test_very_narrow_still_prints(self):
        text = accuracy.format_matrix(self._matrix(2), width=10)
        self.assertIn("labeling_1", text)


if __name__ == "__main__":
    absltest.main()
