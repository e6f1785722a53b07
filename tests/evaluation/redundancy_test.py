# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of redundancy between facets and of clusters in use."""

import numpy as np
import pytest
from sklearn import metrics

from mfcvae_jax.evaluation import redundancy


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 4, size=90)
    related = np.where(rng.random(90) < 0.5, first, 0)
    renamed = np.array([3, 5, 0, 1])[first]
    unrelated = rng.integers(0, 7, size=90)
    facets = np.stack([first, related, renamed, unrelated])
    found = redundancy.facet_redundancy(facets.T, (5, 4, 6, 9))
    np.testing.assert_allclose(found.normalised[0, 2], 1)
    for result, score in (
        (found.mutual_information, metrics.mutual_info_score),
        (found.normalised, metrics.normalized_mutual_info_score),
    ):
        expected = [[score(one, other) for one in facets] for other in facets]
        np.testing.assert_allclose(result, expected, atol=1e-12)


def test_collapsed_facets_repeat_nothing():
    assignments = np.zeros((10, 3), int)
    assignments[:, 2] = np.arange(10) % 2
    result = redundancy.facet_redundancy(assignments, (1, 4, 2))
    expected = np.diag([0.0, 0.0, 1.0])
    np.testing.assert_allclose(
        result.mutual_information, np.log(2) * expected, rtol=1e-15
    )
    np.testing.assert_array_equal(result.normalised, expected)


def test_faults_name_the_facet():
    with pytest.raises(ValueError, match=r"facet 1 must lie in \[0, 1\]"):
        redundancy.facet_redundancy(np.full((4, 3), 2), (3, 2, 3))


def test_clusters_in_use_by_hand():
    assignments = np.array([[0, 0, 0], [7, 0, 0], [7, 0, 1], [0, 0, 2]])
    found = redundancy.facet_redundancy(assignments, (8, 1, 25))
    np.testing.assert_array_equal(found.n_used, [2, 1, 3])
    # Sizes 2 2; 4; 2 1 1, whose entropy is 1.5 bits.
    np.testing.assert_allclose(found.effective, [2.0, 1.0, 2.0**1.5])
