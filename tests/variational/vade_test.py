# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The VaDE trick, against minimisation, scikit-learn and enumeration."""

import itertools

import hypothesis
import jax
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import strategies as st
from scipy import optimize, special, stats
from sklearn import mixture as sk_mixture

from mfcvae_jax.variational import vade

_log_posterior = jax.jit(vade.log_posterior)
_optimal = jax.jit(vade.optimal_assignment)

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

    def test_probabilities_without_an_axis_of_samples_are_refused(self):
        with self.assertRaisesRegex(AssertionError, "rank"):
            vade.optimal_assignment(np.zeros((2, 3)))


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


class TwoFacetsTest(parameterized.TestCase):
    """Theorems 2 and 3, by listing all nine joint components."""

    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
        rng = np.random.default_rng(1)
        self.dims = (1, 2)
        self.weights = [rng.dirichlet(np.ones(3)) for _ in self.dims]
        self.means = [rng.normal(size=(3, d)) for d in self.dims]
        self.covariances = []
        for d in self.dims:
            root = np.eye(d) + 0.3 * rng.normal(size=(3, d, d))
            self.covariances.append(root @ root.swapaxes(-1, -2))
        self.samples = [rng.normal(size=(5, d)) for d in self.dims]

    def _facet(self, j):
        """Our assignment of one facet."""
        log_p_z_c = np.stack(
            [
                stats.multivariate_normal(mean, covariance).logpdf(
                    self.samples[j]
                )
                for mean, covariance in zip(
                    self.means[j], self.covariances[j], strict=True
                )
            ],
            axis=-1,
        )
        log_p_c_z = _log_posterior(log_p_z_c[:, None], np.log(self.weights[j]))
        return _optimal(log_p_c_z)

    @parameterized.named_parameters(
        # Samples of z_1 and z_2 in all pairs, or each in one pair only.
        ("under_a_factorised_q", [divmod(n, 5) for n in range(25)]),
        ("under_a_joint_q", [(n, (3 * n + 1) % 5) for n in range(5)]),
    )
    def test_joint_optimum_is_the_product_of_the_facets_own(self, pairs):
        joint = list(itertools.product(range(3), repeat=2))
        log_p_c_z = []
        for left, right in pairs:
            z = np.concatenate([self.samples[0][left], self.samples[1][right]])
            log_p_z_and_c = []
            for c in joint:
                covariance = np.zeros((3, 3))
                covariance[:1, :1] = self.covariances[0][c[0]]
                covariance[1:, 1:] = self.covariances[1][c[1]]
                mean = np.concatenate([self.means[j][c[j]] for j in range(2)])
                weight = self.weights[0][c[0]] * self.weights[1][c[1]]
                log_p_z_and_c.append(
                    np.log(weight)
                    + stats.multivariate_normal(mean, covariance).logpdf(z)
                )
            log_p_c_z.append(special.log_softmax(log_p_z_and_c))
        expected = np.mean(log_p_c_z, axis=0)
        first, second = self._facet(0), self._facet(1)
        for log_resp, c in zip(
            special.log_softmax(expected), joint, strict=True
        ):
            np.testing.assert_allclose(
                first.log_resp[0, c[0]] + second.log_resp[0, c[1]],
                log_resp,
                rtol=1e-10,
            )
        np.testing.assert_allclose(
            first.log_normaliser + second.log_normaliser,
            [special.logsumexp(expected)],
            rtol=1e-10,
        )
        self.assertLess(special.logsumexp(expected), -0.01)


if __name__ == "__main__":
    absltest.main()
