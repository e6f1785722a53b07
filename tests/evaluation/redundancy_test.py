# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of redundancy between facets and of clusters in use."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from mfcvae_jax.evaluation import redundancy


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 4, size=90)
    related = np.where(rng.random(90) < 0.5, first, 0)
    facets = np.stack([first, related, rng.integers(0, 7, size=90)])
    found = redundancy.facet_redundancy(facets.T, (5, 4, 9))
    for result, score in (
        (found.mutual_information, metrics.mutual_info_score),
        (found.normalised, metrics.normalized_mutual_info_score),
    ):
        expected = [[score(one, other) for one in facets] for other in facets]
        np.testing.assert_allclose(result, expected, atol=1e-12)


def test_all_combinations_once_are_independent():
    grid = np.stack(np.meshgrid(range(3), range(5), range(2)), axis=-1)
    result = redundancy.facet_redundancy(grid.reshape(-1, 3), (3, 5, 2))
    np.testing.assert_allclose(
        result.mutual_information, np.diag(np.log([3, 5, 2])), atol=1e-12
    )
    np.testing.assert_allclose(result.normalised, np.eye(3), atol=1e-12)


def test_renamed_copy_is_fully_redundant():
    facet = np.random.default_rng(0).integers(0, 6, size=50)
    copy = np.array([3, 5, 0, 1, 4, 2])[facet]
    result = redundancy.facet_redundancy(np.stack([facet, copy], 1), (6, 6))
    np.testing.assert_allclose(
        result.mutual_information, stats.entropy(np.bincount(facet))
    )
    np.testing.assert_allclose(result.normalised, 1.0)


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
