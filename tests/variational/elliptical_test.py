# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Densities of all components at once, against SciPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from scipy import linalg

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational.elliptical import Gaussians
from tests import oracles

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
    def test_components_equal_scipy_s(self, covariance, shape):
        facet = oracles.random_facet(0, *shape, covariance)
        ours = _components(facet)
        z = 2 * np.random.default_rng(1).normal(size=(5, 2, shape[1]))
        np.testing.assert_allclose(
            _log_prob(ours, z), facet.log_p_z_c(z), rtol=1e-11
        )
        np.testing.assert_array_equal(ours.mean(), facet.means)
        np.testing.assert_allclose(
            ours.variance(), np.diagonal(facet.covariances, 0, 1, 2)
        )
        self.assertEqual(ours.batch_shape + ours.event_shape, shape)
        # Draws are placed as SciPy's are: mean + root of the covariance.
        few = ours[np.array([0, -1])]
        draws = few.sample(seed=jax.random.key(0), sample_shape=(7, 2))
        noise = np.asarray(
            jax.random.normal(jax.random.key(0), (14, *few.loc.shape))
        )
        roots = np.linalg.cholesky(facet.covariances)[[0, -1]]
        wanted = facet.means[[0, -1]] + np.einsum("kde,nke->nkd", roots, noise)
        self.assert_close(draws.reshape(wanted.shape), wanted)

    @_shapes
    def test_expectation_is_the_textbook_formula_and_that_of_quadrature(
        self, covariance, shape
    ):
        facet = oracles.random_facet(11, *shape, covariance, n=3)
        found = _expected(_components(facet), facet.q_mean, facet.q_std**2)
        np.testing.assert_allclose(
            found, facet.expected_log_p_z_c(), rtol=1e-11
        )
        # Two nodes a direction integrate a quadratic exactly.
        nodes = itertools.product((1, -1), repeat=shape[1])
        z = [facet.q_mean + facet.q_std * np.array(node) for node in nodes]
        np.testing.assert_allclose(
            found, facet.log_p_z_c(np.stack(z)).mean(axis=0), rtol=1e-11
        )


def _ill_conditioned(rng, k, d, condition, is_graded):
    """Cholesky factors: of axes scaled apart, or of turned ellipsoids."""
    scales = np.logspace(0, -np.log10(condition), d)
    drawn = rng.normal(size=(k, d, d))
    if is_graded:
        unit = np.eye(d) + 0.5 * np.tril(drawn, -1)
        return scales[:, None] * unit
    axes = np.linalg.qr(drawn)[0] * scales
    upper = np.linalg.qr(axes.swapaxes(1, 2))[1]
    signs = np.sign(np.diagonal(upper, 0, 1, 2))
    return upper.swapaxes(1, 2) * signs[:, None]


def _by_solves(scale, means, z, var):
    """log p(z|c) and its expectation of z drawn from c, both (K, N).

    In the input's precision.
    """
    log_p, expected = [], []
    d = z.shape[-1]
    for root, mean, of_c, spread in zip(scale, means, z, var, strict=True):
        white = linalg.solve_triangular(root, (of_c - mean).T, lower=True)
        eye = np.eye(d, dtype=z.dtype)
        inverse = linalg.solve_triangular(root, eye, lower=True)
        log_p.append(
            -0.5 * np.sum(white**2, axis=0)
            - np.sum(np.log(np.diag(root)))
            - 0.5 * d * np.log(2 * np.pi)
        )
        expected.append(log_p[-1] - 0.5 * spread @ np.sum(inverse**2, axis=0))
    return np.stack(log_p), np.stack(expected)


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
        scale = _ill_conditioned(rng, k, d, condition, is_graded)
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
        own = np.arange(k)  # the other components are far away
        for mine, truth, theirs in zip(ours, double, single, strict=True):
            self.assertEqual(mine.dtype, jnp.float32)
            error, solve = (
                np.max(np.abs(found - truth) / np.maximum(1, np.abs(truth)))
                for found in (np.asarray(mine)[own, :, own], theirs)
            )
            self.assertLess(error, 1e-5 + 15 * solve)
        with jax.enable_x64(True):
            precise = _log_prob(*jax.tree.map(np.float64, (components, z)))
        np.testing.assert_allclose(
            np.asarray(precise)[own, :, own], double[0], rtol=1e-7, atol=1e-7
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
        """In the mean: of single factors, either may be ten times better."""
        rng = np.random.default_rng(9)
        k, n = 2000, 20
        scale = np.float32(_ill_conditioned(rng, k, d, 1e6, is_graded))
        z = scale @ np.float32(rng.normal(size=(k, d, n)))

        def ours(scale, z):
            components = Gaussians(jnp.zeros((k, d), z.dtype), scale)
            return jnp.sum(components.log_prob(z.transpose(2, 0, 1)))

        def by_solve(scale, z):
            white = jax.lax.linalg.triangular_solve(
                scale, z, left_side=True, lower=True
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
        self.assertLess(error.mean(), 1e-4 + 1.5 * theirs.mean())
        self.assertLess(error.max(), 1e-4 + 1.5 * theirs.max())
