# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""q(z|x), against SciPy, distrax and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from scipy import stats

from mfcvae_jax.variational import posterior

_log_prob = jax.jit(posterior.log_prob)
_sample = jax.jit(posterior.sample)


def _random(seed, n_samples=3, n=4, d=2):
    """A posterior of a batch, and points to judge it at."""
    rng = np.random.default_rng(seed)
    q = posterior.Posterior(
        mean=rng.normal(size=(n, d)), log_var=2 * rng.normal(size=(n, d))
    )
    return q, 2 * rng.normal(size=(n_samples, n, d))


def _oracle(mean, log_var, z):
    return stats.norm.logpdf(z, mean, np.sqrt(np.exp(log_var))).sum(-1)


class PosteriorTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    def test_log_prob_equals_scipy_and_distrax(self):
        q, z = _random(0)
        ours = _log_prob(q, z)
        self.assertEqual(ours.shape, (3, 4))
        np.testing.assert_allclose(ours, _oracle(*q, z), rtol=1e-12)
        theirs = jax.jit(lambda q, z: posterior.distribution(q).log_prob(z))
        np.testing.assert_allclose(ours, theirs(q, z), rtol=1e-12)

    def test_log_var_is_the_logarithm_of_a_variance(self):
        q, _ = _random(1)
        variance = jax.jit(lambda q: posterior.distribution(q).variance())(q)
        np.testing.assert_allclose(variance, np.exp(q.log_var), rtol=1e-12)

    def test_sample_is_mean_plus_standard_deviation_times_noise(self):
        q, noise = _random(2)
        z = np.asarray(_sample(q, noise))
        for sample in range(3):
            np.testing.assert_allclose(
                z[sample],
                q.mean + np.sqrt(np.exp(q.log_var)) * noise[sample],
                rtol=1e-12,
            )

    def test_no_noise_gives_the_mean(self):
        q, noise = _random(3)
        z = _sample(q, np.zeros_like(noise))
        np.testing.assert_array_equal(z, np.broadcast_to(q.mean, noise.shape))

    def test_samples_of_standard_normal_noise_follow_the_posterior(self):
        q, _ = _random(4, n=1, d=1)
        noise = np.random.default_rng(5).normal(size=(20_000, 1, 1))
        z = np.asarray(_sample(q, noise)).ravel()
        law = stats.norm(q.mean.item(), np.exp(0.5 * q.log_var).item())
        self.assertGreater(stats.kstest(z, law.cdf).pvalue, 1e-3)

    def test_gradient_equals_finite_differences_of_scipy(self):
        q, z = _random(6, n_samples=1)
        point = np.stack([*q, z[0]])  # mean, log variance, z
        gradient = jax.jit(
            jax.grad(
                lambda p: jnp.sum(
                    posterior.log_prob(posterior.Posterior(p[0], p[1]), p[2:])
                )
            )
        )(point)
        step = 1e-6
        for index in np.ndindex(point.shape):
            shift = np.zeros_like(point)
            shift[index] = step
            slope = (
                _oracle(*(point + shift)).sum()
                - _oracle(*(point - shift)).sum()
            ) / (2 * step)
            np.testing.assert_allclose(
                gradient[index], slope, rtol=1e-6, atol=1e-7
            )

    def test_density_at_its_own_sample_moves_with_the_spread_only(self):
        # log q(mean + std * noise) = -noise^2/2 - log_var/2 + constant.
        q, noise = _random(7)
        gradient = jax.jit(
            jax.grad(
                lambda q: jnp.sum(
                    posterior.log_prob(q, posterior.sample(q, noise))
                )
            )
        )(q)
        np.testing.assert_allclose(gradient.mean, 0, atol=1e-10)
        np.testing.assert_allclose(gradient.log_var, -0.5 * len(noise))

    def test_extreme_log_variances_stay_finite_in_float32(self):
        with jax.enable_x64(False):
            q = posterior.Posterior(
                np.zeros((1, 2), np.float32),
                np.array([[-30.0, 30.0]], np.float32),
            )
            noise = np.ones((1, 1, 2), np.float32)
            z = _sample(q, noise)
            value = _log_prob(q, z)
            self.assertEqual(value.dtype, jnp.float32)
            np.testing.assert_allclose(
                value, [[_oracle(*q, np.asarray(z))[0, 0]]], rtol=1e-4
            )

    def test_noise_without_an_axis_of_samples_is_refused(self):
        q, noise = _random(8)
        with self.assertRaisesRegex(AssertionError, "rank"):
            posterior.sample(q, noise[0])


if __name__ == "__main__":
    absltest.main()
