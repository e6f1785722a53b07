# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several seeds summed up: against NumPy, and labels never choose."""

import json
import math

import numpy as np
from absl.testing import absltest

from mfcvae_jax.report import summary


def _result(bound, accuracy):
    row = {"facet": 1, "n_components": 25, "labeling": "digit"}
    row |= dict.fromkeys(("many_to_one", "one_to_one", "nmi", "ari"), accuracy)
    return {
        "terms": {
            "mixture_bound": bound,
            "mean_field_bound": bound - 1,
            "gap/0": 0.25,
            "gap/1": 0.5,
        },
        "clusters_needed": [2, 9],
        "diversity": [{"kept": 0.5, "spread": 0.25}] * 2,
        "clusters_in_use": [3, 20],
        "scores": [row],
        "normalised_mutual_information": [[1.0, 0.25], [0.25, 1.0]],
    }


class SummaryTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # The best bound has the worst accuracy.
        self.accuracies = {4: 0.5, 7: 0.9, 8: 0.75}
        self.bounds = {4: -80.0, 7: -95.0, 8: -90.0}
        self.results = {
            seed: _result(self.bounds[seed], self.accuracies[seed])
            for seed in (4, 7, 8)
        }
        rng = np.random.default_rng(0)
        clusters = rng.integers(0, 5, (300, 2))
        # The seeds agree in the first facet and not in the second.
        self.assignments = {
            seed: np.stack([clusters[:, 0], rng.integers(0, 5, 300)], axis=-1)
            for seed in (4, 7, 8)
        }

    def test_mean_and_sample_deviation_and_the_bound_chooses(self):
        found = summary.summarise(self.results, self.assignments)
        self.assertEqual(found.seeds, (4, 8, 7))
        spread = found.scores[1, 25, "digit"]["many_to_one"]
        values = 100 * np.array(list(self.accuracies.values()))
        np.testing.assert_allclose(
            spread, (values.mean(), values.std(ddof=1), 50, 90)
        )
        bound = found.numbers["M, nats"]
        self.assertEqual((bound.best, bound.worst), (-80.0, -95.0))
        np.testing.assert_allclose(found.stability, (1, 0), atol=0.02)
        self.assertEqual(
            found.numbers["redundancy of facets 0 and 1, %"].mean,
            25.0,
        )
        self.assertEqual(found.numbers["-log Z, facet 1, nats"].mean, 0.5)
        self.assertEqual(
            found.numbers["kept by samples, facet 0, %"].best, 50.0
        )

    def test_tables_and_json_say_the_same(self):
        found = summary.summarise(self.results, self.assignments)
        text = summary.format_summary(found)
        self.assertIn("| M, nats | -88.3 (7.6) | -80.0 | -95.0 |", text)
        self.assertIn("| 1 | 25 | digit | 71.7 (20.2) |", text)
        self.assertIn("seed 4, best bound | seed 7, worst bound", text)
        again = json.loads(json.dumps(summary.to_json(found)))
        self.assertEqual(again["seeds"], [4, 8, 7])
        self.assertEqual(again["scores"][0]["nmi"]["best"], 50.0)

    def test_one_seed_has_no_deviation(self):
        found = summary.summarise({4: self.results[4]}, self.assignments)
        self.assertTrue(math.isnan(found.numbers["M, nats"].std))
        self.assertEqual(found.stability, ())

    def test_images_without_labels_have_no_table_of_scores(self):
        for result in self.results.values():
            result["scores"] = []
        text = summary.format_summary(
            summary.summarise(self.results, self.assignments)
        )
        self.assertIn("clusters in use, facet 1", text)
        self.assertNotIn("labeling", text)

    def test_results_of_an_older_version_are_named(self):
        del self.results[7]["clusters_needed"]
        with self.assertRaisesRegex(
            summary.OldResultsError, "seed 7 .* mfcvae report"
        ):
            summary.summarise(self.results, self.assignments)

    def test_nothing_cannot_be_summed_up(self):
        with self.assertRaisesRegex(ValueError, "no results"):
            summary.summarise({}, {})


if __name__ == "__main__":
    absltest.main()
