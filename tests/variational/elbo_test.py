# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The bound, against SciPy, quadrature, closed forms and enumeration."""

import functools
import itertools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import strategies as st
from scipy import integrate, special, stats

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import elbo, posterior, prior
from tests import fixtures

_seeds = st.integers(0, 2**32 - 1)
_five_terms = jax.jit(elbo.five_terms)
_mixture_form = jax.jit(elbo.mixture_form)
_kl = jax.jit(lambda *args: _sum(elbo.five_terms(*args)))


def _sum(facet):
    return facet.kl_z + facet.kl_c


def _random_mixture(rng, k, d, covariance):
    """A mixture whose components overlap, and its covariances (K, D, D)."""
    std = rng.uniform(0.3, 1.5, (k, d))
    scale, covariances = std, np.stack([np.diag(s**2) for s in std])
    if covariance is Covariance.FULL:
        scale = 0.5 * np.tril(rng.normal(size=(k, d, d)), -1)
        scale[:, range(d), range(d)] = std
        covariances = scale @ scale.swapaxes(-1, -2)
    log_weights = np.log(rng.dirichlet(np.ones(k)))
    mixture = prior.Mixture(log_weights, rng.normal(size=(k, d)), scale)
    return mixture, covariances


def _random_case(seed, n_samples, covariance, n=2, k=3, d=2):
    """log p(z|c), log p(c) and log q(z|x) by SciPy, of a random facet."""
    rng = np.random.default_rng(seed)
    mixture, covariances = _random_mixture(rng, k, d, covariance)
    mean, std = rng.normal(size=(n, d)), rng.uniform(0.2, 2, (n, d))
    z = mean + std * rng.normal(size=(n_samples, n, d))
    log_p_z_c = np.stack(
        [
            stats.multivariate_normal(m, s).logpdf(z).reshape(n_samples, n)
            for m, s in zip(mixture.means, covariances, strict=True)
        ],
        axis=-1,
    )
    log_q_z = stats.norm.logpdf(z, mean, std).sum(-1)
    q = posterior.Posterior(mean, 2 * np.log(std))
    return (log_p_z_c, mixture.log_weights, log_q_z), (mixture, q, z)


@jax.jit
def _from_densities(mixture, q, z):
    """Both forms of one facet's part, from our own densities."""
    args = (
        prior.component_log_prob(mixture, z),
        mixture.log_weights,
        posterior.log_prob(q, z),
    )
    return _sum(elbo.five_terms(*args)), elbo.mixture_form(*args)


def _bound_by_loops(log_p_z_c, log_weights, log_q_z):
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


class TwoFormsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(n_samples=(1, 2, 7), covariance=tuple(Covariance))
    @hypothesis.settings(max_examples=25)
    @hypothesis.given(seed=_seeds)
    def test_five_terms_are_the_mixture_form_sample_by_sample(
        self, seed, n_samples, covariance
    ):
        (log_p_z_c, log_weights, log_q_z), ours = _random_case(
            seed, n_samples, covariance
        )
        kl, block = _from_densities(*ours)
        np.testing.assert_allclose(-kl, block, rtol=1e-10, atol=1e-10)
        for b in range(2):
            np.testing.assert_allclose(
                block[b],
                _bound_by_loops(log_p_z_c[:, b], log_weights, log_q_z[:, b]),
                rtol=1e-9,
                atol=1e-9,
            )

    @hypothesis.given(seed=_seeds)
    def test_the_four_expectations_are_what_they_are_called(self, seed):
        (log_p_z_c, log_weights, log_q_z), _ = _random_case(
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

    @hypothesis.given(seed=_seeds, order=st.permutations(range(3)))
    def test_permuting_components_changes_no_term(self, seed, order):
        order = np.array(order)
        (log_p_z_c, log_weights, log_q_z), _ = _random_case(
            seed, 2, Covariance.DIAGONAL
        )
        terms = _five_terms(log_p_z_c, log_weights, log_q_z)
        permuted = _five_terms(
            log_p_z_c[..., order], log_weights[order], log_q_z
        )
        np.testing.assert_allclose(
            permuted.log_resp, terms.log_resp[:, order], rtol=1e-9, atol=1e-9
        )
        for ours, theirs in zip(terms[1:], permuted[1:], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


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
        kl = _kl(*self.line.case(z[None]))
        np.testing.assert_allclose(
            -weights @ kl, self.line.mixture_bound, atol=1e-6
        )

    def test_with_many_samples_it_is_the_mean_field_bound(self):
        errors = []
        for n in (20, 2000):
            # Stratified: one sample in the middle of each n-th of q(z|x).
            quantiles = (np.arange(n) + 0.5) / n
            z = stats.norm.ppf(quantiles, self.line.mean, self.line.std)
            kl = _kl(*self.line.case(z[:, None]))
            errors.append(abs(-kl[0] - self.line.mean_field_bound))
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
        two = -pair_weights @ _kl(*self.line.case(pairs))
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

    @parameterized.product(n_samples=(1, 3), term=("kl_z", "kl_c"))
    def test_equals_finite_differences_of_the_loops(self, n_samples, term):
        # Each KL apart: their sum would not show a cut through q(c|x).
        args, _ = _random_case(3, n_samples, Covariance.DIAGONAL, n=1)

        def oracle(log_p_z_c, log_weights, log_q_z):
            joint = log_p_z_c[:, 0] + log_weights
            log_p = special.log_softmax(joint, axis=-1).mean(0)
            r = special.softmax(log_p)
            if term == "kl_z":
                return np.mean(log_q_z) - np.mean(log_p_z_c[:, 0] @ r)
            return r @ (special.log_softmax(log_p) - log_weights)

        gradient = jax.jit(
            jax.grad(
                lambda *args: getattr(elbo.five_terms(*args), term)[0],
                argnums=(0, 1, 2),
            )
        )(*args)
        step = 1e-6
        for which, ours in enumerate(gradient):
            for index in np.ndindex(ours.shape):
                ends = []
                for sign in (1, -1):
                    moved = [np.array(arg) for arg in args]
                    moved[which][index] += sign * step
                    ends.append(oracle(*moved))
                np.testing.assert_allclose(
                    ours[index],
                    (ends[0] - ends[1]) / (2 * step),
                    rtol=1e-6,
                    atol=1e-8,
                    err_msg=f"argument {which} at {index}",
                )


class BoundTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.parameters(1, 4)
    def test_one_facet_gives_the_vade_bound(self, n_samples):
        args, _ = _random_case(5, n_samples, Covariance.FULL)
        log_p_x = np.array([-3.0, -4.0])
        terms = elbo.ElboTerms(log_p_x, (_five_terms(*args),))
        ours = jax.jit(elbo.bound)(terms)
        for b in range(2):
            block = _bound_by_loops(args[0][:, b], args[1], args[2][:, b])
            np.testing.assert_allclose(ours[b], log_p_x[b] + block, rtol=1e-10)

    @parameterized.parameters(1, 3)
    def test_two_facets_equal_the_sum_over_all_nine_assignments(
        self, n_samples
    ):
        cases = [
            _random_case(seed, n_samples, Covariance.DIAGONAL, n=1, d=d)[0]
            for seed, d in ((6, 1), (7, 2))
        ]
        log_p_x = np.array([-2.5])
        facets = tuple(_five_terms(*case) for case in cases)
        ours = jax.jit(elbo.bound)(elbo.ElboTerms(log_p_x, facets))
        (p_0, pi_0, q_0), (p_1, pi_1, q_1) = cases
        joint = list(itertools.product(range(3), repeat=2))
        # log p(z^l, c) of every sample and joint assignment, shape (L, 9).
        log_p_z_and_c = np.stack(
            [p_0[:, 0, a] + pi_0[a] + p_1[:, 0, b] + pi_1[b] for a, b in joint],
            axis=-1,
        )
        log_p_z = special.logsumexp(log_p_z_and_c, axis=1, keepdims=True)
        log_r = special.log_softmax((log_p_z_and_c - log_p_z).mean(0))
        log_q_z = q_0[:, 0] + q_1[:, 0]

        def by_enumeration(log_r):
            inside = log_p_z_and_c - log_q_z[:, None] - log_r
            return log_p_x[0] + np.mean(inside @ np.exp(log_r))

        np.testing.assert_allclose(ours, [by_enumeration(log_r)], rtol=1e-11)
        # It is the best over all joint q(c|x), factorised or not.
        for other in np.random.default_rng(8).dirichlet(np.ones(9), size=50):
            self.assertLess(by_enumeration(np.log(other)), ours[0])

    def test_loss_weights_each_term_of_each_facet_apart(self):
        cases = [
            _random_case(seed, 2, Covariance.DIAGONAL)[0]
            for seed in (9, 10, 11)
        ]
        facets = tuple(_five_terms(*case) for case in cases)
        terms = elbo.ElboTerms(np.array([-3.0, -5.0]), facets)
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
        np.testing.assert_allclose(
            loss(terms, np.ones(3), np.ones(3)), -np.mean(elbo.bound(terms))
        )

    @parameterized.parameters((2, 3), (3, 2), (1, 3))
    def test_weights_of_another_number_of_facets_are_refused(self, n_z, n_c):
        args, _ = _random_case(13, 1, Covariance.DIAGONAL)
        terms = elbo.ElboTerms(np.zeros(2), (_five_terms(*args),) * 3)
        with self.assertRaisesRegex(AssertionError, "shape"):
            elbo.loss(terms, np.ones(n_z), np.ones(n_c))


class ExtremesTest(parameterized.TestCase):
    """float32, at values far from any that a run should meet."""

    @parameterized.parameters(
        (Covariance.DIAGONAL, 1, 3, 2),
        (Covariance.FULL, 1, 3, 2),
        (Covariance.DIAGONAL, 2, 3, 1),
        (Covariance.FULL, 2, 1, 2),
        (Covariance.DIAGONAL, 2, 1, 1),
        (Covariance.FULL, 2, 1, 1),
    )
    def test_terms_and_gradients_are_finite(self, covariance, n_samples, k, d):

        def loss(params, log_var, noise):
            mixture = prior.MixturePrior(k, d, covariance, 1.0).apply(
                {"params": params}
            )
            q = posterior.Posterior(jnp.zeros((2, d)), log_var)
            z = posterior.sample(q, noise)
            terms = elbo.five_terms(
                prior.component_log_prob(mixture, z),
                mixture.log_weights,
                posterior.log_prob(q, z),
            )
            value = elbo.loss(
                elbo.ElboTerms(jnp.zeros(2), (terms,)), jnp.ones(1), jnp.ones(1)
            )
            return value, terms

        compiled = jax.jit(
            jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        )
        rng = np.random.default_rng(14)
        noise = rng.normal(size=(n_samples, 2, d)).astype(np.float32)
        apart = 1e3 * np.arange(k, dtype=np.float32)[:, None] * np.ones((1, d))
        unlikely = np.where(np.arange(k) == 0, -200, 0)
        for variance in (1e-6, 1.0, 1e6):
            for log_var in (-14.0, 0.0, 14.0):
                is_diagonal = covariance is Covariance.DIAGONAL
                raw = _raw(variance if is_diagonal else np.sqrt(variance))
                params = {
                    "logits": unlikely.astype(np.float32),
                    "means": apart.astype(np.float32),
                }
                if is_diagonal:
                    params["raw_var"] = np.full((k, d), raw, np.float32)
                else:
                    params["raw_tril"] = np.tile(
                        np.float32(raw) * np.eye(d, dtype=np.float32), (k, 1, 1)
                    )
                (value, terms), gradient = compiled(
                    params, np.full((2, d), log_var, np.float32), noise
                )
                for leaf in jax.tree.leaves((value, terms, gradient)):
                    self.assertTrue(
                        np.all(np.isfinite(leaf)),
                        f"variance {variance}, log_var {log_var}: {leaf}",
                    )

    def test_a_component_without_weight_takes_nothing(self):
        log_weights = np.float32([-1e30, np.log(0.5), np.log(0.5)])
        terms = _five_terms(
            np.zeros((2, 1, 3), np.float32),
            log_weights,
            np.zeros((2, 1), np.float32),
        )
        np.testing.assert_allclose(
            np.exp(terms.log_resp), [[0, 0.5, 0.5]], rtol=1e-6
        )
        np.testing.assert_allclose(terms.kl_c, [0], atol=1e-6)


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
