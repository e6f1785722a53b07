# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Gradients of the bound, and its values far out."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from scipy import special, stats

from mfcvae_jax import model as model_lib
from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import elbo, posterior, prior
from tests import oracles


def _densities(facet, n_samples):
    z = facet.draw(np.random.default_rng(3), n_samples)
    return elbo.Densities(
        log_p_z_c=facet.log_p_z_c(z),
        log_q_z=facet.log_q_z(z),
        expected_log_p_z_c=facet.expected_log_p_z_c(),
        expected_log_q_z=-stats.norm.entropy(scale=facet.q_std).sum(-1),
        log_weights=np.log(facet.weights),
    )


class GradientTest(oracles.DoubleTestCase):
    @parameterized.parameters(1, 3)
    def test_equals_finite_differences_of_the_formulas(self, n_samples):
        """Each KL apart: their sum would not show a cut through q(c|x)."""
        facet = oracles.random_facet(3, 3, 2, Covariance.DIAGONAL, n=1)
        args = _densities(facet, n_samples)

        def ours(d):
            terms = [estimate(d) for estimate in elbo.ESTIMATORS.values()]
            return jnp.stack([kl[0] for t in terms for kl in (t.kl_z, t.kl_c)])

        def oracle(d):
            kls = []
            for name in elbo.ESTIMATORS:
                if name == "closed_form":
                    log_r = d.expected_log_p_z_c[0] + d.log_weights
                else:
                    joint = d.log_p_z_c[:, 0] + d.log_weights
                    log_r = special.log_softmax(joint, axis=-1).mean(0)
                log_r = special.log_softmax(log_r)
                r = np.exp(log_r)
                if name in ("five_terms", "mixture_form"):
                    kl_z = np.mean(d.log_q_z) - np.mean(d.log_p_z_c[:, 0] @ r)
                else:
                    kl_z = d.expected_log_q_z[0] - d.expected_log_p_z_c[0] @ r
                kls += [kl_z, r @ (log_r - d.log_weights)]
            return np.array(kls)

        slopes = jax.jit(jax.jacrev(ours))(args)
        step = 1e-6
        for name, slope in slopes._asdict().items():
            for index in np.ndindex(slope.shape[1:]):
                ends = []
                for change in (step, -step):
                    moved = np.array(getattr(args, name))
                    moved[index] += change
                    ends.append(oracle(args._replace(**{name: moved})))
                np.testing.assert_allclose(
                    slope[:, *index],
                    (ends[0] - ends[1]) / (2 * step),
                    rtol=1e-6,
                    atol=1e-8,
                    err_msg=f"{name} at {index}",
                )

    def test_optimal_assignment_may_be_held_fixed(self):
        """The envelope theorem, which unequal weights of the terms break.

        With q(c|x) fixed, Eq. 14 is linear in the densities.
        """
        facet = oracles.random_facet(0, 4, 2, Covariance.DIAGONAL)

        def bound(weight_c, densities):
            terms = elbo.closed_form(densities)
            return -jnp.sum(terms.kl_z + weight_c * terms.kl_c)

        def block(densities):
            return jnp.sum(elbo.mean_field_block(densities))

        args, resp = _densities(facet, 1), facet.best_resp()
        for function in (functools.partial(bound, 1.0), block):
            slope = jax.jit(jax.grad(function))(args)
            self.assert_close(slope.expected_log_p_z_c, resp)
            self.assert_close(slope.log_weights, resp.sum(axis=0))
            self.assert_close(slope.expected_log_q_z, -1)
        slope = jax.jit(jax.grad(functools.partial(bound, 0.5)))(args)
        change = np.abs(slope.expected_log_p_z_c - resp)
        self.assertGreater(np.max(change), 0.01)


def _params(log_weights, means, std, covariance, below=0.0):
    """Parameters of a prior in float32; ``below`` the diagonal, times std."""
    scale = std
    if covariance is Covariance.FULL:
        d = std.shape[1]
        scale = below * np.tril(np.ones((d, d)), -1) * std[:, :1, None]
        scale = scale + std[..., None] * np.eye(d)
    with jax.enable_x64(True):
        params = prior.unconstrained(oracles.mixture(log_weights, means, scale))
    return jax.tree.map(np.float32, params)


