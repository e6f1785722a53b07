# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Components taken away: drawn mixtures whose number is known, and SciPy."""

import numpy as np
from absl.testing import parameterized
from scipy import special, stats

from mfcvae_jax.evaluation import pruning
from mfcvae_jax.variational.prior import Mixture

_TRUE_MEANS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [7.0, 7.0]])


def _samples(rng, n=800):
    component = rng.integers(0, len(_TRUE_MEANS), n)
    return _TRUE_MEANS[component] + rng.normal(size=(n, 2))


def _generous(rng, z, k, is_full):
    """K components on examples drawn at random, all of one width."""
    scale = np.ones((k, 2))
    if is_full:
        scale = np.broadcast_to([[1.0, 0.0], [0.5, 0.8]], (k, 2, 2))
    means = z[rng.choice(len(z), k, replace=False)]
    return Mixture(np.full(k, -np.log(k)), means, scale)


def _log_joint(mixture, z):
    columns = []
    for log_weight, mean, scale in zip(*mixture, strict=True):
        covariance = np.diag(scale**2) if scale.ndim == 1 else scale @ scale.T
        density = stats.multivariate_normal(mean, covariance)
        columns.append(log_weight + density.logpdf(z))
    return np.stack(columns, axis=-1)


class PruneTest(parameterized.TestCase):
    @parameterized.product(seed=(0, 1), is_full=(False, True))
    def test_finds_the_number_of_clusters_far_apart(self, seed, is_full):
        rng = np.random.default_rng(seed)
        z = _samples(rng)
        left, evidence = pruning.prune(_generous(rng, z, 9, is_full), z)
        self.assertEqual(evidence.n_kept, 4)
        self.assertEqual(left.means.shape, (4, 2))
        order = np.argmin(
            ((left.means[:, None] - _TRUE_MEANS) ** 2).sum(-1), axis=1
        )
        self.assertCountEqual(order, range(4))
        np.testing.assert_allclose(left.means, _TRUE_MEANS[order], atol=0.2)
        np.testing.assert_allclose(
            special.logsumexp(left.log_weights), 0, atol=1e-12
        )

    def test_one_round_cloud_is_one_cluster(self):
        rng = np.random.default_rng(0)
        z = rng.normal(size=(1000, 3))
        k = 8
        mixture = Mixture(np.full(k, -np.log(k)), z[:k], np.ones((k, 3)))
        left, evidence = pruning.prune(mixture, z)
        self.assertEqual(evidence.n_kept, 1)
        np.testing.assert_allclose(left.means[0], z.mean(0), atol=1e-6)

    @parameterized.parameters(False, True)
    def test_evidence_is_what_scipy_computes(self, is_full):
        rng = np.random.default_rng(3)
        z = _samples(rng, n=300)
        mixture = _generous(rng, z, 6, is_full)
        left, evidence = pruning.prune(mixture, z)
        np.testing.assert_array_equal(evidence.n_components, [6, 5, 4, 3, 2, 1])
        n_free_each = 1 + 2 + (3 if is_full else 2)
        for at, found in ((0, mixture), (6 - evidence.n_kept, left)):
            joint = _log_joint(found, z)
            log_p_z = special.logsumexp(joint, axis=1)
            entropy = special.entr(special.softmax(joint, axis=1)).sum(1)
            np.testing.assert_allclose(
                evidence.log_p_z[at], log_p_z.mean(), rtol=1e-9
            )
            np.testing.assert_allclose(
                evidence.entropy[at], entropy.mean(), atol=1e-9
            )
            k = len(found.means)
            price = (n_free_each * k - 1) * np.log(300) / 600
            np.testing.assert_allclose(
                evidence.criterion[at],
                log_p_z.mean() - entropy.mean() - price,
                rtol=1e-9,
            )
        self.assertEqual(
            evidence.n_kept,
            evidence.n_components[np.argmax(evidence.criterion)],
        )

    def test_component_that_nothing_uses_goes_first(self):
        rng = np.random.default_rng(5)
        z = _samples(rng)
        means = np.vstack([_TRUE_MEANS, [[60.0, 60.0]]])
        weights = np.log([0.24, 0.24, 0.24, 0.24, 0.04])
        left, evidence = pruning.prune(
            Mixture(weights, means, np.ones((5, 2))), z
        )
        self.assertEqual(evidence.n_kept, 4)
        self.assertLess(left.means.max(), 8)
        # What it took from the others comes back.
        self.assertGreater(evidence.log_p_z[1], evidence.log_p_z[0])
