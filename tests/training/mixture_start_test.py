# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Merging the components of a mixture, against moments and enumeration."""

import itertools

import numpy as np
import pytest

from mfcvae_jax.training import mixture_start


def _mixture(k, d, seed=0):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d))
    covariances = roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(d)
    return rng.dirichlet(np.ones(k)), 3 * rng.normal(size=(k, d)), covariances


def _moments(weights, means, covariances):
    mean = weights @ means
    apart = means - mean
    second = covariances + apart[:, :, None] * apart[:, None, :]
    return mean, np.einsum("k,kij->ij", weights, second)


def _weighted_log_det(mixture):
    weights, _, covariances = mixture
    return weights @ np.linalg.slogdet(covariances)[1]


def _two_into_one(mixture, i, j):
    """The mixture with i and j as one, by their joint moments."""
    weights, means, covariances = mixture
    pair = [i, j]
    share = weights[pair] / weights[pair].sum()
    mean, covariance = _moments(share, means[pair], covariances[pair])
    rest = [k for k in range(len(weights)) if k not in pair]
    return (
        np.append(weights[rest], weights[pair].sum()),
        np.vstack([means[rest], mean]),
        np.concatenate([covariances[rest], covariance[None]]),
    )


@pytest.mark.parametrize("n_components", [1, 3, 7])
def test_weights_and_moments_of_the_whole_are_kept(n_components):
    fine = _mixture(7, 3)
    found = mixture_start.merged(fine, n_components)
    assert [len(part) for part in found] == [n_components] * 3
    np.testing.assert_allclose(found[0].sum(), 1)
    for ours, wanted in zip(_moments(*found), _moments(*fine), strict=True):
        np.testing.assert_allclose(ours, wanted)


def test_the_pair_of_the_least_bound_is_merged():
    for seed in range(5):
        fine = _mixture(6, 2, seed)

        def bound(pair, fine=fine):
            return _weighted_log_det(_two_into_one(fine, *pair))

        cheapest = min(itertools.combinations(range(6), 2), key=bound)
        wanted = _two_into_one(fine, *cheapest)
        found = mixture_start.merged(fine, 5)
        order, other = (np.argsort(m[1][:, 0]) for m in (found, wanted))
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours[order], theirs[other])


def test_pieces_of_a_broad_cluster_come_together_before_close_clusters():
    # A ring of pieces beside two narrow clusters that lie close together: the
    # likeliest three clusters are those, not two pieces and one for both.
    rng = np.random.default_rng(0)
    angles = np.arange(8) * np.pi / 4
    ring = 1.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    means = np.vstack([ring, [[9.0, 0.0], [10.0, 0.0]]])
    variances = np.repeat([2.0, 0.01], [8, 2])
    covariances = variances[:, None, None] * np.eye(2)
    order = rng.permutation(10)
    fine = np.full(10, 0.1), means[order], covariances[order]
    weights, centres, _ = mixture_start.merged(fine, 3)
    by_place = np.argsort(centres[:, 0])
    np.testing.assert_allclose(weights[by_place], [0.8, 0.1, 0.1])
    np.testing.assert_allclose(
        centres[by_place], [[0, 0], [9, 0], [10, 0]], atol=1e-9
    )
