# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""q(z|x), against SciPy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from mfcvae_jax.variational import posterior
from tests import oracles

_log_prob = jax.jit(posterior.log_prob)


def _oracle(mean, log_var, z):
    return stats.norm.logpdf(z, mean, np.sqrt(np.exp(log_var))).sum(-1)


class PosteriorTest(oracles.DoubleTestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.q = posterior.Posterior(
            mean=rng.normal(size=(4, 2)), log_var=2 * rng.normal(size=(4, 2))
        )
        self.noise = 2 * rng.normal(size=(3, 4, 2))

    def test_densities_equal_scipy_s(self):
        ours = _log_prob(self.q, self.noise)
        self.assert_close(ours, _oracle(*self.q, self.noise))
        self.assert_close(
            posterior.expected_log_prob(self.q),
            -stats.norm.entropy(scale=np.exp(self.q.log_var / 2)).sum(-1),
        )

    def test_sample_is_mean_plus_standard_deviation_times_noise(self):
        self.assert_close(
            posterior.sample(self.q, self.noise),
            self.q.mean + np.sqrt(np.exp(self.q.log_var)) * self.noise,
        )
        with self.assertRaisesRegex(AssertionError, "rank"):
            posterior.sample(self.q, self.noise[0])

    def test_density_at_its_own_sample_moves_with_the_spread_only(self):
        # log q(mean + std * noise) = -noise^2/2 - log_var/2 + constant.
        def total(q):
            z = posterior.sample(q, self.noise)
            return jnp.sum(posterior.log_prob(q, z))

        gradient = jax.jit(jax.grad(total))(self.q)
        self.assert_close(gradient.mean, 0 * self.q.mean)
        self.assert_close(gradient.log_var, -1.5 + 0 * self.q.log_var)

    def test_extreme_log_variances_stay_finite_in_float32(self):
        with jax.enable_x64(False):
            q = posterior.Posterior(
                np.zeros((1, 2), np.float32),
                np.array([[-30.0, 30.0]], np.float32),
            )
            z = posterior.sample(q, np.ones((1, 1, 2), np.float32))
            value = _log_prob(q, z)
        self.assertEqual(value.dtype, jnp.float32)
        np.testing.assert_allclose(value, _oracle(*q, np.asarray(z)), rtol=1e-4)
