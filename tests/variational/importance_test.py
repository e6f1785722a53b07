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


class LinearModel:
    """x = W z + noise, with z from a mixture: p(x) is a mixture too."""

    def __init__(self, covariance):
        self.facet = oracles.random_facet(0, 3, 2, covariance, n=4)
        rng = np.random.default_rng(1)
        self.weight = rng.normal(size=(2, 5))
        self.x = rng.normal(size=(4, 5))

    def log_p_x(self):
        """The truth, shape (B,)."""
        joint = [
            np.log(weight)
            + stats.multivariate_normal(
                mean @ self.weight,
                self.weight.T @ covariance @ self.weight
                + _NOISE**2 * np.eye(5),
            ).logpdf(self.x)
            for weight, mean, covariance in zip(
                self.facet.weights,
                self.facet.means,
                self.facet.covariances,
                strict=True,
            )
        ]
        return special.logsumexp(joint, axis=0)

    def log_weights(self, z):
        """log p(x|z) p(z) / q(z|x) by SciPy, of z (L, B, D), (L, B)."""
        log_p_x_z = stats.norm.logpdf(self.x, z @ self.weight, _NOISE).sum(-1)
        log_p_z = special.logsumexp(
            self.facet.log_p_z_c(z) + np.log(self.facet.weights), axis=-1
        )
        return log_p_x_z + log_p_z - self.facet.log_q_z(z)

    def sample(self, key):
        """One sample of q(z|x), shape (1, B, D)."""
        _, q = self.facet.ours()
        return posterior.sample(q, jax.random.normal(key, (1, *q.mean.shape)))

    def draw(self, key):
        """The log weight of that sample in our own functions, shape (B,)."""
        mixture, q = self.facet.ours()
        z = self.sample(key)
        log_p_x_z = -0.5 * jnp.sum(
            jnp.square((self.x - z @ self.weight) / _NOISE), axis=-1
        ) - 5 * np.log(_NOISE * np.sqrt(2 * np.pi))
        log_p_z = mixture.log_prob(z)
        return (log_p_x_z + log_p_z - posterior.log_prob(q, z))[0]


class LogMarginalTest(oracles.DoubleTestCase):
    @parameterized.parameters(Covariance.DIAGONAL, Covariance.FULL)
    @pytest.mark.slow
    def test_many_samples_reach_the_truth(self, covariance):
        model = LinearModel(covariance)
        n = 100_000
        found = jax.jit(
            lambda key: importance.log_marginal(model.draw, key, n)
        )(jax.random.key(0))
        # The delta method: var(log mean w) = (n / ESS - 1) / n, nearly.
        ess = np.asarray(found.effective_samples)
        error = np.sqrt(1 / ess - 1 / n)
        self.assertTrue(np.all(ess > 20), f"{ess}")
        self.assertTrue(
            np.all(np.abs(found.log_p_x - model.log_p_x()) < 5 * error + 1e-3),
            f"{found.log_p_x} {model.log_p_x()} {error}",
        )

    @parameterized.parameters(1, 2, 50)
    @pytest.mark.slow
    def test_sums_are_those_of_all_weights_at_once(self, n):
        model = LinearModel(Covariance.FULL)
        key = jax.random.key(1)
        found = importance.log_marginal(model.draw, key, n)
        z = [model.sample(k) for k in jax.random.split(key, n)]
        log_w = model.log_weights(np.concatenate(z))  # by SciPy
        np.testing.assert_allclose(
            found.log_p_x, special.logsumexp(log_w, axis=0) - np.log(n)
        )
        w = np.exp(log_w - log_w.max(axis=0))
        np.testing.assert_allclose(
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
        model = LinearModel(Covariance.DIAGONAL)

        def temporaries(n):
            compiled = (
                jax.jit(lambda key: importance.log_marginal(model.draw, key, n))
                .lower(jax.random.key(6))
                .compile()
            )
            return compiled.memory_analysis().temp_size_in_bytes

        # Keys are all that is held for every sample, 8 bytes each.
        self.assertLess(temporaries(10_000) - temporaries(10), 40 * 10_000)
