# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The VaDE trick, against minimisation, scikit-learn and enumeration."""

import itertools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import strategies as st
from scipy import optimize, special, stats
from sklearn import mixture as sk_mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import posterior, prior, vade
from tests import oracles

_log_posterior = jax.jit(vade.log_posterior)


@jax.jit
def _optimal(log_p_c_z):
    """Of L equally likely values of z, shape (L, B, K)."""
    return vade.optimal_assignment(jnp.mean(log_p_c_z, axis=0))


_seeds = st.integers(0, 2**32 - 1)
# From nearly equal probabilities to nearly certain ones.
_spreads = st.floats(-3, 2).map(lambda exponent: 10.0**exponent)


def _random_log_posterior(seed, spread, shape):
    """log p(c|z^l), shape (L, B, K)."""
    rng = np.random.default_rng(seed)
    return special.log_softmax(spread * rng.normal(size=shape), axis=-1)


def _expected_kl(resp, log_p_c_z):
    """E_l KL[r || p(c|z^l)] of one example; p has shape (L, K)."""
    return np.mean(
        [
            np.sum(special.xlogy(resp, resp) - resp * log_p)
            for log_p in log_p_c_z
        ]
    )


class Theorem1Test(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.parameters(1, 2, 7)
    def test_responsibilities_are_where_a_minimiser_ends(self, n_samples):
        log_p = _random_log_posterior(n_samples, 1.0, (n_samples, 3, 4))
        found = _optimal(log_p)
        for b in range(3):
            # Minimise over the simplex, in logits.
            result = optimize.minimize(
                lambda logits, b=b: _expected_kl(
                    special.softmax(logits), log_p[:, b]
                ),
                np.zeros(4),
                tol=1e-12,
            )
            np.testing.assert_allclose(
                np.exp(found.log_resp[b]), special.softmax(result.x), atol=1e-5
            )
            np.testing.assert_allclose(
                -found.log_normaliser[b], result.fun, atol=1e-9
            )

    @hypothesis.given(seed=_seeds, spread=_spreads)
    def test_any_other_assignment_costs_its_divergence_from_the_optimum(
        self, seed, spread
    ):
        log_p = _random_log_posterior(seed, spread, (3, 2, 4))
        found = _optimal(log_p)
        rng = np.random.default_rng(seed)
        for b in range(2):
            minimum = _expected_kl(np.exp(found.log_resp[b]), log_p[:, b])
            np.testing.assert_allclose(
                minimum, -found.log_normaliser[b], rtol=1e-9, atol=1e-11
            )
            for other in rng.dirichlet(np.full(4, 0.5), size=5):
                excess = np.sum(
                    special.xlogy(other, other) - other * found.log_resp[b]
                )
                self.assertGreaterEqual(excess, -1e-12)
                np.testing.assert_allclose(
                    _expected_kl(other, log_p[:, b]),
                    minimum + excess,
                    rtol=1e-9,
                    atol=1e-11,
                )

    @hypothesis.given(seed=_seeds, spread=_spreads)
    def test_responsibilities_sum_to_1_and_the_normaliser_is_at_most_1(
        self, seed, spread
    ):
        log_p = _random_log_posterior(seed, spread, (3, 2, 4))
        found = _optimal(log_p)
        np.testing.assert_allclose(
            np.sum(np.exp(found.log_resp), axis=-1), 1, rtol=1e-12
        )
        # Jensen's inequality is strict unless all samples agree.
        self.assertTrue(np.all(np.asarray(found.log_normaliser) < 1e-12))
        agreeing = _optimal(np.repeat(log_p[:1], 3, axis=0))
        np.testing.assert_allclose(agreeing.log_normaliser, 0, atol=1e-11)

    def test_normaliser_is_below_1_where_samples_disagree(self):
        # p(c|z) = (a, 1-a) and (1-a, a): r is uniform, Z = 2 sqrt(a (1-a)).
        a = 0.1
        found = _optimal(np.log([[[a, 1 - a]], [[1 - a, a]]]))
        np.testing.assert_allclose(np.exp(found.log_resp), [[0.5, 0.5]])
        np.testing.assert_allclose(
            np.exp(found.log_normaliser), [2 * np.sqrt(a * (1 - a))]
        )

    @hypothesis.given(seed=_seeds, order=st.permutations(range(4)))
    def test_permuting_components_permutes_the_responsibilities(
        self, seed, order
    ):
        log_p = _random_log_posterior(seed, 2.0, (3, 2, 4))
        found, permuted = _optimal(log_p), _optimal(log_p[..., order])
        np.testing.assert_allclose(
            permuted.log_resp, found.log_resp[:, np.array(order)], rtol=1e-12
        )
        np.testing.assert_allclose(
            permuted.log_normaliser,
            found.log_normaliser,
            rtol=1e-9,
            atol=1e-12,
        )

    @hypothesis.given(seed=_seeds, order=st.permutations(range(3)))
    def test_order_of_the_samples_does_not_matter(self, seed, order):
        log_p = _random_log_posterior(seed, 2.0, (3, 2, 4))
        found, permuted = _optimal(log_p), _optimal(log_p[order])
        np.testing.assert_allclose(
            permuted.log_resp, found.log_resp, rtol=1e-12
        )

    def test_impossible_components_leave_the_others_finite(self):
        log_p = _log_posterior(np.array([[[-1e8, -1.0, -2.0]]]), np.zeros(3))
        found = _optimal(log_p)
        np.testing.assert_allclose(
            np.exp(found.log_resp), [[0, *special.softmax([-1.0, -2.0])]]
        )
        self.assertTrue(np.all(np.isfinite(found.log_resp)))


class OneSampleTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    def test_responsibilities_are_scikit_learn_s_predict_proba(self):
        rng = np.random.default_rng(0)
        k, d, n = 4, 3, 6
        means, std = rng.normal(size=(k, d)), rng.uniform(0.5, 1.5, (k, d))
        weights = rng.dirichlet(np.ones(k))
        z = rng.normal(size=(n, d))
        theirs = sk_mixture.GaussianMixture(k, covariance_type="diag")
        theirs.weights_, theirs.means_ = weights, means
        theirs.precisions_cholesky_ = 1 / std
        log_p_z_c = stats.norm.logpdf(z[:, None], means, std).sum(-1)
        log_p_c_z = _log_posterior(log_p_z_c[None], np.log(weights))
        np.testing.assert_allclose(
            np.exp(log_p_c_z[0]), theirs.predict_proba(z), rtol=1e-11
        )
        found = _optimal(log_p_c_z)
        np.testing.assert_allclose(
            np.exp(found.log_resp), theirs.predict_proba(z), rtol=1e-11
        )
        np.testing.assert_allclose(found.log_normaliser, 0, atol=1e-12)

    def test_one_component_takes_everything(self):
        log_p = _log_posterior(np.full((2, 3, 1), -7.0), np.zeros(1))
        found = _optimal(log_p)
        np.testing.assert_array_equal(found.log_resp, np.zeros((3, 1)))
        np.testing.assert_array_equal(found.log_normaliser, np.zeros(3))


class SeveralFacetsTest(parameterized.TestCase):
    """Theorems 2 and 3, by listing every joint assignment."""

    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        n_components=((3, 3), (2, 3, 4)),
        is_factorised=(True, False),
        covariance=tuple(Covariance),
    )
    def test_joint_optimum_is_the_product_of_the_facets_own(
        self, n_components, is_factorised, covariance
    ):
        rng = np.random.default_rng(sum(n_components))
        facets = [
            oracles.random_facet(rng.integers(99), k, d, covariance, n=1)
            for d, k in enumerate(n_components, start=1)
        ]
        # Draws of a z that is correlated across the facets, or of one whose
        # facets are drawn apart: its factorised form has the same marginals.
        dims = [facet.means.shape[1] for facet in facets]
        root = rng.normal(size=(sum(dims), sum(dims)))
        z = rng.normal(size=(200, sum(dims))) @ root
        parts = np.split(z, np.cumsum(dims)[:-1], axis=1)
        if is_factorised:
            parts = [rng.permutation(part) for part in parts]
        log_p_c_z = [
            special.log_softmax(
                facet.log_p_z_c(part) + np.log(facet.weights), axis=-1
            )
            for facet, part in zip(facets, parts, strict=True)
        ]
        # log p(c|z) of each z and joint c, from the joint densities.
        joint = list(itertools.product(*map(range, n_components)))
        log_joint = np.stack(
            [
                sum(
                    facet.log_p_z_c(part)[:, c_j] + np.log(facet.weights[c_j])
                    for facet, part, c_j in zip(facets, parts, c, strict=True)
                )
                for c in joint
            ],
            axis=-1,
        )
        expected = special.log_softmax(log_joint, axis=-1).mean(0)
        found = jax.jit(vade.optimal_assignments)(
            [log_p.mean(axis=0) for log_p in log_p_c_z]
        )
        ours = [
            sum(
                facet.log_resp[c_j]
                for facet, c_j in zip(found.facets, c, strict=True)
            )
            for c in joint
        ]
        np.testing.assert_allclose(
            ours, special.log_softmax(expected), rtol=1e-9
        )
        np.testing.assert_allclose(
            found.log_normaliser, special.logsumexp(expected), rtol=1e-9
        )
        self.assertLess(found.log_normaliser, -0.01)
        # No other joint q(c|x) has a smaller E KL[q(c|x) || p(c|z)].
        self.assertLess(
            np.abs(
                vade.expected_kl(np.array(ours), expected)
                + found.log_normaliser
            ),
            1e-9,
        )
        for other in rng.dirichlet(np.ones(len(joint)), size=20):
            self.assertGreater(
                np.sum(special.xlogy(other, other) - other * expected),
                -found.log_normaliser,
            )

    def test_correlation_across_facets_does_not_matter(self):
        # Theorem 3: each expectation involves one facet's z alone.
        rng = np.random.default_rng(3)
        facet = oracles.random_facet(4, 3, 2, Covariance.DIAGONAL, n=1)
        z = rng.normal(size=(50, 2))
        same, shuffled = z, rng.permutation(z)

        def log_p_c_z(z):
            return special.log_softmax(
                facet.log_p_z_c(z) + np.log(facet.weights), axis=-1
            )

        together = log_p_c_z(z)[:, :, None] + log_p_c_z(same)[:, None, :]
        apart = log_p_c_z(z)[:, :, None] + log_p_c_z(shuffled)[:, None, :]
        for joint in (together, apart):
            found = vade.optimal_assignments([log_p_c_z(z).mean(0)] * 2)
            np.testing.assert_allclose(
                found.facets[0].log_resp[:, None] + found.facets[1].log_resp,
                special.log_softmax(joint.mean(0)),
                rtol=1e-9,
            )


class ClosedFormTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        covariance=tuple(Covariance), shape=((1, 1), (3, 2), (6, 5))
    )
    def test_is_theorem_1_whatever_the_density_of_z(self, covariance, shape):
        facet = oracles.random_facet(5, *shape, covariance)
        expected = facet.expected_log_p_z_c()
        log_weights = np.log(facet.weights)
        ours = jax.jit(vade.closed_form_log_resp)(expected, log_weights)
        # E log p(c|z) needs E log p(z), which is the same for all c: any will
        # do, here -7.
        theorem = vade.optimal_assignment(expected + log_weights + 7.0)
        np.testing.assert_allclose(ours, theorem.log_resp, rtol=1e-9)
        np.testing.assert_allclose(
            np.exp(ours), facet.best_resp(), rtol=1e-9, atol=1e-12
        )

    @parameterized.product(
        covariance=tuple(Covariance), shape=((1, 1), (3, 2), (6, 5))
    )
    def test_bound_and_divergences_are_the_textbook_ones(
        self, covariance, shape
    ):
        facet = oracles.random_facet(6, *shape, covariance)
        entropy = stats.norm.entropy(scale=facet.q_std).sum(-1)
        kl = jax.jit(vade.component_kl)(facet.expected_log_p_z_c(), -entropy)
        np.testing.assert_allclose(kl, facet.kl_z_c(), rtol=1e-9)
        self.assertTrue(np.all(np.asarray(kl) > 0))
        np.testing.assert_allclose(
            jax.jit(vade.closed_form_bound)(kl, np.log(facet.weights)),
            facet.eq_14(facet.best_resp()),
            rtol=1e-9,
        )

    def test_a_posterior_equal_to_a_component_costs_that_component(self):
        # q = p(z|c=1), far from the other: KL(q || p(z)) is -log pi_1.
        mixture = prior.Mixture(
            np.log([0.9, 0.1]), np.array([[50.0], [0]]), np.ones((2, 1))
        )
        q = posterior.Posterior(np.zeros((1, 1)), np.zeros((1, 1)))
        kl = vade.component_kl(
            prior.expected_component_log_prob(mixture, q.mean, np.ones((1, 1))),
            posterior.expected_log_prob(q),
        )
        np.testing.assert_allclose(kl, [[1250, 0]], atol=1e-9)
        np.testing.assert_allclose(
            vade.closed_form_bound(kl, mixture.log_weights), [np.log(0.1)]
        )

    def test_expected_kl_is_scipy_s_entropy_for_one_value_of_z(self):
        p, q = np.random.default_rng(7).dirichlet(np.ones(4), size=2)
        np.testing.assert_allclose(
            vade.expected_kl(np.log(q), np.log(p)), stats.entropy(q, p)
        )


if __name__ == "__main__":
    absltest.main()
