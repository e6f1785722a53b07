# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The bound, against SciPy, quadrature, closed forms and enumeration."""

import dataclasses
import functools
import itertools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from hypothesis import strategies as st
from scipy import integrate, special, stats

from mfcvae_jax import model as model_lib
from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import elbo, posterior, prior
from tests import fixtures, oracles

_seeds = st.integers(0, 2**32 - 1)
# (K, D): every one of them is compiled for, so not all pairs.
_shapes = st.sampled_from([(1, 1), (2, 3), (4, 2), (6, 5)])
_covariances = st.sampled_from(Covariance)
_ESTIMATORS = {name: row.terms for name, row in elbo.ESTIMATORS.items()}


@st.composite
def _facet(draw):
    k, d = draw(_shapes)
    return oracles.random_facet(draw(_seeds), k, d, draw(_covariances))


def _sum(facet):
    return -(facet.kl_z + facet.kl_c)


@jax.jit
def _estimate(mixture, q, z):
    """Every estimator's terms and both blocks, from our own densities."""
    densities = model_lib.densities(q, mixture, z)
    return (
        {name: terms(densities) for name, terms in _ESTIMATORS.items()},
        elbo.mixture_block(densities),
        elbo.mean_field_block(densities),
    )


def _sampled(log_p_z_c, log_weights, log_q_z):
    """Densities for the estimators that use samples only."""
    return elbo.Densities(log_p_z_c, log_q_z, None, None, log_weights)


@jax.jit
def _both_forms(*args):
    densities = _sampled(*args)
    return elbo.five_terms(densities), elbo.mixture_form(densities)


_five_terms = jax.jit(lambda *args: elbo.five_terms(_sampled(*args)))
_blocks = jax.jit(lambda *args: _sum(elbo.five_terms(_sampled(*args))))


def _random_case(seed, n_samples, covariance, n=2, k=3, d=2):
    """log p(z|c), log p(c) and log q(z|x) by SciPy, of a random facet."""
    facet = oracles.random_facet(seed, k, d, covariance, n)
    z = facet.draw(np.random.default_rng(seed), n_samples)
    return facet.log_p_z_c(z), np.log(facet.weights), facet.log_q_z(z)


def _block_by_loops(log_p_z_c, log_weights, log_q_z):
    """The prior block of the bound of one example, term by term.

    E_q(z,c|x) [log p(z|c) + log p(c) - log q(z|x) - log q(c|x)], with q(c|x)
    proportional to the geometric mean over samples of p(c|z).
    """
    n_samples, k = log_p_z_c.shape
    log_r = np.zeros(k)
    for sample in range(n_samples):
        joint = log_p_z_c[sample] + log_weights
        log_r += (joint - special.logsumexp(joint)) / n_samples
    log_r -= special.logsumexp(log_r)
    total = 0.0
    for sample, c in itertools.product(range(n_samples), range(k)):
        total += (np.exp(log_r[c]) / n_samples) * (
            log_p_z_c[sample, c] + log_weights[c] - log_q_z[sample] - log_r[c]
        )
    return total


def _over_all_joint_c(per_facet):
    """Sums of J arrays (L, K_j) over every joint (c_1..c_J), (L, K_1...K_J)."""
    total = np.zeros((len(per_facet[0]), 1))
    for values in per_facet:
        total = (total[:, :, None] + values[:, None, :]).reshape(
            len(values), -1
        )
    return total


