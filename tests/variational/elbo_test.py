# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The bound, against SciPy, quadrature, closed forms and enumeration."""

import itertools

import hypothesis
import jax
import numpy as np
import pytest
from absl.testing import parameterized
from hypothesis import strategies as st
from scipy import integrate, special, stats

from mfcvae_jax import model as model_lib
from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import elbo
from tests import fixtures, oracles

_seeds = st.integers(0, 2**32 - 1)
# (K, D, covariance): every one of them is compiled for, so not all of them.
_FORMS = (
    (1, 1, Covariance.DIAGONAL),
    (4, 2, Covariance.DIAGONAL),
    (3, 4, Covariance.FULL),
)
_facets = st.builds(
    lambda seed, form: oracles.random_facet(seed, *form),
    _seeds,
    st.sampled_from(_FORMS),
)
_few = hypothesis.settings(max_examples=20)


def _sum(terms):
    return -(terms.kl_z + terms.kl_c)


@jax.jit
def _estimate(mixture, q, z):
    """Every estimator's terms and both blocks, from our own densities."""
    densities = model_lib.densities(q, mixture, z)
    return (
        {name: terms(densities) for name, terms in elbo.ESTIMATORS.items()},
        elbo.mixture_block(densities),
        elbo.mean_field_block(densities),
    )


@jax.jit
def _both_forms(log_p_z_c, log_weights, log_q_z):
    """The two estimators that use samples only."""
    densities = elbo.Densities(log_p_z_c, log_q_z, None, None, log_weights)
    return elbo.five_terms(densities), elbo.mixture_form(densities)


def _by_scipy(facet, z):
    """log p(z|c), log p(c) and log q(z|x)."""
    return facet.log_p_z_c(z), np.log(facet.weights), facet.log_q_z(z)


def _five_terms_by_loops(log_p_z_c, log_weights, log_q_z):
    """log q(c|x), E log p(z|c), E log p(c), E log q(z|x), E log q(c|x).

    Of one example, term by term, with q(c|x) proportional to the geometric mean
    over samples of p(c|z).
    """
    n_samples, k = log_p_z_c.shape
    log_r = np.zeros(k)
    for sample in range(n_samples):
        joint = log_p_z_c[sample] + log_weights
        log_r += (joint - special.logsumexp(joint)) / n_samples
    log_r -= special.logsumexp(log_r)
    total = np.zeros(4)
    for sample, c in itertools.product(range(n_samples), range(k)):
        total += (np.exp(log_r[c]) / n_samples) * np.array(
            [log_p_z_c[sample, c], log_weights[c], log_q_z[sample], log_r[c]]
        )
    return log_r, *total


def _over_all_joint_c(per_facet):
    """Sums of J arrays (L, K_j) over every joint (c_1..c_J), (L, K_1...K_J)."""
    total = np.zeros((len(per_facet[0]), 1))
    for values in per_facet:
        total = total[:, :, None] + values[:, None, :]
        total = total.reshape(len(values), -1)
    return total


