# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Components taken away: drawn mixtures whose number is known, and SciPy."""

import distrax
import numpy as np
from absl.testing import parameterized
from scipy import special

from mfcvae_jax.evaluation import pruning
from mfcvae_jax.settings import Covariance
from tests import oracles

_TRUE_MEANS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [7.0, 7.0]])


def _samples(rng, n=800):
    component = rng.integers(0, len(_TRUE_MEANS), n)
    return _TRUE_MEANS[component] + rng.normal(size=(n, 2))


def _generous(rng, z, k, covariance):
    """K components on examples drawn at random, all of one width."""
    scale = np.ones((k, 2))
    if covariance in (Covariance.FULL, Covariance.TIED):
        scale = np.broadcast_to([[1.0, 0.0], [0.5, 0.8]], (k, 2, 2))
    means = z[rng.choice(len(z), k, replace=False)]
    return oracles.mixture(np.zeros(k), means, scale, covariance)


class PruneTest(oracles.DoubleTestCase):
    @parameterized.product(seed=(0, 1), covariance=tuple(Covariance))
    def test_finds_the_number_of_clusters_far_apart(self, seed, covariance):
        rng = np.random.default_rng(seed)
        z = _samples(rng)
        left, evidence = pruning.prune(_generous(rng, z, 9, covariance), z)
        self.assertEqual(evidence.n_kept, 4)
        log_weights, means, _ = oracles.parts(left)
        self.assertEqual(means.shape, (4, 2))
        order = np.argmin(((means[:, None] - _TRUE_MEANS) ** 2).sum(-1), axis=1)
        self.assertCountEqual(order, range(4))
        np.testing.assert_allclose(means, _TRUE_MEANS[order], atol=0.2)
        np.testing.assert_allclose(
            special.logsumexp(log_weights), 0, atol=1e-12
        )

    def test_one_round_cloud_is_one_cluster(self):
        rng = np.random.default_rng(0)
        z = rng.normal(size=(1000, 3))
        k = 8
        mixture = oracles.mixture(np.zeros(k), z[:k], np.ones((k, 3)))
        left, evidence = pruning.prune(mixture, z)
        self.assertEqual(evidence.n_kept, 1)
        _, means, _ = oracles.parts(left)
        np.testing.assert_allclose(means[0], z.mean(0), atol=1e-6)

    @parameterized.parameters(*Covariance)
    def test_evidence_is_what_scipy_computes(self, covariance):
        rng = np.random.default_rng(3)
        z = _samples(rng, n=300)
        mixture = _generous(rng, z, 6, covariance)
        left, evidence = pruning.prune(mixture, z)
        np.testing.assert_array_equal(evidence.n_components, [6, 5, 4, 3, 2, 1])
        n_free_each, n_shared = {
            Covariance.DIAGONAL: (5, 0),
            Covariance.FULL: (6, 0),
            Covariance.SPHERICAL: (4, 0),
            Covariance.TIED: (3, 3),
        }[covariance]
        for at, found in ((0, mixture), (6 - evidence.n_kept, left)):
            joint = oracles.log_joint(found, z)
            log_p_z = special.logsumexp(joint, axis=1)
            entropy = special.entr(special.softmax(joint, axis=1)).sum(1)
            np.testing.assert_allclose(
                evidence.log_p_z[at], log_p_z.mean(), rtol=1e-9
            )
            np.testing.assert_allclose(
                evidence.entropy[at], entropy.mean(), atol=1e-9
            )
            k = len(found.components_distribution.loc)
            n_free = n_free_each * k - 1 + n_shared
            price = n_free * np.log(300) / 600
            np.testing.assert_allclose(
                evidence.criterion[at],
                log_p_z.mean() - entropy.mean() - price,
                rtol=1e-9,
            )

    def test_component_that_nothing_uses_goes_first(self):
        rng = np.random.default_rng(5)
        z = _samples(rng)
        means = np.vstack([_TRUE_MEANS, [[60.0, 60.0]]])
        weights = np.log([0.24, 0.24, 0.24, 0.24, 0.04])
        left, evidence = pruning.prune(
            oracles.mixture(weights, means, np.ones((5, 2))), z
        )
        self.assertEqual(evidence.n_kept, 4)
        self.assertLess(left.components_distribution.loc.max(), 8)
        # What it took from the others comes back.
        self.assertGreater(evidence.log_p_z[1], evidence.log_p_z[0])

    def test_other_families_are_named(self):
        laplaces = distrax.Independent(
            distrax.Laplace(np.zeros((3, 2)), 1.0), 1
        )
        mixture = distrax.MixtureSameFamily(
            distrax.Categorical(logits=np.zeros(3)), laplaces
        )
        with self.assertRaisesRegex(ValueError, "Gaussian .* are Independent"):
            pruning.prune(mixture, np.zeros((9, 2)))