class EstimatorsTest(parameterized.TestCase):
    """Any facets, one at a time: the bounds are sums over them."""

    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @hypothesis.given(_facet(), _seeds, st.sampled_from([1, 3]))
    def test_five_terms_are_the_mixture_form_sample_by_sample(
        self, facet, seed, n_samples
    ):
        z = facet.draw(np.random.default_rng(seed), n_samples)
        found, mixture, _ = _estimate(*facet.ours(), z)
        five, two = found["five_terms"], found["mixture_form"]
        for ours, theirs in zip(five, two, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
        log_weights = np.log(facet.weights)
        log_p_z_c, log_q_z = facet.log_p_z_c(z), facet.log_q_z(z)
        for b in range(2):
            np.testing.assert_allclose(
                _sum(two)[b],
                _block_by_loops(log_p_z_c[:, b], log_weights, log_q_z[:, b]),
                rtol=1e-9,
                atol=1e-9,
            )
        # Eq. 5 without log Z, which is 0 for one sample and negative for more.
        log_p_z = special.logsumexp(log_p_z_c + log_weights, axis=-1)
        np.testing.assert_allclose(
            mixture, np.mean(log_p_z - log_q_z, axis=0), rtol=1e-9, atol=1e-9
        )
        log_z = np.asarray(_sum(five) - mixture)
        if n_samples == 1:
            np.testing.assert_allclose(log_z, 0, atol=1e-9)
        self.assertTrue(np.all(log_z < 1e-9))

    @hypothesis.given(
        _facet(), _seeds, st.sampled_from([1, 2, 3, 7]), st.booleans()
    )
    def test_the_two_forms_agree_for_any_number_of_samples(
        self, facet, seed, n_samples, are_extreme
    ):
        z = facet.draw(np.random.default_rng(seed), n_samples)
        args = facet.log_p_z_c(z), np.log(facet.weights), facet.log_q_z(z)
        if are_extreme:
            args = (50 * args[0], *args[1:])
        five, two = _both_forms(*args)
        for ours, theirs in zip(five, two, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-8)

    @hypothesis.given(_facet(), _seeds)
    def test_more_samples_lower_the_published_estimate_in_expectation(
        self, facet, seed
    ):
        # log Z is a convex function of the mean of log p(c|z), so the estimate
        # from all three samples is at most the mean of those that leave one
        # out, whatever the samples.
        z = facet.draw(np.random.default_rng(seed), 3)
        args = facet.log_p_z_c(z), np.log(facet.weights), facet.log_q_z(z)
        together = _blocks(*args)
        apart = [
            _blocks(
                np.delete(args[0], left_out, axis=0),
                args[1],
                np.delete(args[2], left_out, axis=0),
            )
            for left_out in range(3)
        ]
        self.assertTrue(np.all(together <= np.mean(apart, axis=0) + 1e-9))

    @hypothesis.given(_facet(), _seeds, st.sampled_from([1, 3]))
    def test_closed_form_is_eq_14_at_its_maximum(self, facet, seed, n_samples):
        rng = np.random.default_rng(seed)
        found, _, mean_field = _estimate(
            *facet.ours(), facet.draw(rng, n_samples)
        )
        exact = found["closed_form"]
        best = facet.best_resp()
        np.testing.assert_allclose(
            exact.log_resp, facet.best_log_resp(), rtol=1e-8, atol=1e-8
        )
        wanted = facet.eq_14(best)
        tight = {"rtol": 1e-9, "atol": 1e-9}
        np.testing.assert_allclose(_sum(exact), wanted, **tight)
        np.testing.assert_allclose(mean_field, wanted, **tight)
        np.testing.assert_allclose(
            exact.kl_z, np.sum(best * facet.kl_z_c(), axis=-1), **tight
        )
        np.testing.assert_allclose(
            exact.kl_c,
            [stats.entropy(r, facet.weights) for r in best],
            **tight,
        )
        for _ in range(5):
            other = rng.dirichlet(np.full(best.shape[1], 0.5), size=2)
            self.assertTrue(np.all(facet.eq_14(other) <= wanted + 1e-9))

    @hypothesis.given(_facet(), _seeds, st.sampled_from([1, 3]))
    def test_gaussian_kl_is_eq_14_at_the_sampled_assignment(
        self, facet, seed, n_samples
    ):
        z = facet.draw(np.random.default_rng(seed), n_samples)
        found, _, mean_field = _estimate(*facet.ours(), z)
        sampled = found["gaussian_kl"]
        np.testing.assert_array_equal(
            sampled.log_resp, found["five_terms"].log_resp
        )
        np.testing.assert_allclose(
            _sum(sampled),
            facet.eq_14(np.exp(sampled.log_resp)),
            rtol=1e-9,
            atol=1e-9,
        )
        self.assertTrue(np.all(_sum(sampled) <= mean_field + 1e-9))
        # F, less what the sampled responsibilities differ from the best.
        np.testing.assert_allclose(
            _sum(sampled),
            mean_field
            - np.sum(
                np.exp(sampled.log_resp)
                * (sampled.log_resp - facet.best_log_resp()),
                axis=-1,
            ),
            rtol=1e-9,
            atol=1e-9,
        )

    @pytest.mark.slow
    @hypothesis.settings(max_examples=25)
    @hypothesis.given(_facet(), _seeds)
    def test_one_sample_is_the_mixture_bound_and_many_the_mean_field(
        self, facet, seed
    ):
        n = 4096
        rng = np.random.default_rng(seed)
        # Examples that are alike stand for repetitions.
        alike = dataclasses.replace(
            facet,
            q_mean=np.tile(facet.q_mean[:1], (n, 1)),
            q_std=np.tile(facet.q_std[:1], (n, 1)),
        )
        one = np.asarray(
            _sum(_estimate(*alike.ours(), alike.draw(rng, 1))[0]["five_terms"])
        )
        # M by SciPy, from draws of its own.
        z = facet.draw(rng, n)[:, :1]
        log_p_z = special.logsumexp(
            facet.log_p_z_c(z) + np.log(facet.weights), axis=-1
        )
        ratio = log_p_z - stats.norm.logpdf(
            z, facet.q_mean[0], facet.q_std[0]
        ).sum(-1)
        error = np.hypot(np.std(one), np.std(ratio)) / np.sqrt(n)
        self.assertLess(abs(np.mean(one) - np.mean(ratio)), 6 * error + 1e-9)
        # F from one example with many samples; its q(c|x) is nearly optimal,
        # so the estimate is the mean of n draws but for terms of order 1/n.
        found, mixture, mean_field = _estimate(
            *facet.ours(), facet.draw(rng, n)
        )
        slack = 6 * error + 20 / n
        many = _sum(found["five_terms"])
        self.assertLess(abs(many[0] - mean_field[0]), slack)
        self.assertGreater(mixture[0], mean_field[0] - slack)
        self.assertLess(
            abs(_sum(found["gaussian_kl"])[0] - mean_field[0]), slack
        )

    @hypothesis.given(_facet(), _seeds, st.data())
    def test_permuting_components_permutes_the_assignment_and_no_term(
        self, facet, seed, data
    ):
        order = np.array(data.draw(st.permutations(range(len(facet.weights)))))
        permuted = dataclasses.replace(
            facet,
            weights=facet.weights[order],
            means=facet.means[order],
            scale=facet.scale[order],
        )
        z = facet.draw(np.random.default_rng(seed), 3)
        before, after = (_estimate(*f.ours(), z) for f in (facet, permuted))
        for name in _ESTIMATORS:
            ours, theirs = before[0].pop(name), after[0].pop(name)
            np.testing.assert_allclose(
                theirs.log_resp, ours.log_resp[:, order], rtol=1e-9, atol=1e-9
            )
            for left, right in zip(ours[1:], theirs[1:], strict=True):
                np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)
        for left, right in zip(before[1:], after[1:], strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)

    @hypothesis.settings(max_examples=25)
    @hypothesis.given(_seeds, _covariances)
    def test_holding_the_optimal_assignment_fixed_changes_no_gradient(
        self, seed, covariance
    ):
        # The envelope theorem.
        facet = oracles.random_facet(seed, 4, 2, covariance)
        free, held, block = (
            _closed_form_gradient(how, *facet.ours())
            for how in ("free", "held", "block")
        )
        for left, right, third in zip(
            *map(jax.tree.leaves, (free, held, block)), strict=True
        ):
            np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(third, right, rtol=1e-8, atol=1e-9)

    def test_unequal_weights_of_the_two_terms_break_that(self):
        facet = oracles.random_facet(0, 4, 2, Covariance.DIAGONAL)
        free, held = (
            _closed_form_gradient(how, *facet.ours(), weight_c=0.5)
            for how in ("free", "held")
        )
        apart = np.abs(free[1].mean - held[1].mean)
        self.assertGreater(np.max(apart), 0.01)

    @hypothesis.given(_seeds)
    def test_one_sample_of_gaussian_kl_is_the_loss_of_the_vade_paper(
        self, seed
    ):
        # Eq. 12 of arXiv:1611.05148 without its reconstruction term, with
        # gamma_c = p(c|z) at the sample.
        facet = oracles.random_facet(seed, 4, 2, Covariance.DIAGONAL)
        z = facet.draw(np.random.default_rng(seed), 1)
        gamma = special.softmax(
            facet.log_p_z_c(z)[0] + np.log(facet.weights), axis=-1
        )
        var, q_var = facet.scale**2, facet.q_std**2
        distance = (facet.q_mean[:, None] - facet.means) ** 2
        per_component = np.sum(
            np.log(2 * np.pi * var) + (q_var[:, None] + distance) / var, axis=-1
        )
        wanted = (
            -0.5 * np.sum(gamma * per_component, axis=-1)
            + np.sum(
                gamma * np.log(facet.weights) - special.xlogy(gamma, gamma),
                axis=-1,
            )
            + 0.5 * np.sum(1 + np.log(2 * np.pi * q_var), axis=-1)
        )
        found, _, _ = _estimate(*facet.ours(), z)
        np.testing.assert_allclose(
            _sum(found["gaussian_kl"]), wanted, rtol=1e-8, atol=1e-8
        )

    def test_every_row_of_the_table_is_complete_and_found_by_its_name(self):
        for name, row in elbo.ESTIMATORS.items():
            self.assertIs(elbo.find_estimator(name), row)
            self.assertNotIn("", row[1:])

    def test_unknown_name_is_refused_with_those_that_exist(self):
        with self.assertRaisesRegex(
            ValueError, r"train.estimator .*closed_form.*got 'six_terms'"
        ):
            elbo.find_estimator("six_terms")


