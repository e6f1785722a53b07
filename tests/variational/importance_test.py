# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Importance sampling, against a model whose log p(x) is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from scipy import special, stats

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import importance, posterior
from tests import oracles

_NOISE = 0.4


def _draw(key):
    """Weights of twenty examples, over some orders of magnitude."""
    return 3 * jax.random.normal(key, (20,))


class LogMarginalTest(oracles.DoubleTestCase):
    @pytest.mark.slow
    def test_many_samples_reach_the_truth(self):
        """x = W z + noise, with z from a mixture: p(x) is a mixture, too."""
        facet = oracles.random_facet(0, 3, 2, Covariance.FULL, n=4)
        mixture, q = facet.ours()
        rng = np.random.default_rng(1)
        weight, x = rng.normal(size=(2, 5)), rng.normal(size=(4, 5))
        noise = _NOISE**2 * np.eye(5)
        truth = special.logsumexp(
            [
                stats.multivariate_normal(
                    mean @ weight, weight.T @ covariance @ weight + noise
                ).logpdf(x)
                for mean, covariance in zip(
                    facet.means, facet.covariances, strict=True
                )
            ],
            axis=0,
            b=facet.weights[:, None],
        )

        def draw(key):
            noise = jax.random.normal(key, (1, *q.mean.shape))
            z = posterior.sample(q, noise)
            log_p_x_z = jax.scipy.stats.norm.logpdf(x, z @ weight, _NOISE)
            log_p_z = mixture.log_prob(z)
            return (log_p_x_z.sum(-1) + log_p_z - posterior.log_prob(q, z))[0]

        n = 100_000
        found = jax.jit(lambda key: importance.log_marginal(draw, key, n))(
            jax.random.key(0)
        )
        # The delta method: var(log mean w) = (n / ESS - 1) / n, nearly.
        ess = np.asarray(found.effective_samples)
        error = np.sqrt(1 / ess - 1 / n)
        self.assertTrue(np.all(ess > 20), f"{ess}")
        self.assertTrue(
            np.all(np.abs(found.log_p_x - truth) < 5 * error + 1e-3),
            f"{found.log_p_x} {truth} {error}",
        )

    @parameterized.parameters(1, 2, 50)
    def test_sums_are_those_of_all_weights_at_once(self, n):
        key = jax.random.key(1)
        found = importance.log_marginal(_draw, key, n)
        log_w = np.stack([_draw(k) for k in jax.random.split(key, n)])
        self.assert_close(
            found.log_p_x, special.logsumexp(log_w, axis=0) - np.log(n)
        )
        w = np.exp(log_w - log_w.max(axis=0))
        self.assert_close(
            found.effective_samples, w.sum(0) ** 2 / (w**2).sum(0)
        )

    def test_one_large_weight_counts_alone(self):
        first = jax.random.split(jax.random.key(5), 30)[7]

        def lonely(key):
            return jnp.where(jnp.all(key == first), 0.0, -1e4)[None]

        found = importance.log_marginal(lonely, jax.random.key(5), 30)
        np.testing.assert_allclose(found.log_p_x, [-np.log(30)])
        np.testing.assert_allclose(found.effective_samples, [1])

    @parameterized.parameters(-1e4, -50.0, 0.0, 3e3)
    def test_single_precision_keeps_every_weight(self, log_w):
        with jax.enable_x64(False):
            found = importance.log_marginal(
                lambda key: jnp.full(2, log_w, jnp.float32),
                jax.random.key(7),
                10_000,
            )
            self.assertEqual(found.log_p_x.dtype, jnp.float32)
        np.testing.assert_allclose(found.log_p_x, log_w, rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(found.effective_samples, 10_000, rtol=1e-5)

    def test_memory_does_not_grow_with_the_samples(self):
        def temporaries(n):
            compiled = (
                jax.jit(lambda key: importance.log_marginal(_draw, key, n))
                .lower(jax.random.key(6))
                .compile()
            )
            return compiled.memory_analysis().temp_size_in_bytes

        # Keys are all that is held for every sample, 8 bytes each.
        self.assertLess(temporaries(10_000) - temporaries(10), 40 * 10_000)
