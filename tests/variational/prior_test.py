# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The mixture prior, against SciPy, scikit-learn, distrax and exact sums."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import linalg, stats
from sklearn import mixture as sk_mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import prior
from tests import fixtures, oracles

_positive = jax.jit(prior.positive)
_slope = jax.jit(jax.vmap(jax.grad(prior.positive)))
_inverse = jax.jit(prior.positive_inverse)
_log_prob = jax.jit(prior.component_log_prob)
_expected = jax.jit(prior.expected_component_log_prob)
_both = parameterized.parameters(*Covariance)
_shapes = parameterized.product(
    covariance=tuple(Covariance), shape=((4, 3), (3, 1), (1, 2))
)


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


class DensityTest(oracles.DoubleTestCase):
    @_shapes
    def test_components_equal_scipy_and_distrax(self, covariance, shape):
        facet = oracles.random_facet(0, *shape, covariance)
        mixture, _ = facet.ours()
        z = 2 * np.random.default_rng(1).normal(size=(5, 2, shape[1]))
        ours = _log_prob(mixture, z)
        np.testing.assert_allclose(ours, facet.log_p_z_c(z), rtol=1e-11)
        theirs = prior.distribution(mixture).components_distribution.log_prob(
            z[..., None, :]
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)

    @_both
    def test_marginal_equals_scikit_learn(self, covariance):
        facet = oracles.random_facet(2, 4, 3, covariance)
        mixture, _ = facet.ours()
        z = 2 * np.random.default_rng(3).normal(size=(6, 3))
        theirs = sk_mixture.GaussianMixture(4, covariance_type="full")
        theirs.weights_, theirs.means_ = facet.weights, facet.means
        theirs.precisions_cholesky_ = np.linalg.inv(
            np.linalg.cholesky(facet.covariances)
        ).swapaxes(-1, -2)
        np.testing.assert_allclose(
            prior.distribution(mixture).log_prob(z),
            theirs.score_samples(z),
            rtol=1e-11,
        )

    @_shapes
    def test_expectation_is_the_textbook_formula(self, covariance, shape):
        facet = oracles.random_facet(11, *shape, covariance, n=3)
        mixture, _ = facet.ours()
        np.testing.assert_allclose(
            _expected(mixture, facet.q_mean, facet.q_std**2),
            facet.expected_log_p_z_c(),
            rtol=1e-11,
        )
        # Without spread it is the density at the mean.
        np.testing.assert_allclose(
            _expected(mixture, facet.q_mean, 0 * facet.q_std),
            _log_prob(mixture, facet.q_mean),
        )

    @_both
    def test_expectation_is_the_mean_over_the_nodes_of_quadrature(
        self, covariance
    ):
        # Two nodes a direction integrate a quadratic exactly.
        facet = oracles.random_facet(12, 3, 2, covariance, n=1)
        mixture, _ = facet.ours()
        signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
        z = facet.q_mean + facet.q_std * signs
        np.testing.assert_allclose(
            _expected(mixture, facet.q_mean, facet.q_std**2)[0],
            facet.log_p_z_c(z).mean(axis=0),
            rtol=1e-11,
        )

    @_both
    def test_far_components_have_finite_densities_in_float32(self, covariance):
        mixture, _ = oracles.random_facet(4, 3, 2, covariance).ours()
        factors = np.array([1e-3, 1.0, 1e3])
        far = mixture._replace(
            means=mixture.means + np.array([[0], [1e3], [-1e3]]),
            scale=(mixture.scale.T * factors).T,
        )
        with jax.enable_x64(False):
            ours = _log_prob(
                jax.tree.map(np.float32, far), np.ones((1, 2), np.float32)
            )
        self.assertEqual(ours.dtype, jnp.float32)
        self.assertTrue(np.all(np.isfinite(ours)), str(ours))


def _ill_conditioned(rng, d, condition, is_graded):
    """A Cholesky factor: of axes scaled apart, or of a turned ellipsoid."""
    scales = np.logspace(0, -np.log10(condition), d)
    if is_graded:
        unit = np.eye(d) + 0.5 * np.tril(rng.normal(size=(d, d)), -1)
        return scales[:, None] * unit
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    upper = np.linalg.qr((turn * scales).T)[1]
    return upper.T * np.sign(np.diag(upper))