@functools.partial(jax.jit, static_argnums=0)
def _closed_form_gradient(how, mixture, q, weight_c=1.0):
    """Gradient of the closed form in the mixture and q(z|x)."""

    def loss(mixture, q):
        densities = model_lib.densities(q, mixture, q.mean[None])
        if how == "block":
            return jnp.sum(elbo.mean_field_block(densities))
        log_resp = elbo.closed_form(densities).log_resp
        if how == "held":
            log_resp = jax.lax.stop_gradient(log_resp)
        resp = jnp.exp(log_resp)
        kl_z = densities.expected_log_q_z[:, None] - (
            densities.expected_log_p_z_c
        )
        kl_c = log_resp - densities.log_weights
        return -jnp.sum(resp * (kl_z + weight_c * kl_c))

    return jax.grad(loss, argnums=(0, 1))(mixture, q)


class FiveTermsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @hypothesis.given(seed=_seeds)
    def test_the_four_expectations_are_what_they_are_called(self, seed):
        log_p_z_c, log_weights, log_q_z = _random_case(
            seed, 2, Covariance.DIAGONAL
        )
        terms = _five_terms(log_p_z_c, log_weights, log_q_z)
        for b in range(2):
            r = np.exp(terms.log_resp[b])
            np.testing.assert_allclose(np.sum(r), 1, rtol=1e-12)
            wanted = {
                "log_p_z_c": np.mean([r @ row for row in log_p_z_c[:, b]]),
                "log_p_c": r @ log_weights,
                "log_q_z": np.mean(log_q_z[:, b]),
                "log_q_c": -stats.entropy(r),
            }
            for name, value in wanted.items():
                np.testing.assert_allclose(
                    getattr(terms, name)[b],
                    value,
                    rtol=1e-9,
                    atol=1e-12,
                    err_msg=name,
                )
            # KL_c is a divergence, which KL_z of single samples is not.
            np.testing.assert_allclose(
                terms.kl_c[b],
                stats.entropy(r, np.exp(log_weights)),
                rtol=1e-9,
                atol=1e-12,
            )


