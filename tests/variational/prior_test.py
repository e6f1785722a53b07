# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The mixture prior and its parameters, against exact sums."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import special

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import prior
from tests import fixtures, oracles

_positive = jax.jit(prior.positive)
_slope = jax.jit(jax.vmap(jax.grad(prior.positive)))
_inverse = jax.jit(prior.positive_inverse)
# Spherical ones are diagonal, tied ones full.
_both = (Covariance.DIAGONAL, Covariance.FULL)


def _softplus10(raw):
    """log(1 + exp(10 raw)) / 10 to 200 digits."""
    with decimal.localcontext(decimal.Context(prec=200)):
        sharp = 10 * decimal.Decimal(float(raw))
        return float((1 + sharp.exp()).ln() / 10)


class PositiveTest(oracles.DoubleTestCase):
    def setUp(self):
        super().setUp()
        self.raw = np.concatenate([np.linspace(-30, 1.99, 301), [0.0, -1e-9]])

    def test_equals_the_formula_in_high_precision_and_so_does_its_slope(self):
        np.testing.assert_allclose(
            _positive(self.raw),
            [_softplus10(raw) for raw in self.raw],
            rtol=1e-13,
        )
        np.testing.assert_allclose(
            _slope(self.raw), 1 / (1 + np.exp(-10 * self.raw)), rtol=1e-13
        )

    def test_is_the_identity_where_ten_times_the_argument_exceeds_20(self):
        raw = np.array([2.0 + 1e-9, 2.5, 30.0, 1e6, 1e300])
        np.testing.assert_array_equal(_positive(raw), raw)
        np.testing.assert_array_equal(_slope(raw), np.ones(len(raw)))
        # PyTorch's convention drops log(1 + exp(-20)) / 10 = 2e-10 there; it
        # grows everywhere else.
        across = np.diff(_positive(np.array([2.0, 2.0 + 1e-12])))
        np.testing.assert_allclose(across, -2.06e-10, rtol=0.01)
        steps = np.diff(_positive(np.linspace(-60, 10, 5001)))
        self.assertGreater(np.min(steps), 0)

    def test_inverse_gives_back_the_number_from_both_sides(self):
        raw = np.linspace(-30, 1.99, 301)
        np.testing.assert_allclose(
            _inverse(_positive(raw)), raw, rtol=1e-13, atol=1e-13
        )
        beyond = np.array([2.1, 5.0, 100.0])
        np.testing.assert_allclose(
            _inverse(_positive(beyond)), beyond, atol=1e-10
        )
        value = np.logspace(-12, 3, 200)
        np.testing.assert_allclose(_positive(_inverse(value)), value, rtol=1e-9)

    def test_float32_stays_positive_finite_and_differentiable(self):
        with jax.enable_x64(False):
            raw = np.array([-8.0, -1.0, 0.0, 1.99, 2.01, 1e4], np.float32)
            value, slope = _positive(raw), _slope(raw)
            self.assertEqual(value.dtype, jnp.float32)
            self.assertTrue(np.all(value > 0) and np.all(np.isfinite(value)))
            self.assertTrue(np.all(slope > 0) and np.all(slope <= 1))
            # Far below, it underflows to zero, never to NaN.
            below = np.array([-1e4, -1e30], np.float32)
            np.testing.assert_array_equal(_positive(below), 0)
            np.testing.assert_array_equal(_slope(below), 0)

    def test_equals_pytorch(self):
        table = fixtures.load("F8")
        raw = np.asarray(table["softplus10/raw"], np.float64)
        self.assert_close(_positive(raw), table["softplus10/f64/value"])
        self.assert_close(_slope(raw), table["softplus10/f64/grad"])
        self.assert_close(
            _inverse(table["softplus10_inverse/y"]),
            table["softplus10_inverse/raw"],
        )