def _by_solves(scale, means, z, var):
    """log p(z|c) and its expectation, (K, N, K), in the input's precision."""
    log_p, expected = [], []
    d = z.shape[-1]
    for root, mean in zip(scale, means, strict=True):
        white = linalg.solve_triangular(
            root, (z - mean).reshape(-1, d).T, lower=True
        ).T.reshape(z.shape)
        inverse = linalg.solve_triangular(
            root, np.eye(d, dtype=z.dtype), lower=True
        )
        log_p.append(
            -0.5 * np.sum(white**2, axis=-1)
            - np.sum(np.log(np.diag(root)))
            - 0.5 * d * np.log(2 * np.pi)
        )
        expected.append(log_p[-1] - 0.5 * var @ np.sum(inverse**2, axis=0))
    return np.stack(log_p, axis=-1), np.stack(expected, axis=-1)


class ConditioningTest(parameterized.TestCase):
    @parameterized.product(
        condition=(1e2, 1e4, 1e6), is_graded=(True, False), d=(2, 5, 22)
    )
    def test_errors_are_near_those_of_a_triangular_solve(
        self, condition, is_graded, d
    ):
        """float32 against float64 at the same single-precision numbers."""
        rng = np.random.default_rng(9)
        k, n = 4, 20
        scale = np.stack(
            [_ill_conditioned(rng, d, condition, is_graded) for _ in range(k)]
        )
        means = rng.normal(size=(k, d))
        z = means[:, None] + np.einsum(
            "kde,kne->knd", scale, rng.normal(size=(k, n, d))
        )
        scale, means, z = jax.tree.map(np.float32, (scale, means, z))
        # As wide as the narrowest direction of all, so that no trace is huge.
        inverses = np.linalg.inv(np.float64(scale))
        narrow = 1 / np.linalg.norm(inverses, axis=1).max()
        var = np.full_like(z, narrow**2)
        mixture = prior.Mixture(np.zeros(k, np.float32), means, scale)
        ours = _log_prob(mixture, z), _expected(mixture, z, var)
        double = _by_solves(*jax.tree.map(np.float64, (scale, means, z, var)))
        single = _by_solves(scale, means, z, var)
        for mine, truth, theirs in zip(ours, double, single, strict=True):
            self.assertEqual(mine.dtype, jnp.float32)
            # Of samples to their own component: the others are far away.
            own = np.arange(k)
            size = np.maximum(1, np.abs(truth[own, :, own]))
            error, solve = (
                np.max(np.abs(found[own, :, own] - truth[own, :, own]) / size)
                for found in (np.asarray(mine), theirs)
            )
            self.assertLess(error, 1e-5 + 15 * solve)
        with jax.enable_x64(True):
            precise = _log_prob(*jax.tree.map(np.float64, (mixture, z)))
        np.testing.assert_allclose(
            np.asarray(precise)[own, :, own],
            double[0][own, :, own],
            rtol=1e-7,
            atol=1e-7,
        )

    @parameterized.parameters(1, 2, 7, 22)
    def test_gradient_in_the_factor_equals_finite_differences(self, d):
        """The inverse of a factor shows in the gradient of its density."""
        rng = np.random.default_rng(17)
        mixture, _ = oracles.random_facet(15, 2, d, Covariance.FULL).ours()
        mixture = mixture._replace(scale=mixture.scale + np.eye(d))
        z = rng.normal(size=(1, d))

        def total(scale):
            return jnp.sum(
                prior.expected_component_log_prob(
                    mixture._replace(scale=scale), z, 0.5 * np.ones_like(z)
                )
            )

        with jax.enable_x64(True):
            gradient = np.asarray(jax.jit(jax.grad(total))(mixture.scale))
            value = jax.jit(total)
            for _ in range(3):
                direction = np.tril(rng.normal(size=mixture.scale.shape))
                ends = [
                    value(mixture.scale + step * direction)
                    for step in (1e-6, -1e-6)
                ]
                np.testing.assert_allclose(
                    np.sum(gradient * direction),
                    (ends[0] - ends[1]) / 2e-6,
                    rtol=1e-6,
                )
        upper = np.triu(np.ones((d, d), bool), 1)
        np.testing.assert_array_equal(gradient[:, upper], 0)


