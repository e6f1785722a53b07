# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Densities of all components at once, against SciPy, scikit-learn, distrax."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from scipy import linalg
from sklearn import mixture as sk_mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational.elliptical import Gaussians
from tests import oracles

_both = parameterized.parameters(Covariance.DIAGONAL, Covariance.FULL)
_shapes = parameterized.product(
    covariance=(Covariance.DIAGONAL, Covariance.FULL),
    shape=((4, 3), (3, 1), (1, 2)),
)


@jax.jit
def _log_prob(components, z):
    return components.log_prob(z[..., None, :])


@jax.jit
def _expected(components, mean, var):
    return components.expected_log_prob(mean, var)


def _components(facet):
    return facet.ours()[0].components_distribution


class DensityTest(oracles.DoubleTestCase):
    @_shapes
    def test_components_equal_scipy_and_distrax(self, covariance, shape):
        facet = oracles.random_facet(0, *shape, covariance)
        ours = _components(facet)
        z = 2 * np.random.default_rng(1).normal(size=(5, 2, shape[1]))
        found = _log_prob(ours, z)
        np.testing.assert_allclose(found, facet.log_p_z_c(z), rtol=1e-11)
        theirs = distrax.MultivariateNormalTri(
            facet.means, np.linalg.cholesky(facet.covariances)
        )
        np.testing.assert_allclose(
            found, theirs.log_prob(z[..., None, :]), rtol=1e-11
        )
        np.testing.assert_allclose(ours.mean(), theirs.mean())
        np.testing.assert_allclose(
            ours.variance(), np.diagonal(facet.covariances, 0, 1, 2)
        )
        self.assertEqual(ours.batch_shape, theirs.batch_shape)
        self.assertEqual(ours.event_shape, theirs.event_shape)
        # Draws are placed as SciPy's are: mean + root of the covariance.
        few = ours[np.array([0, -1])]
        draws = few.sample(seed=jax.random.key(0), sample_shape=(7, 2))
        noise = np.asarray(
            jax.random.normal(jax.random.key(0), (14, *few.loc.shape))
        )
        roots = np.linalg.cholesky(facet.covariances)[[0, -1]]
        wanted = facet.means[[0, -1]] + np.einsum("kde,nke->nkd", roots, noise)
        self.assert_close(draws.reshape(wanted.shape), wanted)

    @parameterized.parameters(
        (Covariance.DIAGONAL, "diag"),
        (Covariance.FULL, "full"),
    )
    def test_marginal_equals_scikit_learn(self, covariance, name):
        facet = oracles.random_facet(2, 4, 3, covariance)
        z = 2 * np.random.default_rng(3).normal(size=(6, 3))
        theirs = sk_mixture.GaussianMixture(4, covariance_type=name)
        theirs.weights_, theirs.means_ = facet.weights, facet.means
        theirs.precisions_cholesky_ = {
            "diag": lambda scale: 1 / scale,
            "spherical": lambda scale: 1 / scale[:, 0],
            "full": lambda scale: np.linalg.inv(scale).swapaxes(1, 2),
            "tied": lambda scale: np.linalg.inv(scale[0]).T,
        }[name](facet.scale)
        self.assert_close(facet.ours()[0].log_prob(z), theirs.score_samples(z))

    @_shapes
    def test_expectation_is_the_textbook_formula(self, covariance, shape):
        facet = oracles.random_facet(11, *shape, covariance, n=3)
        ours = _components(facet)
        np.testing.assert_allclose(
            _expected(ours, facet.q_mean, facet.q_std**2),
            facet.expected_log_p_z_c(),
            rtol=1e-11,
        )
        # Without spread it is the density at the mean.
        np.testing.assert_allclose(
            _expected(ours, facet.q_mean, 0 * facet.q_std),
            _log_prob(ours, facet.q_mean),
        )

    @_both
    def test_expectation_is_the_mean_over_the_nodes_of_quadrature(
        self, covariance
    ):
        # Two nodes a direction integrate a quadratic exactly.
        facet = oracles.random_facet(12, 3, 2, covariance, n=1)
        signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
        z = facet.q_mean + facet.q_std * signs
        np.testing.assert_allclose(
            _expected(_components(facet), facet.q_mean, facet.q_std**2)[0],
            facet.log_p_z_c(z).mean(axis=0),
            rtol=1e-11,
        )

    @_both
    def test_far_components_have_finite_densities_in_float32(self, covariance):
        facet = oracles.random_facet(4, 3, 2, covariance)
        far = Gaussians(
            facet.means + np.array([[0], [1e3], [-1e3]]),
            (facet.scale.T * np.array([1e-3, 1.0, 1e3])).T,
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
        components = Gaussians(means, scale)
        ours = _log_prob(components, z), _expected(components, z, var)
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
            precise = _log_prob(*jax.tree.map(np.float64, (components, z)))
        np.testing.assert_allclose(
            np.asarray(precise)[own, :, own],
            double[0][own, :, own],
            rtol=1e-7,
            atol=1e-7,
        )

    @parameterized.parameters(1, 2, 7, 22)
    @pytest.mark.slow
    def test_gradient_in_the_factor_equals_finite_differences(self, d):
        """The inverse of a factor shows in the gradient of its density."""
        rng = np.random.default_rng(17)
        facet = oracles.random_facet(15, 2, d, Covariance.FULL)
        at = facet.scale + np.eye(d)
        z = rng.normal(size=(1, d))

        def total(scale):
            components = Gaussians(facet.means, scale)
            return jnp.sum(
                components.expected_log_prob(z, 0.5 * np.ones_like(z))
            )

        with jax.enable_x64(True):
            gradient = np.asarray(jax.jit(jax.grad(total))(at))
            value = jax.jit(total)
            for _ in range(3):
                direction = np.tril(rng.normal(size=at.shape))
                ends = [value(at + step * direction) for step in (1e-6, -1e-6)]
                np.testing.assert_allclose(
                    np.sum(gradient * direction),
                    (ends[0] - ends[1]) / 2e-6,
                    rtol=1e-6,
                )
        upper = np.triu(np.ones((d, d), bool), 1)
        np.testing.assert_array_equal(gradient[:, upper], 0)

    @parameterized.product(is_graded=(True, False), d=(5, 22))
    def test_gradient_at_condition_1e6_is_that_of_a_triangular_solve(
        self, is_graded, d
    ):
        rng = np.random.default_rng(9)
        k, n = 4, 20
        scale = np.stack(
            [_ill_conditioned(rng, d, 1e6, is_graded) for _ in range(k)]
        )
        noise = rng.normal(size=(n, k, d))
        scale, noise = np.float32(scale), np.float32(noise)
        z = np.einsum("kde,nke->nkd", scale, noise)

        def ours(scale, z):
            return jnp.sum(
                Gaussians(jnp.zeros((k, d), z.dtype), scale).log_prob(z)
            )

        def by_solve(scale, z):
            white = jax.lax.linalg.triangular_solve(
                jnp.broadcast_to(scale, (n, k, d, d)),
                z[..., None],
                left_side=True,
                lower=True,
            )
            diagonal = jnp.diagonal(scale, axis1=1, axis2=2)
            return -0.5 * jnp.sum(white**2) - n * jnp.sum(jnp.log(diagonal))

        found, solved = (
            np.tril(jax.jit(jax.grad(f))(scale, z)) for f in (ours, by_solve)
        )
        with jax.enable_x64(True):
            truth = np.tril(
                jax.jit(jax.grad(by_solve))(*map(np.float64, (scale, z)))
            )
        error, theirs = (
            np.linalg.norm(of - truth, axis=(1, 2))
            / np.linalg.norm(truth, axis=(1, 2))
            for of in (found, solved)
        )
        self.assertLess(error.max(), 1e-4 + 1.5 * theirs.max())