class ExtremesTest(parameterized.TestCase):
    """float32, at values far from any that a run should meet."""

    @parameterized.parameters(
        (Covariance.DIAGONAL, 1, 3, 2, 2),
        (Covariance.FULL, 2, 3, 2, 2),
        (Covariance.DIAGONAL, 2, 1, 1, 1),
        (Covariance.FULL, 2, 3, 2, 0),
    )
    @pytest.mark.slow
    def test_terms_and_gradients_of_all_estimators_are_finite(
        self, covariance, n_samples, k, d, n
    ):
        module = prior.MixturePrior(k, d, covariance, 1.0)

        def losses(params, q, noise):
            mixture = module.apply({"params": params})
            z = posterior.sample(q, noise)
            densities = model_lib.densities(q, mixture, z)
            blocks = (
                elbo.mixture_block(densities),
                elbo.mean_field_block(densities),
            )
            terms = [terms(densities) for terms in elbo.ESTIMATORS.values()]
            zeros, ones = jnp.zeros(n), jnp.ones(1)
            # Unequal, since the two KLs get weights of their own.
            total = sum(map(jnp.sum, blocks)) + sum(
                elbo.loss(
                    elbo.ElboTerms(zeros, (t,), None, None), 2 * ones, ones
                )
                for t in terms
            )
            return total, (blocks, terms)

        compiled = jax.jit(jax.value_and_grad(losses, (0, 1), has_aux=True))
        noise = np.random.default_rng(14).normal(size=(n_samples, n, d))
        apart = 1e3 * np.arange(k)[:, None] * np.ones((1, d))
        unlikely = np.where(np.arange(k) == 0, -200, 0)
        # One variance for all components, or one that spans all of them.
        for variances, center, log_var in itertools.product(
            ((1e-6,), (1.0,), (1e6,), (1e-6, 1e6, 1.0)),
            (0, 1e3 * (k - 1)),
            (-14.0, 0.0, 14.0),
        ):
            std = np.sqrt(np.resize(variances, (k, 1))) * np.ones((1, d))
            params = _params(unlikely, apart, std, covariance, below=1.0)
            q = posterior.Posterior(
                np.full((n, d), center, np.float32),
                np.full((n, d), log_var, np.float32),
            )
            for leaf in jax.tree.leaves(compiled(params, q, np.float32(noise))):
                self.assertTrue(
                    np.all(np.isfinite(leaf)), f"{variances} {log_var}: {leaf}"
                )

    def test_a_component_without_weight_takes_nothing(self):
        log_weights = np.float32([-1e30, np.log(0.5), np.log(0.5)])
        zeros = np.zeros((2, 1, 3), np.float32)
        densities = elbo.Densities(
            zeros, zeros[..., 0], zeros[0], zeros[0, :, 0], log_weights
        )
        for terms in elbo.ESTIMATORS.values():
            found = terms(densities)
            np.testing.assert_allclose(
                np.exp(found.log_resp), [[0, 0.5, 0.5]], rtol=1e-6
            )
            np.testing.assert_allclose(found.kl_c, [0], atol=1e-6)

    @parameterized.parameters(
        (Covariance.DIAGONAL, 1e-9), (Covariance.FULL, 1e-11)
    )
    @pytest.mark.slow
    def test_up_to_the_limits_all_is_finite_and_beyond_the_loss_is_not(
        self, covariance, least_std
    ):
        """What docs/maths.md states."""
        module = prior.MixturePrior(3, 2, covariance, 1.0)

        @jax.jit
        @functools.partial(jax.value_and_grad, argnums=(0, 1))
        def total(params, log_var):
            q = posterior.Posterior(jnp.zeros((4, 2)), log_var)
            z = posterior.sample(q, jnp.ones((1, 4, 2)))
            mixture = module.apply({"params": params})
            densities = model_lib.densities(q, mixture, z)
            both = elbo.five_terms(densities), elbo.closed_form(densities)
            return sum(jnp.sum(terms.kl_z + terms.kl_c) for terms in both)

        def is_finite(std, log_var):
            params = _params(
                np.zeros(3), np.zeros((3, 2)), np.full((3, 2), std), covariance
            )
            found = total(params, np.full((4, 2), log_var, np.float32))
            return all(np.isfinite(a).all() for a in jax.tree.leaves(found))

        for std, log_var in (
            (1.0, -85.0),
            (1.0, 85.0),
            (least_std, 0.0),
            (least_std, -30.0),
        ):
            self.assertTrue(is_finite(std, log_var), f"{std} {log_var}")
        for std, log_var in ((1.0, -95.0), (1.0, 95.0), (1e-22, 0.0)):
            self.assertFalse(is_finite(std, log_var), f"{std} {log_var}")
