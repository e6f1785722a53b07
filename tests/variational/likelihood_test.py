# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""p(x|z), against SciPy, distrax and exact arithmetic."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import special, stats

from mfcvae_jax.settings import Bernoulli, Gaussian, OutputUnits
from mfcvae_jax.variational import likelihood
from tests import fixtures

_EXTREME = (-1e4, -750.0, -89.0, -17.0, 0.0, 17.0, 89.0, 750.0, 1e4)
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


def _exact_bernoulli(logit, x):
    """x l - log(1 + e^l) and its slope x - 1/(1 + e^-l), to 60 digits."""
    with decimal.localcontext(decimal.Context(prec=60)):
        logit, x = decimal.Decimal(float(logit)), decimal.Decimal(float(x))
        return (
            float(x * logit - (1 + logit.exp()).ln()),
            float(x - 1 / (1 + (-logit).exp())),
        )


def _exact(logit, x):
    pairs = [[_exact_bernoulli(one, each) for each in x] for one in logit]
    return np.moveaxis(np.array(pairs), -1, 0)


def _batch(seed):
    """An output of L = 2 samples, and grey images of B = 3 examples."""
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(2, 3, 4, 5, 2)), rng.random((3, 4, 5, 2))


class BernoulliTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    def test_sums_the_cross_entropy_over_pixels_of_grey_images(self):
        output, x = _batch(0)
        ours = jax.jit(likelihood.log_prob, static_argnums=0)(
            Bernoulli(), output, x
        )
        p = special.expit(output)
        pixels = special.xlogy(x, p) + special.xlog1py(1 - x, -p)
        self.assertEqual(ours.shape, (2, 3))
        np.testing.assert_allclose(ours, pixels.sum((2, 3, 4)), rtol=1e-12)

    def test_binary_images_have_scipy_s_probabilities(self):
        output, grey = _batch(1)
        x = np.round(grey)
        ours = jax.jit(likelihood.log_prob, static_argnums=0)(
            Bernoulli(), output, x
        )
        oracle = stats.bernoulli.logpmf(x, special.expit(output))
        np.testing.assert_allclose(ours, oracle.sum((2, 3, 4)), rtol=1e-12)

    def test_extreme_logits_are_finite_and_exact(self):
        x = np.array([0.0, 0.3, 1.0])
        logit = np.array(_EXTREME)
        value, slope = _bernoulli_pixel(logit[:, None], x)
        exact_value, exact_slope = _exact(logit, x)
        self.assertTrue(np.all(np.isfinite(value)))
        # To a few roundings of the two numbers whose difference it is.
        error = np.abs(value - exact_value)
        size = np.finfo(np.float64).eps * (np.abs(logit[:, None]) + 1)
        self.assertTrue(np.all(error <= 4 * size), str(error / size))
        np.testing.assert_allclose(slope, exact_slope, atol=1e-15)

    def test_extreme_logits_are_finite_and_unsaturated_in_float32(self):
        with jax.enable_x64(False):
            x = np.array([0.0, 0.3, 1.0], np.float32)
            logit = np.array(_EXTREME, np.float32)
            value, slope = _bernoulli_pixel(logit[:, None], x)
            exact_value, exact_slope = _exact(logit, x)
            self.assertEqual(value.dtype, jnp.float32)
            np.testing.assert_allclose(value, exact_value, rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(slope, exact_slope, atol=1e-6)
            # A wrong pixel is wrong without limit, and always pulls back.
            self.assertEqual(value[0, 2], -1e4)
            self.assertEqual(slope[0, 2], 1.0)

    @fixtures.needs_fixtures
    def test_equals_the_official_one_until_that_saturates(self):
        table = fixtures.load("F8")
        logit, x = (np.float64(table[key]) for key in ("logit", "x"))
        value, slope = _bernoulli_pixel(logit[:, None], x)
        exact_value, exact_slope = _exact(logit, x)
        is_inside = np.abs(logit) < 15
        self.assertTrue(np.any(is_inside) and not np.all(is_inside))
        for ours, name, exact in (
            (value, "log_prob", exact_value),
            (slope, "dlogprob_dlogit", exact_slope),
        ):
            official = table[f"f64/{name}"]
            np.testing.assert_allclose(
                ours[is_inside], official[is_inside], rtol=1e-9, atol=1e-9
            )
            np.testing.assert_allclose(ours, exact, rtol=1e-12, atol=1e-12)
            # Outside, the official clamps show: it is not ours that is off.
            error = np.abs(official - exact)
            self.assertGreater(np.max(error[~is_inside]), 0.1)


class GaussianTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.parameters(*_FORMS[1:])
    def test_sums_scipy_s_log_density_over_pixels(self, form):
        output, x = _batch(2)
        ours = jax.jit(likelihood.log_prob, static_argnums=0)(form, output, x)
        is_sigmoid = form.output is OutputUnits.SIGMOID
        mean = special.expit(output) if is_sigmoid else output
        pixels = stats.norm.logpdf(x, mean, form.std)
        self.assertEqual(ours.shape, (2, 3))
        np.testing.assert_allclose(ours, pixels.sum((2, 3, 4)), rtol=1e-12)

    @parameterized.parameters(*_FORMS[1:])
    def test_slope_equals_finite_differences_of_scipy(self, form):
        output = np.linspace(-3, 3, 7)[:, None]
        x = np.array([0.0, 0.4, 1.0])
        _, slope = _pixel(form)(output, x)
        is_sigmoid = form.output is OutputUnits.SIGMOID

        def oracle(output):
            mean = special.expit(output) if is_sigmoid else output
            return stats.norm.logpdf(x, mean, form.std)

        step = 1e-6
        differences = (oracle(output + step) - oracle(output - step)) / 2e-6
        np.testing.assert_allclose(slope, differences, rtol=1e-6, atol=1e-7)


class BothTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.parameters(*_FORMS)
    def test_log_prob_and_mean_are_those_of_the_distribution(self, form):
        output, x = _batch(3)
        x = np.round(x)  # distrax knows Bernoulli for binary events only

        @jax.jit
        def compare(output, x):
            theirs = likelihood.distribution(form, output)
            return (
                (likelihood.log_prob(form, output, x), theirs.log_prob(x)),
                (likelihood.mean(form, output), theirs.mean()),
            )

        for ours, theirs in compare(output, x):
            self.assertEqual(ours.shape, theirs.shape)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)

    def test_a_form_that_nobody_implemented_is_named(self):
        output, x = _batch(3)
        for call in (
            lambda: likelihood.log_prob("poisson", output, x),
            lambda: likelihood.mean("poisson", output),
            lambda: likelihood.distribution("poisson", output),
        ):
            with self.assertRaisesRegex(TypeError, "poisson.*register"):
                call()

    def test_mean_is_the_output_itself_only_where_units_are_linear(self):
        output, _ = _batch(4)
        bernoulli, sigmoid, linear = (
            jax.jit(likelihood.mean, static_argnums=0)(form, output)
            for form in _FORMS
        )
        np.testing.assert_array_equal(linear, output)
        for squashed in (bernoulli, sigmoid):
            np.testing.assert_allclose(squashed, special.expit(output))


if __name__ == "__main__":
    absltest.main()