class MixtureInOneDimension:
    """A posterior and a mixture on the line, with its integrals by SciPy."""

    mean, std = 0.4, 0.8
    weights = np.array([0.5, 0.3, 0.2])
    means = np.array([-1.0, 0.5, 2.0])
    stds = np.array([0.7, 0.4, 1.2])

    def case(self, z):
        """Arguments of the estimators at samples z of shape (L, B)."""
        log_p_z_c = stats.norm.logpdf(z[..., None], self.means, self.stds)
        log_q_z = stats.norm.logpdf(z, self.mean, self.std)
        return log_p_z_c, np.log(self.weights), log_q_z

    def nodes(self, n):
        """Points and weights of E_q(z|x), by Gauss and Hermite."""
        x, w = special.roots_hermitenorm(n)
        return self.mean + self.std * x, w / np.sum(w)

    @functools.cached_property
    def mixture_bound(self):
        """-KL(q(z|x) || p(z)), with c summed out, by adaptive quadrature."""

        def integrand(z):
            p = self.weights @ stats.norm.pdf(z, self.means, self.stds)
            q = stats.norm.pdf(z, self.mean, self.std)
            return q * (np.log(p) - np.log(q))

        reach = 12 * self.std
        value, _ = integrate.quad(
            integrand, self.mean - reach, self.mean + reach, epsabs=1e-12
        )
        return value

    @functools.cached_property
    def mean_field_bound(self):
        """logsumexp_c(log pi_c - KL(q(z|x) || p(z|c))), in closed form."""
        kl = (
            np.log(self.stds / self.std)
            + (self.std**2 + (self.mean - self.means) ** 2) / 2 / self.stds**2
            - 0.5
        )
        return special.logsumexp(np.log(self.weights) - kl)


class ExpectationTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
        self.line = MixtureInOneDimension()

    def test_with_one_sample_it_is_the_mixture_bound(self):
        # The nodes stand for examples, so that every one has its own sample.
        z, weights = self.line.nodes(150)
        blocks = _blocks(*self.line.case(z[None]))
        np.testing.assert_allclose(
            weights @ blocks, self.line.mixture_bound, atol=1e-6
        )

    def test_with_many_samples_it_is_the_mean_field_bound(self):
        errors = []
        for n in (20, 2000):
            # Stratified: one sample in the middle of each n-th of q(z|x).
            quantiles = (np.arange(n) + 0.5) / n
            z = stats.norm.ppf(quantiles, self.line.mean, self.line.std)
            blocks = _blocks(*self.line.case(z[:, None]))
            errors.append(abs(blocks[0] - self.line.mean_field_bound))
        self.assertLess(errors[1], 2e-3)
        self.assertLess(errors[1], errors[0] / 10)

    def test_mean_field_responsibilities_need_no_samples(self):
        n = 20_000
        z = stats.norm.ppf(
            (np.arange(n) + 0.5) / n, self.line.mean, self.line.std
        )
        resp = np.exp(_five_terms(*self.line.case(z[:, None])).log_resp[0])
        spread = self.line.std**2 + (self.line.mean - self.line.means) ** 2
        expected = -np.log(self.line.stds) - spread / 2 / self.line.stds**2
        np.testing.assert_allclose(
            resp,
            special.softmax(np.log(self.line.weights) + expected),
            atol=1e-4,
        )

    def test_falls_from_the_mixture_bound_as_samples_are_added(self):
        z, weights = self.line.nodes(60)
        pairs = np.stack([a.ravel() for a in np.meshgrid(z, z)])
        pair_weights = np.outer(weights, weights).ravel()
        two = pair_weights @ _blocks(*self.line.case(pairs))
        self.assertGreater(self.line.mixture_bound, two + 1e-3)
        self.assertGreater(two, self.line.mean_field_bound + 1e-3)

    def test_gap_of_the_two_bounds_is_minus_the_expected_log_normaliser(self):
        # M - F = -log Z, with Z from exact expectations of log p(c|z).
        def expected_log_posterior(c):
            def integrand(z):
                joint = np.log(self.line.weights) + stats.norm.logpdf(
                    z, self.line.means, self.line.stds
                )
                q = stats.norm.pdf(z, self.line.mean, self.line.std)
                return q * (joint[c] - special.logsumexp(joint))

            return integrate.quad(integrand, -9, 10, epsabs=1e-11)[0]

        log_z = special.logsumexp([expected_log_posterior(c) for c in range(3)])
        np.testing.assert_allclose(
            self.line.mixture_bound - self.line.mean_field_bound,
            -log_z,
            atol=1e-8,
        )


class GradientTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        estimator=tuple(elbo.ESTIMATORS),
        n_samples=(1, 3),
        term=("kl_z", "kl_c"),
    )
    def test_equals_finite_differences_of_the_formulas(
        self, estimator, n_samples, term
    ):
        """Each KL apart: their sum would not show a cut through q(c|x)."""
        facet = oracles.random_facet(3, 3, 2, Covariance.DIAGONAL, n=1)
        z = facet.draw(np.random.default_rng(3), n_samples)
        args = elbo.Densities(
            log_p_z_c=facet.log_p_z_c(z),
            log_q_z=facet.log_q_z(z),
            expected_log_p_z_c=facet.expected_log_p_z_c(),
            expected_log_q_z=-stats.norm.entropy(scale=facet.q_std).sum(-1),
            log_weights=np.log(facet.weights),
        )

        def oracle(d):
            if estimator == "closed_form":
                log_r = d.expected_log_p_z_c[0] + d.log_weights
            else:
                joint = d.log_p_z_c[:, 0] + d.log_weights
                log_r = special.log_softmax(joint, axis=-1).mean(0)
            log_r = special.log_softmax(log_r)
            r = np.exp(log_r)
            if term == "kl_c":
                return r @ (log_r - d.log_weights)
            if estimator in ("five_terms", "mixture_form"):
                return np.mean(d.log_q_z) - np.mean(d.log_p_z_c[:, 0] @ r)
            return d.expected_log_q_z[0] - d.expected_log_p_z_c[0] @ r

        terms = elbo.ESTIMATORS[estimator].terms
        gradient = jax.jit(jax.grad(lambda d: getattr(terms(d), term)[0]))(args)
        step = 1e-6
        for name, ours in gradient._asdict().items():
            for index in np.ndindex(ours.shape):
                ends = []
                for sign in (1, -1):
                    moved = np.array(getattr(args, name))
                    moved[index] += sign * step
                    ends.append(oracle(args._replace(**{name: moved})))
                np.testing.assert_allclose(
                    ours[index],
                    (ends[0] - ends[1]) / (2 * step),
                    rtol=1e-6,
                    atol=1e-8,
                    err_msg=f"{name} at {index}",
                )


class BoundTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @hypothesis.given(
        st.lists(_facet(), min_size=1, max_size=3),
        _seeds,
        st.sampled_from([1, 3]),
    )
    def test_facets_add_up_to_the_sum_over_all_joint_assignments(
        self, facets, seed, n_samples
    ):
        """Of one example, with every joint c listed: J = 1 is VaDE's bound."""
        rng = np.random.default_rng(seed)
        z = [facet.draw(rng, n_samples) for facet in facets]
        found = [
            _estimate(*facet.ours(), z_j)
            for facet, z_j in zip(facets, z, strict=True)
        ]
        log_q_z = sum(
            facet.log_q_z(z_j)[:, 0]
            for facet, z_j in zip(facets, z, strict=True)
        )
        # log p(z_j^l, c_j) of every sample, and that of every joint c.
        log_joint_j = [
            facet.log_p_z_c(z_j)[:, 0] + np.log(facet.weights)
            for facet, z_j in zip(facets, z, strict=True)
        ]
        log_p_z_and_c = _over_all_joint_c(log_joint_j)

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
            [
                facet.expected_log_p_z_c()[:1] + np.log(facet.weights)
                for facet in facets
            ]
        )
        entropy = sum(
            stats.norm.entropy(scale=f.q_std[0]).sum() for f in facets
        )
        np.testing.assert_allclose(
            sum(f[2][:1] for f in found),
            special.logsumexp(expected, axis=-1) + entropy,
            rtol=1e-9,
            atol=1e-9,
        )

    def test_loss_weights_each_term_of_each_facet_apart(self):
        facets = self._facets((9, 10, 11))
        terms = elbo.ElboTerms(np.array([-3.0, -5.0]), facets, None, None)
        loss = jax.jit(elbo.loss)
        zeros = np.zeros(3)
        np.testing.assert_allclose(loss(terms, zeros, zeros), 4.0)
        for j, one in enumerate(np.eye(3)):
            np.testing.assert_allclose(
                loss(terms, one, zeros), 4 + np.mean(facets[j].kl_z)
            )
            np.testing.assert_allclose(
                loss(terms, zeros, one), 4 + np.mean(facets[j].kl_c)
            )
        weight_z, weight_c = np.random.default_rng(12).random((2, 3))
        np.testing.assert_allclose(
            loss(terms, weight_z, weight_c),
            4
            + sum(
                weight_z[j] * np.mean(facet.kl_z)
                + weight_c[j] * np.mean(facet.kl_c)
                for j, facet in enumerate(facets)
            ),
        )

    def test_bounds_add_the_blocks_of_the_facets_that_are_in(self):
        rng = np.random.default_rng(13)
        log_p_x_z, mixture, mean_field = (
            rng.normal(size=2),
            rng.normal(size=(2, 3)),
            rng.normal(size=(2, 3)),
        )
        terms = elbo.ElboTerms(log_p_x_z, (None,) * 3, mixture, mean_field)
        for is_in in ([1.0, 1, 1], [0, 1, 1], [0, 0, 1]):
            found = jax.jit(elbo.bounds)(terms, np.array(is_in))
            for ours, block in zip(found, (mixture, mean_field), strict=True):
                kept = block[:, np.array(is_in, bool)]
                np.testing.assert_allclose(ours, log_p_x_z + kept.sum(axis=1))

    @parameterized.parameters((2, 3), (3, 2), (1, 3))
    def test_weights_of_another_number_of_facets_are_refused(self, n_z, n_c):
        terms = elbo.ElboTerms(
            np.zeros(2), self._facets((13,)) * 3, np.zeros((2, 3)), None
        )
        with self.assertRaisesRegex(AssertionError, "shape"):
            elbo.loss(terms, np.ones(n_z), np.ones(n_c))
        with self.assertRaisesRegex(AssertionError, "shape"):
            elbo.bounds(terms, np.ones(min(n_z, n_c)))

    def _facets(self, seeds):
        return tuple(
            _five_terms(*_random_case(seed, 2, Covariance.DIAGONAL))
            for seed in seeds
        )