class EstimatorsTest(oracles.DoubleTestCase):
    """Any facets, one at a time: the bounds are sums over them."""

    @_few
    @hypothesis.given(_facets, _seeds, st.sampled_from([1, 3]))
    def test_samples_give_five_terms_and_the_mixture_bound(
        self, facet, seed, n_samples
    ):
        z = facet.draw(np.random.default_rng(seed), n_samples)
        found, mixture, _ = _estimate(*facet.ours(), z)
        five = found["five_terms"]
        log_p_z_c, log_weights, log_q_z = _by_scipy(facet, z)
        for b in range(2):
            wanted = _five_terms_by_loops(
                log_p_z_c[:, b], log_weights, log_q_z[:, b]
            )
            for term, by_loops in zip(five, wanted, strict=True):
                self.assert_close(term[b], by_loops)
        # Eq. 5 without log Z, which is 0 for one sample and negative for more.
        log_p_z = special.logsumexp(log_p_z_c + log_weights, axis=-1)
        self.assert_close(mixture, np.mean(log_p_z - log_q_z, axis=0))
        log_z = np.asarray(_sum(five) - mixture)
        self.assertTrue(np.all(log_z < 1e-9))
        if n_samples == 1:
            self.assert_close(log_z, 0)

    @_few
    @hypothesis.given(
        _facets, _seeds, st.sampled_from([1, 2, 7]), st.booleans()
    )
    def test_the_two_forms_agree_for_any_number_of_samples(
        self, facet, seed, n_samples, are_extreme
    ):
        z = facet.draw(np.random.default_rng(seed), n_samples)
        log_p_z_c, log_weights, log_q_z = _by_scipy(facet, z)
        for ours, theirs in zip(
            *_both_forms(
                (50 if are_extreme else 1) * log_p_z_c, log_weights, log_q_z
            ),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-8)

    @_few
    @hypothesis.given(_facets, _seeds)
    def test_more_samples_lower_the_published_estimate_in_expectation(
        self, facet, seed
    ):
        # log Z is a convex function of the mean of log p(c|z), so the estimate
        # from all three samples is at most the mean of those that leave one
        # out, whatever the samples.
        z = facet.draw(np.random.default_rng(seed), 3)

        def estimate(z):
            return np.asarray(_sum(_both_forms(*_by_scipy(facet, z))[0]))

        apart = [
            estimate(np.delete(z, left_out, axis=0)) for left_out in (0, 1, 2)
        ]
        self.assertTrue(np.all(estimate(z) <= np.mean(apart, axis=0) + 1e-9))

    @pytest.mark.slow
    @_few
    @hypothesis.given(_facets, _seeds, st.sampled_from([1, 3]))
    def test_exact_forms_are_eq_14_at_the_best_and_the_sampled_assignment(
        self, facet, seed, n_samples
    ):
        rng = np.random.default_rng(seed)
        z = facet.draw(rng, n_samples)
        found, _, mean_field = _estimate(*facet.ours(), z)
        exact, sampled = found["closed_form"], found["gaussian_kl"]
        best = facet.best_resp()
        np.testing.assert_allclose(
            exact.log_resp, facet.best_log_resp(), rtol=1e-8, atol=1e-8
        )
        maximum = facet.eq_14(best)
        self.assert_close(_sum(exact), maximum)
        self.assert_close(mean_field, maximum)
        self.assert_close(exact.kl_z, np.sum(best * facet.kl_z_c(), axis=-1))
        self.assert_close(
            exact.kl_c, [stats.entropy(r, facet.weights) for r in best]
        )
        for _ in range(5):
            other = rng.dirichlet(np.full(best.shape[1], 0.5), size=2)
            self.assertTrue(np.all(facet.eq_14(other) <= maximum + 1e-9))
        np.testing.assert_array_equal(
            sampled.log_resp, found["five_terms"].log_resp
        )
        resp = np.exp(sampled.log_resp)
        self.assert_close(_sum(sampled), facet.eq_14(resp))

    @_few
    @hypothesis.given(_seeds)
    def test_one_sample_of_gaussian_kl_is_the_loss_of_the_vade_paper(
        self, seed
    ):
        # Eq. 12 of arXiv:1611.05148 without its reconstruction term, with
        # gamma_c = p(c|z) at the sample.
        facet = oracles.random_facet(seed, 4, 2, Covariance.DIAGONAL)
        z = facet.draw(np.random.default_rng(seed), 1)
        log_p_z_c, log_weights, _ = _by_scipy(facet, z)
        gamma = special.softmax(log_p_z_c[0] + log_weights, axis=-1)
        var, q_var = facet.scale**2, facet.q_std**2
        distance = (facet.q_mean[:, None] - facet.means) ** 2
        per_component = np.sum(
            np.log(2 * np.pi * var) + (q_var[:, None] + distance) / var, axis=-1
        )
        wanted = (
            -0.5 * np.sum(gamma * per_component, axis=-1)
            + gamma @ log_weights
            - np.sum(special.xlogy(gamma, gamma), axis=-1)
            + 0.5 * np.sum(1 + np.log(2 * np.pi * q_var), axis=-1)
        )
        found, _, _ = _estimate(*facet.ours(), z)
        np.testing.assert_allclose(
            _sum(found["gaussian_kl"]), wanted, rtol=1e-8, atol=1e-8
        )

    @_few
    @hypothesis.given(
        st.lists(_facets, min_size=1, max_size=3),
        _seeds,
        st.sampled_from([1, 3]),
    )
    def test_facets_add_up_to_the_sum_over_all_joint_assignments(
        self, facets, seed, n_samples
    ):
        """Of one example, with every joint c listed: J = 1 is VaDE's bound."""
        rng = np.random.default_rng(seed)
        z = [facet.draw(rng, n_samples) for facet in facets]
        pairs = list(zip(facets, z, strict=True))
        found = [_estimate(*facet.ours(), z_j) for facet, z_j in pairs]
        log_q_z = sum(facet.log_q_z(z_j)[:, 0] for facet, z_j in pairs)
        # log p(z^l, c) of every sample and every joint c.
        log_p_z_and_c = _over_all_joint_c(
            [f.log_p_z_c(z_j)[:, 0] + np.log(f.weights) for f, z_j in pairs]
        )

        def by_enumeration(log_r):
            inside = log_p_z_and_c - log_q_z[:, None] - log_r
            return np.mean(inside @ np.exp(log_r))

        log_p_z = special.logsumexp(log_p_z_and_c, axis=1, keepdims=True)
        log_r = special.log_softmax((log_p_z_and_c - log_p_z).mean(0))
        ours = sum(_sum(f[0]["five_terms"])[0] for f in found)
        np.testing.assert_allclose(ours, by_enumeration(log_r), rtol=1e-9)
        # It is the best over all joint q(c|x), factorised or not.
        for other in rng.dirichlet(np.ones(len(log_r)), size=5):
            self.assertLess(by_enumeration(np.log(other + 1e-300)), ours + 1e-9)
        # And F, from the exact expectations of the same sums.
        expected = _over_all_joint_c(
            [f.expected_log_p_z_c()[:1] + np.log(f.weights) for f in facets]
        )
        entropy = sum(
            stats.norm.entropy(scale=f.q_std[0]).sum() for f in facets
        )
        self.assert_close(
            sum(f[2][:1] for f in found),
            special.logsumexp(expected, axis=-1) + entropy,
        )


