# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Stability over seeds: alike, by chance, in between, and faults."""

import numpy as np
from absl.testing import absltest

from mfcvae_jax.evaluation.stability import stability


class StabilityTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.base = self.rng.integers(0, 5, (400, 2))

    def test_renumbered_clusters_are_alike(self):
        others = [self.rng.permutation(5)[self.base] for _ in range(3)]
        np.testing.assert_allclose(stability(others), 1)

    def test_unrelated_clusters_agree_by_chance_only(self):
        others = [self.rng.integers(0, 20, (400, 1)) for _ in range(4)]
        self.assertLess(abs(stability(others)[0]), 0.02)

    def test_facets_are_told_apart_and_pairs_averaged(self):
        """One seed of three differs in the second facet alone."""
        other = self.base.copy()
        other[:, 1] = self.rng.integers(0, 5, 400)
        found = stability([self.base, self.base, other])
        self.assertEqual(found[0], 1)
        self.assertAlmostEqual(found[1], 1 / 3, delta=0.02)

    def test_one_seed_or_other_examples_are_refused(self):
        with self.assertRaisesRegex(ValueError, "at least two; got 1"):
            stability([self.base])
        with self.assertRaisesRegex(ValueError, r"\(300, 2\)"):
            stability([self.base, self.base[:300]])
