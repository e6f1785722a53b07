# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs for swapping, against a search over all pairs; and if it worked."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfcvae_jax.evaluation import swaps


def _responsibilities(seed, n, sizes):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.full(k, 0.5), n) for k in sizes]


def _greedy(responsibilities, n):
    """Takes allowed pairs in order, and strikes out what they rule out."""
    confidence = np.min([r.max(axis=1) for r in responsibilities], axis=0)
    clusters = np.stack([r.argmax(axis=1) for r in responsibilities], axis=1)
    order = sorted(range(len(confidence)), key=lambda i: -confidence[i])
    left = [
        (i, j)
        for i, j in itertools.combinations(order, 2)
        if all(a != b for a, b in zip(clusters[i], clusters[j], strict=True))
    ]
    chosen = []

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


@given(
    seed=st.integers(0, 10**6),
    n_examples=st.integers(1, 25),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    n=st.integers(0, 8),
)
def test_pairs_equal_a_search_over_all_pairs(seed, n_examples, sizes, n):
    responsibilities = _responsibilities(seed, n_examples, sizes)
    found = swaps.choose_pairs(responsibilities, n)
    assert found.shape == (len(found), 2)
    assert found.dtype == np.int64
    expected = _greedy(responsibilities, n)
    assert list(map(tuple, found.tolist())) == expected


def test_many_examples_have_as_many_pairs_as_are_wanted():
    found = swaps.choose_pairs(_responsibilities(0, 500, (8, 5)), 100)
    assert len(found) == 100
    assert len(np.unique(found)) == 200


def test_cluster_that_no_example_is_in_does_not_help():
    alike = np.tile([0.7, 0.3, 0.0], (20, 1))
    (other,) = _responsibilities(4, 20, (4,))
    assert not len(swaps.choose_pairs([alike, other], 5))


@pytest.mark.parametrize("n_facets", [1, 2, 3])
def test_every_outcome_of_one_pair(n_facets):
    """Clusters 0 and 1 of each facet; every result that there can be."""
    inputs = np.array([[[0] * n_facets, [1] * n_facets]])
    for facet in range(n_facets):
        for outcome in itertools.product((0, 1), repeat=2 * n_facets):
            swapped = np.reshape(outcome, (1, 2, n_facets))
            found = swaps.is_as_wanted(inputs, swapped, facet)
            for side, j in itertools.product(range(2), range(n_facets)):
                source = 1 - side if j == facet else side
                is_right = swapped[0, side, j] == inputs[0, source, j]
                assert found[0, side, j] == is_right
    assert np.all(inputs == [[[0], [1]]])  # its arguments are left alone