class ExpectationTest(oracles.DoubleTestCase):
    def test_published_estimate_is_m_with_one_sample_and_f_with_many(self):
        """By quadrature on the line."""
        facet = oracles.Facet(
            weights=np.array([0.5, 0.3, 0.2]),
            means=np.array([[-1.0], [0.5], [2.0]]),
            scale=np.array([[0.7], [0.4], [1.2]]),
            q_mean=np.array([[0.4]]),
            q_std=np.array([[0.8]]),
        )

        def estimate(standard):
            """From samples 0.4 + 0.8 e of q(z|x), with e of shape (L, B)."""
            z = facet.q_mean + facet.q_std * standard[..., None]
            terms, _ = _both_forms(*_by_scipy(facet, z))
            return np.asarray(_sum(terms)), np.exp(terms.log_resp)

        def integrand(e):
            z = facet.q_mean + facet.q_std * e
            log_p_z_c, log_weights, log_q_z = _by_scipy(facet, z)
            log_p_z = special.logsumexp(log_p_z_c + log_weights)
            return stats.norm.pdf(e) * (log_p_z - log_q_z[0])

        m, _ = integrate.quad(integrand, -12, 12, epsabs=1e-12)
        f = facet.eq_14(facet.best_resp())
        # Nodes of Gauss and Hermite, which stand for examples.
        e, weights = special.roots_hermitenorm(150)
        weights /= np.sum(weights)
        np.testing.assert_allclose(weights @ estimate(e[None])[0], m, atol=1e-6)
        self.assertGreater(m, f + 1e-3)
        # One sample in the middle of each n-th of q(z|x).
        (few, _), (found, _), (_, resp) = (
            estimate(stats.norm.ppf((np.arange(n) + 0.5) / n)[:, None])
            for n in (20, 2000, 20_000)
        )
        self.assertLess(abs(found - f), min(2e-3, abs(few - f) / 10))
        np.testing.assert_allclose(resp, facet.best_resp(), atol=1e-4)