class MomentsTest(oracles.DoubleTestCase):
    @_shapes
    def test_equal_the_law_of_total_variance(self, covariance, shape):
        facet = oracles.random_facet(9, *shape, covariance)
        mean, std = prior.moments(facet.ours()[0])
        of_z, variance = _moments(facet)
        np.testing.assert_allclose(mean, of_z, rtol=1e-10)
        np.testing.assert_allclose(std, np.sqrt(np.diag(variance)), rtol=1e-10)

    def test_components_far_from_0_keep_their_digits_in_float32(self):
        """E z^2 - (E z)^2 would lose them."""
        mixture = prior.Mixture(
            np.log(np.full(4, 0.25)).astype(np.float32),
            np.full((4, 1), 1000, np.float32),
            np.full((4, 1), 0.01, np.float32),
        )
        with jax.enable_x64(False):
            _, std = prior.moments(mixture)
        np.testing.assert_allclose(std, 0.01, rtol=1e-5)

    @parameterized.product(
        covariance=tuple(Covariance), temperature=(0.0, 0.5, 1.0)
    )
    def test_samples_have_the_mean_and_the_covariance_at_a_temperature(
        self, covariance, temperature
    ):
        facet = oracles.random_facet(6, 3, 2, covariance)
        n = 100_000
        z = np.asarray(
            prior.distribution(facet.ours()[0], temperature).sample(
                seed=jax.random.key(1), sample_shape=n
            )
        )
        mean, wanted = _moments(facet, temperature)
        variance = np.max(np.diag(wanted))
        # Five standard errors; those of the covariance as of a Gaussian's
        # variance, doubled because a mixture's tails are other.
        np.testing.assert_allclose(
            z.mean(axis=0), mean, atol=5 * np.sqrt(variance / n)
        )
        np.testing.assert_allclose(
            np.cov(z.T), wanted, atol=10 * variance * np.sqrt(2 / n)
        )
        if temperature == 0:  # the means themselves, with their weights
            _, counts = np.unique(z[:, 0], return_counts=True)
            order = np.argsort(facet.means[:, 0])
            result = stats.chisquare(counts, n * facet.weights[order])
            self.assertGreater(result.pvalue, 1e-3)


def _moments(facet, temperature=1.0):
    """Mean and covariance of the mixture."""
    mean = facet.weights @ facet.means
    second = sum(
        w * (temperature**2 * c + np.outer(m, m))
        for w, c, m in zip(
            facet.weights, facet.covariances, facet.means, strict=True
        )
    )
    return mean, second - np.outer(mean, mean)


class MixturePriorTest(parameterized.TestCase):
    @parameterized.product(covariance=tuple(Covariance), variance=(0.01, 9.0))
    def test_starts_uniform_at_zero_with_the_given_variance(
        self, covariance, variance
    ):
        module = prior.MixturePrior(5, 3, covariance, variance)
        mixture, params = jax.jit(module.init_with_output)(jax.random.key(0))
        np.testing.assert_allclose(
            np.exp(mixture.log_weights), np.full(5, 0.2), rtol=1e-6
        )
        np.testing.assert_array_equal(mixture.means, np.zeros((5, 3)))
        is_full = covariance is Covariance.FULL
        std = np.sqrt(variance) * (np.eye(3) if is_full else np.ones(3))
        np.testing.assert_allclose(
            mixture.scale, np.stack([std] * 5), rtol=1e-6
        )
        self.assertEqual(
            set(params["params"]),
            {"logits", "means", "raw_tril" if is_full else "raw_var"},
        )

    @_both
    def test_parameters_are_read_as_documented_and_given_back(self, covariance):
        rng = np.random.default_rng(7)
        k, d = 4, 3
        params = {
            "logits": rng.normal(size=k),
            "means": rng.normal(size=(k, d)),
        }
        softplus10 = np.vectorize(_softplus10)
        if covariance is Covariance.DIAGONAL:
            raw = params["raw_var"] = rng.normal(size=(k, d))
            scale = np.sqrt(softplus10(raw))
        else:
            raw = params["raw_tril"] = np.tril(rng.normal(size=(k, d, d)))
            scale = np.where(np.eye(d), softplus10(raw), raw)
            # What is above the diagonal is never read.
            params["raw_tril"] = raw + np.triu(rng.normal(size=(d, d)), 1)
        module = prior.MixturePrior(k, d, covariance, 1.0)
        with jax.enable_x64(True):
            mixture = jax.jit(module.apply)({"params": params})
            back = prior.unconstrained(mixture)
        weights = np.exp(params["logits"]) / np.sum(np.exp(params["logits"]))
        np.testing.assert_allclose(np.exp(mixture.log_weights), weights)
        np.testing.assert_array_equal(mixture.means, params["means"])
        np.testing.assert_allclose(mixture.scale, scale, rtol=1e-12)
        np.testing.assert_array_equal(back["means"], params["means"])
        np.testing.assert_allclose(back["logits"], np.log(weights))
        np.testing.assert_allclose(
            back.get("raw_var", back.get("raw_tril")), raw, rtol=1e-9
        )
