# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs for swapping, against a search over all pairs; and if it worked."""

import itertools

import numpy as np
from absl.testing import parameterized
from hypothesis import given
from hypothesis import strategies as st

from mfcvae_jax.evaluation import swaps


def _responsibilities(seed, n, sizes):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.full(k, 0.5), n) for k in sizes]


def _allowed(responsibilities):
    """All pairs (i, j), i the more confident, that differ in every facet."""
    confidence = np.min([r.max(axis=1) for r in responsibilities], axis=0)
    clusters = np.stack([r.argmax(axis=1) for r in responsibilities], axis=1)
    order = sorted(range(len(confidence)), key=lambda i: -confidence[i])
    return [
        (i, j)
        for i, j in itertools.combinations(order, 2)
        if all(a != b for a, b in zip(clusters[i], clusters[j], strict=True))
    ]


def _greedy(responsibilities, n):
    """Takes allowed pairs in order, and strikes out what they rule out."""
    clusters = np.stack([r.argmax(axis=1) for r in responsibilities], axis=1)
    left, chosen = _allowed(responsibilities), []

    def places(pair):
        return {tuple(clusters[i]) for i in pair}

    while left and len(chosen) < n:
        first = left[0]
        chosen.append(first)
        left = [
            pair
            for pair in left
            if not set(pair) & set(first) and places(pair) != places(first)
        ]
    return chosen


class ChoosePairsTest(parameterized.TestCase):
    @given(
        seed=st.integers(0, 10**6),
        n_examples=st.integers(1, 25),
        sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
        n=st.integers(0, 8),
    )
    def test_equals_a_search_over_all_pairs(self, seed, n_examples, sizes, n):
        responsibilities = _responsibilities(seed, n_examples, sizes)
        found = swaps.choose_pairs(responsibilities, n)
        self.assertEqual(found.shape, (len(found), 2))
        self.assertEqual(found.dtype, np.int64)
        self.assertEqual(
            list(map(tuple, found.tolist())), _greedy(responsibilities, n)
        )

    def test_many_examples_have_as_many_pairs_as_are_wanted(self):
        responsibilities = _responsibilities(0, 500, (8, 5))
        found = swaps.choose_pairs(responsibilities, 100)
        self.assertLen(found, 100)
        self.assertLen(np.unique(found), 200)

    def test_cluster_that_no_example_is_in_does_not_help(self):
        alike = np.tile([0.7, 0.3, 0.0], (20, 1))
        (other,) = _responsibilities(4, 20, (4,))
        self.assertEmpty(swaps.choose_pairs([alike, other], 5))


class IsAsWantedTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 3)
    def test_every_outcome_of_one_pair(self, n_facets):
        """Clusters 0 and 1 of each facet; every result that there can be."""
        inputs = np.array([[0] * n_facets, [1] * n_facets])
        for facet in range(n_facets):
            for outcome in itertools.product((0, 1), repeat=2 * n_facets):
                swapped = np.reshape(outcome, (1, 2, n_facets))
                found = swaps.is_as_wanted(inputs[None], swapped, facet)
                for side in range(2):
                    for j in range(n_facets):
                        source = 1 - side if j == facet else side
                        self.assertEqual(
                            found[0, side, j],
                            swapped[0, side, j] == inputs[source, j],
                        )

    def test_leaves_its_arguments_alone(self):
        assignments = np.arange(12).reshape(3, 2, 2)
        before = assignments.copy()
        found = swaps.is_as_wanted(assignments, assignments, 1)
        np.testing.assert_array_equal(assignments, before)
        np.testing.assert_array_equal(found[..., 0], True)
        np.testing.assert_array_equal(found[..., 1], False)
