# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The fit that ends a warm-up, against scikit-learn and SciPy."""

import functools

import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats
from sklearn import mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.training import prior_fit, runs
from mfcvae_jax.variational import prior
from mfcvae_jax.variational.posterior import Posterior
from tests.training import small_runs

_K, _D = 3, 2


def _encodings(n=200):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(_K, _D)) * 6
    mean = centres[rng.integers(_K, size=n)] + rng.normal(size=(n, _D))
    return Posterior(mean, rng.normal(size=(n, _D)) - 1)


class FitTest(parameterized.TestCase):
    @parameterized.parameters(*Covariance)
    def test_density_is_scikit_learns_with_the_posterior_variance(self, form):
        q, seed, n_init = _encodings(), 4, 2
        found = prior_fit.fit(q, _K, form, n_init, seed)
        model = mixture.GaussianMixture(
            _K,
            covariance_type={Covariance.DIAGONAL: "diag"}.get(form, form.value),
            n_init=n_init,
            random_state=seed,
            reg_covar=1e-4 * q.mean.var(axis=0).mean(),
        ).fit(q.mean)
        self.assertAlmostEqual(found.log_likelihood, model.score(q.mean))
        self.assertEqual(found.n_iterations, model.n_iter_)
        own = np.exp(q.log_var).mean(axis=0)
        with jax.enable_x64(True):
            ours = prior.MixturePrior(_K, _D, form, 1.0).apply(
                {"params": found.params}
            )
            z = q.mean[:20]
            log_prob = prior.distribution(ours).log_prob(z)
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

    def test_encodings_that_are_all_the_same_give_a_finite_mixture(self):
        q = Posterior(np.ones((30, _D)), np.full((30, _D), -2.0))
        found = prior_fit.fit(q, _K, Covariance.FULL, 1, 0)
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
            else:
                self.assertTrue(all(jax.tree.leaves(same)), name)
        for leaf in jax.tree.leaves(after.opt_state):
            self.assertFalse(np.any(leaf))


if __name__ == "__main__":
    absltest.main()