class LossTest(oracles.DoubleTestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(9)
        self.facets = tuple(
            elbo.FacetTerms(None, *rng.normal(size=(4, 2))) for _ in range(3)
        )
        self.terms = elbo.ElboTerms(
            np.array([-3.0, -5.0]), self.facets, *rng.normal(size=(2, 2, 3))
        )

    def test_each_term_of_each_facet_has_a_weight_of_its_own(self):
        loss = jax.jit(elbo.loss)
        for weights in (*np.eye(6), np.zeros(6), np.linspace(0.1, 0.9, 6)):
            weight_z, weight_c = weights.reshape(2, 3)
            wanted = 4 + sum(
                weight_z[j] * np.mean(facet.log_q_z - facet.log_p_z_c)
                + weight_c[j] * np.mean(facet.log_q_c - facet.log_p_c)
                for j, facet in enumerate(self.facets)
            )
            self.assert_close(loss(self.terms, weight_z, weight_c), wanted)

    @parameterized.parameters([[1.0, 1, 1]], [[0.0, 1, 1]], [[0.0, 0, 1]])
    def test_bounds_add_the_blocks_of_the_facets_that_are_in(self, is_in):
        found = elbo.bounds(self.terms, np.array(is_in))
        for ours, block in zip(found, self.terms[2:], strict=True):
            kept = block[:, np.array(is_in, bool)].sum(axis=1)
            self.assert_close(ours, self.terms.log_p_x_z + kept)

    @parameterized.parameters((2, 3), (3, 2), (1, 3))
    def test_weights_of_another_number_of_facets_are_refused(self, n_z, n_c):
        with self.assertRaisesRegex(AssertionError, "shape"):
            elbo.loss(self.terms, np.ones(n_z), np.ones(n_c))
        with self.assertRaisesRegex(AssertionError, "shape"):
            elbo.bounds(self.terms, np.ones(min(n_z, n_c)))

    def test_an_unknown_estimator_is_refused_with_those_that_exist(self):
        for name, row in elbo.ESTIMATORS.items():
            self.assertIs(elbo.find_estimator(name), row)
        with self.assertRaisesRegex(
            ValueError, r"train.estimator .*closed_form.*got 'six_terms'"
        ):
            elbo.find_estimator("six_terms")


class OfficialClampTest(oracles.DoubleTestCase):
    def test_leaving_it_out_changes_less_than_a_millionth_of_a_nat(self):
        table = fixtures.load("F8")
        q, theirs = table["q"], table["q_term"]
        self.assertTrue(np.any(q < 1e-6) and np.any(q > 0.1))
        # One sample each, of two components with p(c|z) = (q, 1 - q).
        log_p_z_c = np.log(np.stack([q, 1 - q], axis=-1) + 1e-300)[None]
        terms, _ = _both_forms(log_p_z_c, np.zeros(2), np.zeros((1, len(q))))
        np.testing.assert_allclose(np.exp(terms.log_resp[:, 0]), q, rtol=1e-9)
        ours = np.asarray(terms.log_q_c) - special.xlogy(1 - q, 1 - q)
        self.assertLess(np.max(np.abs(ours - theirs)), 1e-6)
