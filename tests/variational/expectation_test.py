# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The published estimate in expectation, by quadrature on the line."""

import functools

import jax
import numpy as np
from scipy import integrate, special, stats

from mfcvae_jax.variational import elbo
from tests import oracles

_MEAN, _STD = 0.4, 0.8
_WEIGHTS = np.array([0.5, 0.3, 0.2])
_MEANS = np.array([-1.0, 0.5, 2.0])
_STDS = np.array([0.7, 0.4, 1.2])


@jax.jit
def _five_terms(log_p_z_c, log_q_z):
    return elbo.five_terms(
        elbo.Densities(log_p_z_c, log_q_z, None, None, np.log(_WEIGHTS))
    )


def _estimate(z):
    """The estimate from samples z of shape (L, B)."""
    terms = _five_terms(
        stats.norm.logpdf(z[..., None], _MEANS, _STDS),
        stats.norm.logpdf(z, _MEAN, _STD),
    )
    return np.asarray(-(terms.kl_z + terms.kl_c)), terms


def _nodes(n):
    """Points and weights of E_q(z|x), by Gauss and Hermite."""
    x, w = special.roots_hermitenorm(n)
    return _MEAN + _STD * x, w / np.sum(w)


def _stratified(n):
    """One sample in the middle of each n-th of q(z|x), shape (n, 1)."""
    return stats.norm.ppf((np.arange(n) + 0.5) / n, _MEAN, _STD)[:, None]


def _expectation(function):
    """E_q(z|x) by adaptive quadrature."""
    return integrate.quad(
        lambda z: stats.norm.pdf(z, _MEAN, _STD) * function(z),
        _MEAN - 12 * _STD,
        _MEAN + 12 * _STD,
        epsabs=1e-12,
    )[0]


@functools.cache
def _mixture_bound():
    """-KL(q(z|x) || p(z)), with c summed out."""
    return _expectation(
        lambda z: (
            np.log(_WEIGHTS @ stats.norm.pdf(z, _MEANS, _STDS))
            - stats.norm.logpdf(z, _MEAN, _STD)
        )
    )


def _mean_field_bound():
    """logsumexp_c(log pi_c - KL(q(z|x) || p(z|c))), in closed form."""
    kl = (
        np.log(_STDS / _STD)
        + (_STD**2 + (_MEAN - _MEANS) ** 2) / 2 / _STDS**2
        - 0.5
    )
    return special.logsumexp(np.log(_WEIGHTS) - kl)


class ExpectationTest(oracles.DoubleTestCase):
    def test_with_one_sample_it_is_the_mixture_bound(self):
        # The nodes stand for examples, so that every one has its own sample.
        z, weights = _nodes(150)
        np.testing.assert_allclose(
            weights @ _estimate(z[None])[0], _mixture_bound(), atol=1e-6
        )

    def test_with_many_samples_it_is_the_mean_field_bound(self):
        errors = [
            abs(_estimate(_stratified(n))[0][0] - _mean_field_bound())
            for n in (20, 2000)
        ]
        self.assertLess(errors[1], min(2e-3, errors[0] / 10))

    def test_mean_field_responsibilities_need_no_samples(self):
        _, terms = _estimate(_stratified(20_000))
        spread = _STD**2 + (_MEAN - _MEANS) ** 2
        expected = -np.log(_STDS) - spread / 2 / _STDS**2
        np.testing.assert_allclose(
            np.exp(terms.log_resp[0]),
            special.softmax(np.log(_WEIGHTS) + expected),
            atol=1e-4,
        )

    def test_falls_from_the_mixture_bound_as_samples_are_added(self):
        z, weights = _nodes(60)
        pairs = np.stack([a.ravel() for a in np.meshgrid(z, z)])
        two = np.outer(weights, weights).ravel() @ _estimate(pairs)[0]
        self.assertGreater(_mixture_bound(), two + 1e-3)
        self.assertGreater(two, _mean_field_bound() + 1e-3)