class MomentsTest(oracles.DoubleTestCase):
    @parameterized.product(covariance=_both, shape=((4, 3), (3, 1), (1, 2)))
    def test_equal_the_law_of_total_variance(self, covariance, shape):
        facet = oracles.random_facet(9, *shape, covariance)
        mixture, _ = facet.ours()
        mean = facet.weights @ facet.means
        within = np.diagonal(facet.covariances, 0, 1, 2)
        variance = facet.weights @ (within + (facet.means - mean) ** 2)
        np.testing.assert_allclose(mixture.mean(), mean, rtol=1e-10)
        std = np.sqrt(variance)
        np.testing.assert_allclose(mixture.stddev(), std, rtol=1e-10)

    def test_components_far_from_0_keep_their_digits_in_float32(self):
        """E z^2 - (E z)^2 would lose them."""
        with jax.enable_x64(False):
            mixture = oracles.mixture(
                np.zeros(4), np.full((4, 1), 1000), np.full((4, 1), 0.01)
            )
            np.testing.assert_allclose(mixture.stddev(), 0.01, rtol=1e-5)

    @parameterized.product(covariance=_both, temperature=(0.0, 0.5))
    def test_temperature_scales_draws_about_the_means(
        self, covariance, temperature
    ):
        facet = oracles.random_facet(6, 3, 2, covariance)
        mixture, _ = facet.ours()
        components, key = mixture.components_distribution, jax.random.key(1)
        at_1, found = (
            family.sample(seed=key, sample_shape=(5,))
            for family in (components, prior.tempered(components, temperature))
        )
        wanted = facet.means + temperature * (at_1 - facet.means)
        self.assert_close(found, wanted)


# The parameter that holds the scales, and its shape.
_SHAPES = {
    Covariance.DIAGONAL: lambda k, d: {"raw_var": (k, d)},
    Covariance.FULL: lambda k, d: {"raw_tril": (k, d, d)},
    Covariance.SPHERICAL: lambda k, d: {"raw_var": (k, 1)},
    Covariance.TIED: lambda k, d: {"raw_tril": (1, d, d)},
}


class MixturePriorTest(parameterized.TestCase):
    @parameterized.product(covariance=tuple(Covariance), variance=(0.01, 9.0))
    def test_starts_uniform_at_zero_with_the_given_variance(
        self, covariance, variance
    ):
        module = prior.MixturePrior(5, 3, covariance, variance)
        mixture, params = jax.jit(module.init_with_output)(jax.random.key(0))
        parts = oracles.parts(mixture)
        np.testing.assert_allclose(
            np.exp(parts.log_weights), np.full(5, 0.2), rtol=1e-6
        )
        np.testing.assert_array_equal(parts.means, np.zeros((5, 3)))
        is_full = covariance in (Covariance.FULL, Covariance.TIED)
        std = np.sqrt(variance) * (np.eye(3) if is_full else np.ones(3))
        np.testing.assert_allclose(parts.scale, np.stack([std] * 5), rtol=1e-6)
        self.assertEqual(
            jax.tree.map(np.shape, params["params"]),
            {"logits": (5,), "means": (5, 3), **_SHAPES[covariance](5, 3)},
        )

    @parameterized.parameters(*Covariance)
    def test_parameters_are_read_as_documented_and_given_back(self, covariance):
        rng = np.random.default_rng(7)
        k, d = 4, 3
        logits, means = rng.normal(size=k), rng.normal(size=(k, d))
        params = {"logits": logits, "means": means}
        softplus10 = np.vectorize(_softplus10)
        ((name, shape),) = _SHAPES[covariance](k, d).items()
        raw = params[name] = rng.normal(size=shape)
        if name == "raw_var":
            scale = np.sqrt(softplus10(raw))
        else:
            raw = np.tril(raw)
            scale = np.where(np.eye(d), softplus10(raw), raw)
            # What is above the diagonal is never read.
            params[name] = raw + np.triu(rng.normal(size=(d, d)), 1)
        module = prior.MixturePrior(k, d, covariance, 1.0)
        with jax.enable_x64(True):
            mixture = jax.jit(module.apply)({"params": params})
            back = prior.unconstrained(mixture)
        log_weights = special.log_softmax(logits)
        parts = oracles.parts(mixture)
        np.testing.assert_allclose(parts.log_weights, log_weights)
        np.testing.assert_array_equal(parts.means, means)
        np.testing.assert_allclose(
            parts.scale, np.broadcast_to(scale, parts.scale.shape), rtol=1e-12
        )
        np.testing.assert_array_equal(back["means"], means)
        np.testing.assert_allclose(back["logits"], log_weights)
        np.testing.assert_allclose(back[name], raw, rtol=1e-9)
