# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The fit that ends a warm-up, against scikit-learn and SciPy."""

import functools

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import stats
from sklearn import datasets, decomposition, mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.training import prior_fit, runs
from mfcvae_jax.variational import prior
from mfcvae_jax.variational.posterior import Posterior
from tests.training import small_runs

_K, _D = 3, 2


def _encodings(n=200, apart=6):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(_K, _D)) * apart
    mean = centres[rng.integers(_K, size=n)] + rng.normal(size=(n, _D))
    return Posterior(mean, rng.normal(size=(n, _D)) - [0, 5])


def _sklearns(q, form):
    """The likeliest of three k-means starts."""
    return mixture.GaussianMixture(
        _K,
        covariance_type={Covariance.DIAGONAL: "diag"}.get(form, form.value),
        n_init=3,
        random_state=0,
        reg_covar=1e-4 * q.mean.var(axis=0).mean(),
        tol=1e-6,
    ).fit(q.mean)


class FitTest(parameterized.TestCase):
    @parameterized.parameters(*Covariance)
    @pytest.mark.slow
    def test_density_is_scikit_learns_with_the_posterior_variance(self, form):
        # Clusters that lie so far apart have one mixture that EM ends at.
        q = _encodings(apart=60)
        found = prior_fit.fit(q, _K, form, 4)
        model = _sklearns(q, form)
        self.assertAlmostEqual(found.log_likelihood, model.score(q.mean))
        # The log variances are shifted so that none is above a tenth of that
        # within clusters.
        within = {
            "full": lambda: np.einsum(
                "k,kdd->d", model.weights_, model.covariances_
            ),
            "tied": lambda: np.diag(model.covariances_),
            "diagonal": lambda: model.weights_ @ model.covariances_,
            "spherical": lambda: np.full(
                _D, model.weights_ @ model.covariances_
            ),
        }[form.value]()
        mean_var = np.exp(q.log_var).mean(axis=0)
        own = np.minimum(mean_var, 0.1 * within)
        self.assertTrue(np.any(own < mean_var) and np.any(own == mean_var))
        np.testing.assert_allclose(np.exp(found.log_var_shift) * mean_var, own)
        with jax.enable_x64(True):
            ours = prior.MixturePrior(_K, _D, form, 1.0).apply(
                {"params": found.params}
            )
            z = q.mean[:20]
            log_prob = ours.log_prob(z)
        wanted = np.zeros(len(z))
        for k in range(_K):
            covariance = {
                "full": lambda k: model.covariances_[k] + np.diag(own),
                "tied": lambda k: model.covariances_ + np.diag(own),
                "diagonal": lambda k: np.diag(model.covariances_[k] + own),
                "spherical": lambda k: (
                    np.eye(_D) * (model.covariances_[k] + own.mean())
                ),
            }[form.value](k)
            density = stats.multivariate_normal(model.means_[k], covariance)
            wanted += model.weights_[k] * density.pdf(z)
        np.testing.assert_allclose(log_prob, np.log(wanted), rtol=1e-6)

    @parameterized.parameters(*Covariance)
    def test_of_many_encodings_a_part_finds_the_start(self, form):
        q = _encodings(6000)
        found = prior_fit.fit(q, _K, form, 0)
        model = _sklearns(q, form)
        # Either EM ends when it hardly gains any more.
        self.assertAlmostEqual(found.log_likelihood, model.score(q.mean), 2)
        means = found.params["means"][np.argsort(found.params["means"][:, 0])]
        wanted = model.means_[np.argsort(model.means_[:, 0])]
        np.testing.assert_allclose(means, wanted, atol=0.05)

    def test_fit_to_digits_keeps_rounding_small(self):
        # Real data, of which k-means and merged mixtures are no sure thing.
        pixels, _ = datasets.load_digits(return_X_y=True)
        means = decomposition.PCA(10).fit_transform(pixels)
        rng = np.random.default_rng(0)
        rounded = means * (1 + 1e-7 * rng.normal(size=means.shape))
        exact, near = (
            prior_fit.fit(
                Posterior(q, np.zeros_like(q)), 10, Covariance.FULL, 0
            )
            for q in (means, rounded)
        )
        self.assertEqual(exact.n_iterations, near.n_iterations)
        for name, value in exact.params.items():
            with self.subTest(name):
                error = np.abs(near.params[name] - value).max()
                self.assertLess(error, 1e-5 * np.abs(value).max())

    def test_encodings_that_are_all_the_same_give_a_finite_mixture(self):
        q = Posterior(np.ones((30, _D)), np.full((30, _D), -2.0))
        found = prior_fit.fit(q, _K, Covariance.FULL, 0)
        for value in found.params.values():
            self.assertTrue(np.all(np.isfinite(value)))


class StateTest(absltest.TestCase):
    @functools.cached_property
    def run_(self):
        return small_runs.run(
            facets={"learn_weights": (False, True)},
            prior_init={"means": "glorot", "variance": 0.01},
            progressive={"stage_epochs": (2, 2), "warm_up_epochs": (1, 1)},
        )

    @pytest.mark.slow
    def test_prior_of_the_facet_is_new_and_the_optimiser_starts_afresh(self):
        run = self.run_
        before = runs.first_state(run)
        worn = jax.tree.map(lambda leaf: leaf + 1, before.opt_state)
        before = before._replace(opt_state=worn)
        after, values = prior_fit.fit_priors(run, before, (0,))
        again, _ = prior_fit.fit_priors(run, before, (0,))
        small_runs.assert_equal_states(after, again)
        self.assertEqual(set(values), {"log_likelihood/0", "iterations/0"})
        for name, part in before.params.items():
            same = jax.tree.map(np.array_equal, part, after.params[name])
            if name == "priors_0":  # its weights are fixed
                self.assertEqual(
                    same, {"logits": True, "means": False, "raw_var": False}
                )
            elif name == "encoder":
                del same["heads_0"]["log_var"]["bias"]
                self.assertTrue(all(jax.tree.leaves(same)))
            else:
                self.assertTrue(all(jax.tree.leaves(same)), name)
        for leaf in jax.tree.leaves(after.opt_state):
            self.assertFalse(np.any(leaf))

    def test_variance_of_the_encoder_fits_its_clusters(self):
        state = runs.first_state(self.run_)
        images = self.run_.dataset.train.images
        model = runs.in_force(self.run_, state)
        before = model.posteriors(images)[0]
        after, _ = prior_fit.fit_priors(self.run_, state, (0,))
        found = runs.in_force(self.run_, after).posteriors(images)[0]
        np.testing.assert_array_equal(found.mean, before.mean)
        fitted = prior_fit.fit(before, 6, Covariance.DIAGONAL, 0)
        np.testing.assert_allclose(
            found.log_var, before.log_var + fitted.log_var_shift, rtol=1e-4
        )
        self.assertLess(fitted.log_var_shift.max(), -1)
