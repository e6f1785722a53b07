# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""p(x|z), against SciPy and exact arithmetic."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import special, stats

from mfcvae_jax.settings import Bernoulli, Gaussian, OutputUnits
from mfcvae_jax.variational import likelihood
from tests import fixtures, oracles

_EXTREME = np.array([-1e4, -750.0, -89, -17, 0, 17, 89, 750, 1e4])
_GREY = np.array([0.0, 0.3, 1.0])
_FORMS = (
    Bernoulli(),
    Gaussian(0.3, OutputUnits.SIGMOID),
    Gaussian(0.6, OutputUnits.LINEAR),
)


def _pixel(form):
    """Log density and its slope in the output, for grids of single pixels."""

    def log_prob(output, x):
        return likelihood.log_prob(form, output[None, None, None], x)

    both = jax.value_and_grad(log_prob)
    return jax.jit(jnp.vectorize(both, signature="(),()->(),()"))


_bernoulli_pixel = _pixel(Bernoulli())


def _exact(logit, x):
    """x l - log(1 + e^l) and its slope x - 1/(1 + e^-l), to 60 digits."""

    def pixel(logit, x):
        with decimal.localcontext(decimal.Context(prec=60)):
            logit, x = decimal.Decimal(float(logit)), decimal.Decimal(float(x))
            return (
                float(x * logit - (1 + logit.exp()).ln()),
                float(x - 1 / (1 + (-logit).exp())),
            )

    pairs = [[pixel(one, each) for each in x] for one in logit]
    return np.moveaxis(np.array(pairs), -1, 0)


def _mean(form, output):
    is_linear = getattr(form, "output", None) is OutputUnits.LINEAR
    return output if is_linear else special.expit(output)


def _log_density(form, output, x):
    """By SciPy, pixel by pixel."""
    mean = _mean(form, output)
    if isinstance(form, Bernoulli):
        return special.xlogy(x, mean) + special.xlog1py(1 - x, -mean)
    return stats.norm.logpdf(x, mean, form.std)


class LikelihoodTest(oracles.DoubleTestCase):
    def setUp(self):
        super().setUp()
        # An output of L = 2 samples, and grey images of B = 3 examples.
        rng = np.random.default_rng(0)
        self.output = 2 * rng.normal(size=(2, 3, 4, 5, 2))
        self.x = rng.random((3, 4, 5, 2))

    @parameterized.parameters(*_FORMS)
    def test_sums_scipy_s_log_density_over_pixels(self, form):
        ours = likelihood.log_prob(form, self.output, self.x)
        pixels = _log_density(form, self.output, self.x)
        np.testing.assert_allclose(ours, pixels.sum((2, 3, 4)), rtol=1e-12)
        np.testing.assert_allclose(
            likelihood.mean(form, self.output), _mean(form, self.output)
        )

    @parameterized.parameters(*_FORMS)
    def test_slope_equals_finite_differences_of_scipy(self, form):
        output = np.linspace(-3, 3, 7)[:, None]
        _, slope = _pixel(form)(output, _GREY)
        ends = [_log_density(form, output + s, _GREY) for s in (1e-6, -1e-6)]
        np.testing.assert_allclose(
            slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-7
        )

    def test_a_form_that_nobody_implemented_is_named(self):
        for function, *arguments in (
            (likelihood.log_prob, self.output, self.x),
            (likelihood.mean, self.output),
        ):
            with self.assertRaisesRegex(TypeError, "poisson.*register"):
                function("poisson", *arguments)


class BernoulliTest(oracles.DoubleTestCase):
    def test_extreme_logits_are_finite_and_exact(self):
        value, slope = _bernoulli_pixel(_EXTREME[:, None], _GREY)
        exact_value, exact_slope = _exact(_EXTREME, _GREY)
        self.assertTrue(np.all(np.isfinite(value)))
        # To a few roundings of the two numbers whose difference it is.
        error = np.abs(value - exact_value)
        size = np.finfo(np.float64).eps * (np.abs(_EXTREME[:, None]) + 1)
        self.assertTrue(np.all(error <= 4 * size), str(error / size))
        np.testing.assert_allclose(slope, exact_slope, atol=1e-15)

    def test_extreme_logits_are_finite_and_unsaturated_in_float32(self):
        logit, x = np.float32(_EXTREME), np.float32(_GREY)
        with jax.enable_x64(False):
            value, slope = _bernoulli_pixel(logit[:, None], x)
        exact_value, exact_slope = _exact(logit, x)
        self.assertEqual(value.dtype, jnp.float32)
        np.testing.assert_allclose(value, exact_value, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(slope, exact_slope, atol=1e-6)
        # A wrong pixel is wrong without limit, and always pulls back.
        self.assertEqual(value[0, 2], -1e4)
        self.assertEqual(slope[0, 2], 1.0)

    def test_equals_the_official_one_until_that_saturates(self):
        table = fixtures.load("F8")
        logit, x = (np.float64(table[key]) for key in ("logit", "x"))
        is_inside = np.abs(logit) < 15
        self.assertTrue(np.any(is_inside) and not np.all(is_inside))
        found = _bernoulli_pixel(logit[:, None], x)
        official = (table[f"f64/{k}"] for k in ("log_prob", "dlogprob_dlogit"))
        for ours, theirs, exact in zip(
            found, official, _exact(logit, x), strict=True
        ):
            self.assert_close(ours[is_inside], theirs[is_inside])
            np.testing.assert_allclose(ours, exact, rtol=1e-12, atol=1e-12)
            # Outside, the official clamps show: it is not ours that is off.
            error = np.abs(theirs - exact)
            self.assertGreater(np.max(error[~is_inside]), 0.1)
