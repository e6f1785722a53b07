# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Diversity of samples, on ones made up, and against sums of squares."""

import numpy as np
import pytest
from scipy import stats

from mfcvae_jax.evaluation import diversity


def _anova(pixels, assignments, weights):
    """Within over total sum of squares, by a regression on the clusters."""
    root = np.sqrt(weights)[:, None]
    ones = np.ones((len(pixels), 1))
    dummies = np.float64(assignments[:, None] == np.unique(assignments))

    def residual(design):
        fit = np.linalg.lstsq(root * design, root * pixels, rcond=None)[0]
        return np.sum((root * (pixels - design @ fit)) ** 2)

    return residual(dummies) / residual(ones)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_share_is_the_residual_of_a_regression_on_the_clusters(is_weighted):
    rng = np.random.default_rng(0)
    assignments = rng.integers(0, 4, 90) * 3  # numbers that skip some
    pixels = rng.normal(size=(90, 6)) + 0.8 * assignments[:, None]
    weights = rng.uniform(0.1, 2, 90) if is_weighted else None
    expected = _anova(
        pixels, assignments, np.ones(90) if weights is None else weights
    )
    found = diversity.within_share(pixels, assignments, weights)
    assert found == pytest.approx(expected, abs=5e-13)


def test_nothing_within_or_nothing_between():
    rng = np.random.default_rng(2)
    centres = rng.random((4, 7))
    of_each = np.repeat(np.arange(4), 5)
    found = diversity.within_share(centres[of_each], of_each)
    assert found == pytest.approx(0, abs=5e-13)
    same = np.tile(rng.random((5, 7)), (4, 1))
    assert diversity.within_share(same, of_each) == pytest.approx(1, abs=5e-8)


@pytest.mark.parametrize("grey", [0.0, 0.1, 0.3, 1 / 3, 1.0])
def test_images_that_do_not_vary_are_1_whatever_their_grey(grey):
    assignments = np.repeat(np.arange(4), 25)
    assert diversity.within_share(np.full((100, 3), grey), assignments) == 1.0


def test_cluster_without_weight_does_not_count():
    pixels = np.random.default_rng(3).random((20, 3))
    assignments = np.arange(20) % 2
    found = diversity.within_share(pixels, assignments, 1.0 - assignments)
    assert found == pytest.approx(1, abs=5e-8)


def _measure(assignments, weights, facet=0):
    """The diversity of samples of which each is another one."""
    images = np.random.default_rng(4).random((*assignments.shape[:2], 2, 3, 1))
    return diversity.sample_diversity(images, assignments, weights, facet)


def test_all_kept_none_kept_and_weighted_between():
    own = np.tile(np.arange(4)[:, None, None], (1, 6, 1))
    uniform = np.full(4, 1 / 4)
    assert _measure(own, uniform).kept == pytest.approx(1, abs=5e-8)
    assert _measure((own + 1) % 4, uniform).kept == 0
    own[0, :3] = 1
    own[1] = 0
    found = _measure(own, np.array([0.5, 0.3, 0.15, 0.05])).kept
    assert found == pytest.approx(0.25 + 0.15 + 0.05, abs=5e-8)


@pytest.mark.parametrize("scale", [1 - 1e-6, 1 + 1e-6])
def test_weights_of_float32_keep_the_measures_fractions(scale):
    """As far off as float32 leaves them."""
    weights = np.random.default_rng(5).dirichlet(np.ones(30)) * scale
    own = np.tile(np.arange(30)[:, None, None], (1, 4, 1))
    found = _measure(own, weights.astype(np.float32))
    assert found.kept == pytest.approx(1, abs=5e-13)


def test_free_facet_is_reached_in_full_and_a_determined_one_by_1_in_k():
    """Each cluster meets all three of facet 1, and one of facet 2."""
    k, n = 5, 12
    assignments = np.zeros((k, n, 3), int)
    assignments[..., 0] = np.arange(k)[:, None]
    assignments[..., 1] = np.arange(n) % 3
    assignments[..., 2] = 7 - np.arange(k)[:, None]
    found = _measure(assignments, np.full(k, 1 / k))
    np.testing.assert_allclose(found.reach, [1 / k, 1, 1 / k])


def test_reach_is_the_ratio_of_perplexities():
    rng = np.random.default_rng(6)
    k, n, sizes = 4, 40, (4, 6)
    assignments = np.stack(
        [rng.integers(0, size, (k, n)) for size in sizes], axis=-1
    )
    assignments[0, :, 1] = rng.integers(0, 2, n)
    weights = rng.dirichlet(np.ones(k))
    found = _measure(assignments, weights)
    for i, size in enumerate(sizes):
        shares = (assignments[..., i, None] == np.arange(size)).mean(axis=1)
        within = np.prod(np.exp(stats.entropy(shares, axis=1)) ** weights)
        overall = np.exp(stats.entropy(weights @ shares))
        assert found.reach[i] == pytest.approx(within / overall, abs=5e-8)


def test_spread_is_that_of_the_samples_weighted_by_their_clusters():
    k, n = 3, 8
    samples = np.random.default_rng(4).random((k, n, 2, 3, 1))
    samples[1] += 0.5
    weights = np.array([0.2, 0.7, 0.1])
    found = diversity.sample_diversity(
        samples, np.zeros((k, n, 1), int), weights, 0
    )
    expected = _anova(
        samples.reshape(k * n, -1),
        np.repeat(np.arange(k), n),
        np.repeat(weights, n),
    )
    assert found.spread == pytest.approx(expected, abs=5e-13)


def test_one_cluster_is_all_there_is():
    found = _measure(np.zeros((1, 5, 2), int), np.ones(1), facet=1)
    assert found.kept == 1
    assert found.spread == pytest.approx(1, abs=5e-8)
    np.testing.assert_array_equal(found.reach, 1)
