# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The mixture prior, against SciPy, scikit-learn, distrax and exact sums."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import linalg, stats
from sklearn import mixture as sk_mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import prior
from tests import fixtures, oracles

_positive = jax.jit(prior.positive)
_slope = jax.jit(jax.vmap(jax.grad(prior.positive)))
_inverse = jax.jit(prior.positive_inverse)
_component_log_prob = jax.jit(prior.component_log_prob)
_expected = jax.jit(prior.expected_component_log_prob)


def _mixture(seed, k, d, covariance):
    """A random mixture, and its covariances, shape (K, D, D)."""
    rng = np.random.default_rng(seed)
    std = rng.uniform(0.2, 2.0, (k, d))
    scale = std
    covariances = np.stack([np.diag(s**2) for s in std])
    if covariance is Covariance.FULL:
        scale = np.tril(rng.normal(size=(k, d, d)), -1)
        scale[:, range(d), range(d)] = std
        covariances = scale @ scale.swapaxes(-1, -2)
    weights = rng.dirichlet(np.ones(k))
    means = rng.normal(size=(k, d))
    return prior.Mixture(np.log(weights), means, scale), covariances


def _softplus10(raw):
    """log(1 + exp(10 raw)) / 10 to 200 digits."""
    with decimal.localcontext(decimal.Context(prec=200)):
        sharp = 10 * decimal.Decimal(float(raw))
        return float((1 + sharp.exp()).ln() / 10)


class PositiveTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
        self.raw = np.concatenate([np.linspace(-30, 1.99, 301), [0.0, -1e-9]])

    def test_equals_the_formula_in_high_precision(self):
        np.testing.assert_allclose(
            _positive(self.raw),
            [_softplus10(raw) for raw in self.raw],
            rtol=1e-13,
        )

    def test_is_the_identity_where_ten_times_the_argument_exceeds_20(self):
        raw = np.array([2.0 + 1e-9, 2.5, 30.0, 1e6, 1e300])
        np.testing.assert_array_equal(_positive(raw), raw)
        np.testing.assert_array_equal(_slope(raw), np.ones(len(raw)))

    def test_slope_is_the_logistic_function_of_ten_times_the_argument(self):
        np.testing.assert_allclose(
            _slope(self.raw), 1 / (1 + np.exp(-10 * self.raw)), rtol=1e-13
        )

    def test_grows_but_for_the_seam_of_the_two_branches(self):
        # PyTorch's convention drops log(1 + exp(-20)) / 10 = 2e-10 there.
        value = np.asarray(_positive(np.linspace(-60, 10, 5001)))
        steps = np.diff(value)
        self.assertGreaterEqual(np.min(steps), -2.1e-10)
        self.assertEqual(np.sum(steps <= 0), 0)
        across = np.diff(_positive(np.array([2.0, 2.0 + 1e-12])))
        np.testing.assert_allclose(across, -2.06e-10, rtol=0.01)

    def test_inverse_gives_back_the_unconstrained_number(self):
        raw = np.linspace(-30, 1.99, 301)
        np.testing.assert_allclose(
            _inverse(_positive(raw)), raw, rtol=1e-13, atol=1e-13
        )
        beyond = np.array([2.1, 5.0, 100.0])
        np.testing.assert_allclose(
            _inverse(_positive(beyond)), beyond, atol=1e-10
        )

    def test_inverse_gives_back_the_positive_number(self):
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

    @fixtures.needs_fixtures
    def test_equals_pytorch(self):
        table = fixtures.load("F8")
        raw = np.asarray(table["softplus10/raw"], np.float64)
        np.testing.assert_allclose(
            _positive(raw), table["softplus10/f64/value"], rtol=1e-9
        )
        np.testing.assert_allclose(
            _slope(raw), table["softplus10/f64/grad"], rtol=1e-9
        )
        np.testing.assert_allclose(
            _inverse(table["softplus10_inverse/y"]),
            table["softplus10_inverse/raw"],
            rtol=1e-9,
        )


class DensityTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        covariance=tuple(Covariance), shape=((4, 3), (1, 2), (3, 1))
    )
    def test_components_equal_scipy_and_distrax(self, covariance, shape):
        k, d = shape
        mixture, covariances = _mixture(0, k, d, covariance)
        z = 2 * np.random.default_rng(1).normal(size=(5, 2, d))
        ours = _component_log_prob(mixture, z)
        self.assertEqual(ours.shape, (5, 2, k))
        for c in range(k):
            oracle = stats.multivariate_normal(mixture.means[c], covariances[c])
            np.testing.assert_allclose(
                ours[..., c],
                oracle.logpdf(z).reshape(5, 2),
                rtol=1e-11,
                err_msg=f"component {c}",
            )
        theirs = jax.jit(
            lambda m, z: prior.distribution(m).components_distribution.log_prob(
                z[..., None, :]
            )
        )(mixture, z)
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)

    @parameterized.parameters(*Covariance)
    def test_marginal_equals_scikit_learn(self, covariance):
        mixture, covariances = _mixture(2, 4, 3, covariance)
        z = 2 * np.random.default_rng(3).normal(size=(6, 3))
        is_full = covariance is Covariance.FULL
        theirs = sk_mixture.GaussianMixture(
            4, covariance_type="full" if is_full else "diag"
        )
        theirs.weights_ = np.exp(mixture.log_weights)
        theirs.means_ = mixture.means
        theirs.precisions_cholesky_ = (
            np.linalg.inv(np.linalg.cholesky(covariances)).swapaxes(-1, -2)
            if is_full
            else 1 / mixture.scale
        )
        log_prob = jax.jit(lambda m, z: prior.distribution(m).log_prob(z))
        np.testing.assert_allclose(
            log_prob(mixture, z), theirs.score_samples(z), rtol=1e-11
        )

    @parameterized.parameters(*Covariance)
    def test_far_components_have_finite_densities_in_float32(self, covariance):
        with jax.enable_x64(False):
            mixture, _ = _mixture(4, 3, 2, covariance)
            far = mixture._replace(
                means=mixture.means + np.array([[0], [1e3], [-1e3]]),
                scale=mixture.scale
                * np.array([1e-3, 1.0, 1e3]).reshape(
                    3, *(1,) * (mixture.scale.ndim - 1)
                ),
            )
            single = jax.tree.map(np.float32, far)
            ours = _component_log_prob(single, np.ones((1, 2), np.float32))
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
    """float32 against float64 at the same single-precision numbers."""

    @parameterized.product(
        condition=(1e2, 1e4, 1e6), is_graded=(True, False), d=(2, 5, 22)
    )
    def test_errors_are_near_those_of_a_triangular_solve(
        self, condition, is_graded, d
    ):
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
        narrow = 1 / max(
            np.linalg.norm(np.linalg.inv(np.float64(root)), axis=0).max()
            for root in scale
        )
        var = np.full_like(z, narrow**2)
        mixture = prior.Mixture(np.zeros(k, np.float32), means, scale)
        ours = (
            _component_log_prob(mixture, z),
            _expected(mixture, z, var),
        )
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

    def test_double_precision_equals_a_solve_for_every_sample(self):
        rng = np.random.default_rng(10)
        with jax.enable_x64(True):
            scale = np.stack(
                [_ill_conditioned(rng, 4, 1e6, False) for _ in range(3)]
            )
            mixture = prior.Mixture(np.zeros(3), np.zeros((3, 4)), scale)
            z = np.einsum("kde,e->kd", scale, rng.normal(size=4))
            ours = _component_log_prob(mixture, z)
        for c, root in enumerate(scale):
            white = linalg.solve_triangular(root, z.T, lower=True)
            wanted = stats.norm.logpdf(white).sum(0) - np.sum(
                np.log(np.diag(root))
            )
            np.testing.assert_allclose(ours[:, c], wanted, rtol=1e-7)


class InverseTest(parameterized.TestCase):
    """The inverse of a factor shows in the gradient of its density."""

    @parameterized.parameters(1, 2, 3, 7, 22)
    def test_gradient_in_the_factor_equals_finite_differences(self, d):
        with jax.enable_x64(True):
            mixture, _ = _mixture(15, 2, d, Covariance.FULL)
            mixture = mixture._replace(scale=mixture.scale + np.eye(d))
            z = np.random.default_rng(16).normal(size=(1, d))

            def total(scale):
                return jnp.sum(
                    prior.expected_component_log_prob(
                        mixture._replace(scale=scale), z, 0.5 * np.ones_like(z)
                    )
                )

            gradient = np.asarray(jax.jit(jax.grad(total))(mixture.scale))
            value = jax.jit(total)
            rng = np.random.default_rng(17)
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


class ExpectedDensityTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        covariance=tuple(Covariance), shape=((1, 1), (4, 3), (2, 5))
    )
    def test_is_the_textbook_formula(self, covariance, shape):
        facet = oracles.random_facet(11, *shape, covariance, n=3)
        mixture, _ = facet.ours()
        np.testing.assert_allclose(
            _expected(mixture, facet.q_mean, facet.q_std**2),
            facet.expected_log_p_z_c(),
            rtol=1e-11,
        )

    @parameterized.parameters(*Covariance)
    def test_is_the_mean_over_the_nodes_of_exact_quadrature(self, covariance):
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

    @parameterized.parameters(*Covariance)
    def test_without_spread_it_is_the_density_at_the_mean(self, covariance):
        mixture, _ = _mixture(13, 3, 2, covariance)
        z = np.random.default_rng(14).normal(size=(4, 2))
        np.testing.assert_allclose(
            _expected(mixture, z, np.zeros((4, 2))),
            _component_log_prob(mixture, z),
        )


class SamplingTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.parameters(*Covariance)
    def test_temperature_scales_the_standard_deviation(self, covariance):
        mixture, _ = _mixture(5, 4, 3, covariance)

        @jax.jit
        def deviation(temperature):
            mixed = prior.distribution(mixture, temperature)
            z = mixed.components_distribution.sample(seed=jax.random.key(0))
            return z - mixture.means

        at_one = deviation(1.0)
        self.assertGreater(np.min(np.abs(at_one)), 0)
        for temperature in (0.0, 0.3, 2.0):
            np.testing.assert_allclose(
                deviation(temperature),
                temperature * at_one,
                rtol=1e-5,
                atol=1e-6,
            )

    @parameterized.parameters(*Covariance)
    def test_samples_have_the_mixture_s_mean_and_covariance(self, covariance):
        mixture, covariances = _mixture(6, 3, 2, covariance)
        n = 100_000
        weights = np.exp(mixture.log_weights)
        mean = weights @ mixture.means
        centred = mixture.means - mean
        between = np.einsum("k,kd,ke->de", weights, centred, centred)
        within = np.einsum("k,kde->de", weights, covariances)

        @jax.jit
        def draw(temperature):
            mixed = prior.distribution(mixture, temperature)
            return mixed.sample(seed=jax.random.key(1), sample_shape=n)

        for temperature in (0.5, 1.0):
            z = np.asarray(draw(temperature))
            wanted = between + temperature**2 * within
            variance = np.max(np.diag(wanted))
            # Five standard errors; those of the covariance as of a Gaussian's
            # variance, doubled because a mixture's tails are other.
            np.testing.assert_allclose(
                z.mean(axis=0), mean, atol=5 * np.sqrt(variance / n)
            )
            np.testing.assert_allclose(
                np.cov(z.T), wanted, atol=10 * variance * np.sqrt(2 / n)
            )

    def test_components_are_drawn_with_their_weights(self):
        mixture = prior.Mixture(
            np.log([0.7, 0.25, 0.05]), np.array([[0.0], [1], [2]]), None
        )._replace(scale=np.full((3, 1), 1e-3))
        z = jax.jit(
            lambda key: prior.distribution(mixture).sample(
                seed=key, sample_shape=20_000
            )
        )(jax.random.key(2))
        counts = np.bincount(np.round(z[:, 0]).astype(int), minlength=3)
        result = stats.chisquare(counts, 20_000 * np.exp(mixture.log_weights))
        self.assertGreater(result.pvalue, 1e-3)


