# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The VaDE trick, against minimisation, scikit-learn and enumeration."""

import itertools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from hypothesis import strategies as st
from scipy import optimize, special, stats
from sklearn import mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import vade
from tests import oracles

_log_posterior = jax.jit(vade.log_posterior)
_few = hypothesis.settings(max_examples=25)
_seeds = st.integers(0, 2**32 - 1)
# From nearly equal probabilities to nearly certain ones.
_spreads = st.floats(-3, 2).map(lambda exponent: 10.0**exponent)


@jax.jit
def _optimal(log_p_c_z):
    """Of L equally likely values of z, shape (L, B, K)."""
    return vade.optimal_assignment(jnp.mean(log_p_c_z, axis=0))


def _random_log_posterior(seed, spread, shape=(3, 2, 4)):
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


class Theorem1Test(oracles.DoubleTestCase):
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
            self.assert_close(-found.log_normaliser[b], result.fun)

    @_few
    @hypothesis.given(seed=_seeds, spread=_spreads)
    def test_any_other_assignment_costs_its_divergence_from_the_optimum(
        self, seed, spread
    ):
        log_p = _random_log_posterior(seed, spread)
        found = _optimal(log_p)
        self.assert_close(np.sum(np.exp(found.log_resp), axis=-1), 1)
        # Jensen's inequality is strict unless all samples agree.
        self.assertTrue(np.all(np.asarray(found.log_normaliser) < 1e-12))
        agreeing = _optimal(np.repeat(log_p[:1], 3, axis=0))
        self.assert_close(agreeing.log_normaliser, 0)
        rng = np.random.default_rng(seed)
        for b in range(2):
            minimum = _expected_kl(np.exp(found.log_resp[b]), log_p[:, b])
            self.assert_close(minimum, -found.log_normaliser[b])
            for other in rng.dirichlet(np.full(4, 0.5), size=5):
                excess = np.sum(
                    special.xlogy(other, other) - other * found.log_resp[b]
                )
                self.assertGreaterEqual(excess, -1e-12)
                self.assert_close(
                    _expected_kl(other, log_p[:, b]), minimum + excess
                )

    def test_normaliser_is_below_1_where_samples_disagree(self):
        # p(c|z) = (a, 1-a) and (1-a, a): r is uniform, Z = 2 sqrt(a (1-a)).
        a = 0.1
        found = _optimal(np.log([[[a, 1 - a]], [[1 - a, a]]]))
        self.assert_close(np.exp(found.log_resp), [[0.5, 0.5]])
        self.assert_close(
            np.exp(found.log_normaliser), [2 * np.sqrt(a * (1 - a))]
        )

    @_few
    @hypothesis.given(
        _seeds, st.permutations(range(4)), st.permutations(range(3))
    )
    def test_order_of_components_is_kept_and_that_of_samples_no_matter(
        self, seed, components, samples
    ):
        log_p = _random_log_posterior(seed, 2.0)
        found, permuted = (
            _optimal(log_p),
            _optimal(log_p[samples][..., components]),
        )
        self.assert_close(
            permuted.log_resp, found.log_resp[:, np.array(components)]
        )
        self.assert_close(permuted.log_normaliser, found.log_normaliser)

    @parameterized.parameters([[-1e8, -1.0, -2.0]], [[-7.0]])
    def test_components_that_are_impossible_or_all_there_is(self, log_p_z_c):
        k = len(log_p_z_c)
        found = _optimal(_log_posterior(np.array([[log_p_z_c]]), np.zeros(k)))
        self.assert_close(np.exp(found.log_resp), [special.softmax(log_p_z_c)])
        self.assertTrue(np.all(np.isfinite(found.log_resp)))

    def test_one_sample_gives_scikit_learn_s_predict_proba(self):
        facet = oracles.random_facet(0, 4, 3, Covariance.DIAGONAL)
        z = np.random.default_rng(0).normal(size=(6, 3))
        theirs = mixture.GaussianMixture(4, covariance_type="diag")
        theirs.weights_, theirs.means_ = facet.weights, facet.means
        theirs.precisions_cholesky_ = 1 / facet.scale
        proba = theirs.predict_proba(z)
        log_p_c_z = _log_posterior(
            facet.log_p_z_c(z)[None], np.log(facet.weights)
        )
        found = _optimal(log_p_c_z)
        for ours in (log_p_c_z[0], found.log_resp):
            np.testing.assert_allclose(np.exp(ours), proba, rtol=1e-11)
        np.testing.assert_allclose(found.log_normaliser, 0, atol=1e-12)


class SeveralFacetsTest(oracles.DoubleTestCase):
    """Theorems 2 and 3, by listing every joint assignment."""

    @parameterized.product(
        n_components=((3,), (3, 3), (2, 3, 4)),
        is_factorised=(True, False),
    )
    def test_joint_optimum_is_the_product_of_the_facets_own(
        self, n_components, is_factorised
    ):
        rng = np.random.default_rng(sum(n_components))
        facets = [
            oracles.random_facet(rng.integers(99), k, d, Covariance.FULL, n=1)
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
        log_p_z_c = [
            facet.log_p_z_c(part)
            for facet, part in zip(facets, parts, strict=True)
        ]
        weights = [np.log(facet.weights) for facet in facets]
        joint = list(itertools.product(*map(range, n_components)))

        def over_joint(arrays):
            return np.stack(
                [
                    sum(a[..., c_j] for a, c_j in zip(arrays, c, strict=True))
                    for c in joint
                ],
                axis=-1,
            )

        # log p(z, c) of each z and each joint c.
        log_p_z_and_c = over_joint(log_p_z_c) + over_joint(weights)
        expected = special.log_softmax(log_p_z_and_c, axis=-1).mean(0)
        found = jax.jit(vade.sampled_assignments)(log_p_z_c, weights)
        ours = over_joint([np.asarray(f.log_resp) for f in found.facets])
        self.assert_close(ours, special.log_softmax(expected))
        self.assert_close(found.log_normaliser, special.logsumexp(expected))
        self.assertLess(found.log_normaliser, -0.01)
        # No other joint q(c|x) has a smaller E KL[q(c|x) || p(c|z)].
        self.assert_close(
            np.sum(np.exp(ours) * (ours - expected)), -found.log_normaliser
        )
        for other in rng.dirichlet(np.ones(len(joint)), size=20):
            self.assertGreater(
                np.sum(special.xlogy(other, other) - other * expected),
                -found.log_normaliser,
            )


class ClosedFormTest(oracles.DoubleTestCase):
    @parameterized.product(
        covariance=(Covariance.DIAGONAL, Covariance.FULL),
        shape=((1, 1), (3, 2), (6, 5)),
    )
    def test_assignment_divergences_and_bound_are_the_textbook_ones(
        self, covariance, shape
    ):
        facet = oracles.random_facet(5, *shape, covariance)
        expected = facet.expected_log_p_z_c()
        log_weights = np.log(facet.weights)
        ours = vade.closed_form_log_resp(expected, log_weights)
        self.assert_close(np.exp(ours), facet.best_resp())
        # E log p(c|z) needs E log p(z), which is the same for all c: any will
        # do, here -7.
        theorem = vade.optimal_assignment(expected + log_weights + 7.0)
        self.assert_close(ours, theorem.log_resp)
        entropy = stats.norm.entropy(scale=facet.q_std).sum(-1)
        kl = vade.component_kl(expected, -entropy)
        self.assert_close(kl, facet.kl_z_c())
        self.assertTrue(np.all(np.asarray(kl) > 0))
        self.assert_close(
            vade.closed_form_bound(kl, log_weights),
            facet.eq_14(facet.best_resp()),
        )