class ExtremesTest(parameterized.TestCase):
    """float32, at values far from any that a run should meet."""

    @parameterized.parameters(
        (Covariance.DIAGONAL, 1, 3, 2, 2),
        (Covariance.FULL, 1, 3, 2, 2),
        (Covariance.DIAGONAL, 2, 3, 1, 1),
        (Covariance.FULL, 2, 1, 2, 1),
        (Covariance.DIAGONAL, 2, 1, 1, 2),
        (Covariance.FULL, 2, 1, 1, 2),
        (Covariance.DIAGONAL, 1, 3, 2, 0),
        (Covariance.FULL, 2, 3, 2, 0),
    )
    def test_terms_and_gradients_of_all_estimators_are_finite(
        self, covariance, n_samples, k, d, n
    ):
        def losses(params, mean, log_var, noise):
            mixture = prior.MixturePrior(k, d, covariance, 1.0).apply(
                {"params": params}
            )
            q = posterior.Posterior(mean, log_var)
            densities = model_lib.densities(
                q, mixture, posterior.sample(q, noise)
            )
            blocks = (
                elbo.mixture_block(densities),
                elbo.mean_field_block(densities),
            )
            terms = [terms(densities) for terms in _ESTIMATORS.values()]
            total = sum(map(jnp.sum, blocks))
            # Apart, since the two KLs get weights of their own.
            total += sum(
                elbo.loss(
                    elbo.ElboTerms(jnp.zeros(n), (t,), None, None),
                    2 * jnp.ones(1),
                    jnp.ones(1),
                )
                for t in terms
            )
            return total, (blocks, terms)

        compiled = jax.jit(
            jax.value_and_grad(losses, argnums=(0, 1, 2), has_aux=True)
        )
        rng = np.random.default_rng(14)
        noise = rng.normal(size=(n_samples, n, d)).astype(np.float32)
        apart = 1e3 * np.arange(k, dtype=np.float32)[:, None] * np.ones((1, d))
        unlikely = np.where(np.arange(k) == 0, -200, 0)
        far = np.full((n, d), 1e3 * (k - 1), np.float32)
        # One variance for all components, or one that spans all of them.
        for variances in ((1e-6,), (1.0,), (1e6,), (1e-6, 1e6, 1.0)):
            variance = np.resize(variances, (k, 1)) * np.ones((1, d))
            for mean, log_var in itertools.product(
                (np.zeros_like(far), far), (-14.0, 0.0, 14.0)
            ):
                params = {
                    "logits": unlikely.astype(np.float32),
                    "means": apart.astype(np.float32),
                }
                if covariance is Covariance.DIAGONAL:
                    params["raw_var"] = _raw(variance).astype(np.float32)
                else:
                    std = np.sqrt(variance)
                    below = np.tril(np.ones((d, d)), -1) * std[:, :1, None]
                    params["raw_tril"] = np.float32(
                        below + _raw(std)[..., None] * np.eye(d)
                    )
                (value, found), gradient = compiled(
                    params, mean, np.full((n, d), log_var, np.float32), noise
                )
                for leaf in jax.tree.leaves((value, found, gradient)):
                    self.assertTrue(
                        np.all(np.isfinite(leaf)),
                        f"variances {variances}, log_var {log_var}: {leaf}",
                    )

    def test_a_component_without_weight_takes_nothing(self):
        log_weights = np.float32([-1e30, np.log(0.5), np.log(0.5)])
        zeros = np.zeros((2, 1, 3), np.float32)
        densities = elbo.Densities(
            zeros, zeros[..., 0], zeros[0], zeros[0, :, 0], log_weights
        )
        for terms in _ESTIMATORS.values():
            found = jax.jit(terms)(densities)
            np.testing.assert_allclose(
                np.exp(found.log_resp), [[0, 0.5, 0.5]], rtol=1e-6
            )
            np.testing.assert_allclose(found.kl_c, [0], atol=1e-6)


def _raw(value):
    """log(exp(10 value) - 1) / 10, in double precision."""
    return value + np.log(-np.expm1(-10 * value)) / 10


class OfficialClampTest(absltest.TestCase):
    @fixtures.needs_fixtures
    def test_leaving_it_out_changes_less_than_a_millionth_of_a_nat(self):
        table = fixtures.load("F8")
        q, official = table["q"], table["q_term"]
        self.assertTrue(np.any(q < 1e-6) and np.any(q > 0.1))
        with jax.enable_x64(True):
            # One sample each, of two components with p(c|z) = (q, 1 - q).
            log_p_z_c = np.log(np.stack([q, 1 - q], axis=-1) + 1e-300)[None]
            terms = _five_terms(log_p_z_c, np.zeros(2), np.zeros((1, len(q))))
        np.testing.assert_allclose(np.exp(terms.log_resp[:, 0]), q, rtol=1e-9)
        ours = np.asarray(terms.log_q_c) - special.xlogy(1 - q, 1 - q)
        self.assertLess(np.max(np.abs(ours - official)), 1e-6)


if __name__ == "__main__":
    absltest.main()