class MixturePriorTest(parameterized.TestCase):
    @parameterized.product(
        covariance=tuple(Covariance), variance=(0.01, 1.0, 9.0)
    )
    def test_starts_uniform_at_zero_with_the_given_variance(
        self, covariance, variance
    ):
        module = prior.MixturePrior(5, 3, covariance, variance)
        mixture, params = jax.jit(module.init_with_output)(jax.random.key(0))
        np.testing.assert_allclose(
            np.exp(mixture.log_weights), np.full(5, 0.2), rtol=1e-6
        )
        np.testing.assert_array_equal(mixture.means, np.zeros((5, 3)))
        std = np.broadcast_to(np.sqrt(variance), (5, 3))
        if covariance is Covariance.FULL:
            std = std[..., None] * np.eye(3)
        np.testing.assert_allclose(mixture.scale, std, rtol=1e-6)
        scale_name = {"diagonal": "raw_var", "full": "raw_tril"}
        self.assertEqual(
            set(params["params"]),
            {"logits", "means", scale_name[covariance.value]},
        )

    @parameterized.parameters(*Covariance)
    def test_parameters_are_read_as_documented(self, covariance):
        rng = np.random.default_rng(7)
        k, d = 4, 3
        params = {
            "logits": rng.normal(size=k),
            "means": rng.normal(size=(k, d)),
        }
        module = prior.MixturePrior(k, d, covariance, 1.0)
        softplus10 = np.vectorize(_softplus10)
        if covariance is Covariance.DIAGONAL:
            params["raw_var"] = rng.normal(size=(k, d))
            scale = np.sqrt(softplus10(params["raw_var"]))
        else:
            params["raw_tril"] = rng.normal(size=(k, d, d))
            scale = np.zeros((k, d, d))
            for c in range(k):
                for i in range(d):
                    for e in range(i):
                        scale[c, i, e] = params["raw_tril"][c, i, e]
                    scale[c, i, i] = softplus10(params["raw_tril"][c, i, i])
        with jax.enable_x64(True):
            mixture = jax.jit(module.apply)({"params": params})
        weights = np.exp(params["logits"]) / np.sum(np.exp(params["logits"]))
        np.testing.assert_allclose(np.exp(mixture.log_weights), weights)
        np.testing.assert_array_equal(mixture.means, params["means"])
        np.testing.assert_allclose(mixture.scale, scale, rtol=1e-12)

    def test_strict_upper_triangle_gets_no_gradient_and_the_rest_does(self):
        k, d = 3, 3
        module = prior.MixturePrior(k, d, Covariance.FULL, 0.5)
        rng = np.random.default_rng(8)
        params = {
            "logits": rng.normal(size=k).astype(np.float32),
            "means": rng.normal(size=(k, d)).astype(np.float32),
            "raw_tril": rng.uniform(0.5, 1, (k, d, d)).astype(np.float32),
        }
        z = rng.normal(size=(4, d)).astype(np.float32)

        def log_prob(params):
            mixture = module.apply({"params": params})
            joint = prior.component_log_prob(mixture, z) + mixture.log_weights
            return jnp.sum(jax.nn.logsumexp(joint, axis=-1))

        gradient = np.asarray(jax.jit(jax.grad(log_prob))(params)["raw_tril"])
        upper = np.triu(np.ones((d, d), bool), 1)
        np.testing.assert_array_equal(gradient[:, upper], 0)
        self.assertTrue(np.all(gradient[:, ~upper] != 0))


class UnconstrainedTest(parameterized.TestCase):
    @parameterized.parameters(*Covariance)
    def test_parameters_give_the_mixture_back(self, covariance):
        mixture, _ = _mixture(3, 4, 2, covariance)
        module = prior.MixturePrior(4, 2, covariance, 0.01)
        with jax.enable_x64(True):
            again = module.apply({"params": prior.unconstrained(mixture)})
        for part, same in zip(again, mixture, strict=True):
            np.testing.assert_allclose(part, same, rtol=1e-9, atol=1e-12)


class MomentsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        covariance=tuple(Covariance), shape=((1, 1), (1, 3), (5, 2), (4, 3))
    )
    def test_equal_the_law_of_total_variance(self, covariance, shape):
        mixture, covariances = _mixture(9, *shape, covariance)
        weights = np.exp(mixture.log_weights)
        mean, std = jax.jit(prior.moments)(mixture)
        of_z = np.average(mixture.means, axis=0, weights=weights)
        second = sum(
            w * (c + np.outer(m, m))
            for w, c, m in zip(weights, covariances, mixture.means, strict=True)
        )
        variances = np.diag(second - np.outer(of_z, of_z))
        np.testing.assert_allclose(mean, of_z, rtol=1e-10)
        np.testing.assert_allclose(std, np.sqrt(variances), rtol=1e-10)

    @parameterized.parameters(*Covariance)
    def test_are_those_of_samples_drawn_by_scipy(self, covariance):
        mixture, covariances = _mixture(10, 3, 2, covariance)
        n, rng = 200_000, np.random.default_rng(11)
        drawn = rng.choice(3, n, p=np.exp(mixture.log_weights))
        z = np.concatenate(
            [
                stats.multivariate_normal(m, c).rvs((drawn == k).sum(), rng)
                for k, (m, c) in enumerate(
                    zip(mixture.means, covariances, strict=True)
                )
            ]
        )
        mean, std = prior.moments(mixture)
        np.testing.assert_allclose(mean, z.mean(0), atol=5 * max(std) / n**0.5)
        np.testing.assert_allclose(std, z.std(0), rtol=0.01)

    def test_components_far_from_0_keep_their_digits_in_float32(self):
        """E z^2 - (E z)^2 would lose them."""
        mixture = prior.Mixture(
            np.log(np.full(4, 0.25)).astype(np.float32),
            np.full((4, 1), 1000, np.float32),
            np.full((4, 1), 0.01, np.float32),
        )
        np.testing.assert_allclose(prior.moments(mixture)[1], 0.01, rtol=1e-5)


if __name__ == "__main__":
    absltest.main()
