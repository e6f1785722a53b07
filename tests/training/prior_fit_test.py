# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The fit that ends a warm-up, against scikit-learn and SciPy."""

import jax
import numpy as np
import pytest
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


def _full(covariances, form):
    """scikit-learn's covariances, shape (K, D, D)."""
    if form in (Covariance.FULL, Covariance.TIED):
        return np.broadcast_to(covariances, (_K, _D, _D))
    return covariances.reshape(_K, -1, 1) * np.eye(_D)


@pytest.mark.parametrize("form", Covariance)
@pytest.mark.slow
def test_density_is_scikit_learns_with_the_posterior_variance(form):
    # Clusters that lie so far apart have one mixture that EM ends at.
    q = _encodings(apart=60)
    found = prior_fit.fit(q, _K, form, 4)
    model = _sklearns(q, form)
    np.testing.assert_allclose(
        found.log_likelihood, model.score(q.mean), rtol=0, atol=5e-8
    )
    # The log variances are shifted so that none is above a tenth of that within
    # clusters.
    covariances = _full(model.covariances_, form)
    within = np.einsum("k,kdd->d", model.weights_, covariances)
    mean_var = np.exp(q.log_var).mean(axis=0)
    own = np.minimum(mean_var, 0.1 * within)
    assert np.any(own < mean_var) and np.any(own == mean_var)
    np.testing.assert_allclose(np.exp(found.log_var_shift) * mean_var, own)
    added = own.mean() if form is Covariance.SPHERICAL else own
    covariances = covariances + added * np.eye(_D)
    z = q.mean[:20]
    with jax.enable_x64(True):
        ours = prior.MixturePrior(_K, _D, form, 1.0).apply(
            {"params": found.params}
        )
        log_prob = ours.log_prob(z)
    wanted = sum(
        model.weights_[k]
        * stats.multivariate_normal(model.means_[k], covariances[k]).pdf(z)
        for k in range(_K)
    )
    np.testing.assert_allclose(log_prob, np.log(wanted), rtol=1e-6)


@pytest.mark.parametrize("form", Covariance)
def test_of_many_encodings_a_part_finds_the_start(form):
    q = _encodings(6000)
    found = prior_fit.fit(q, _K, form, 0)
    model = _sklearns(q, form)
    # Either EM ends when it hardly gains any more.
    np.testing.assert_allclose(
        found.log_likelihood, model.score(q.mean), rtol=0, atol=5e-3
    )
    means, wanted = (
        m[np.argsort(m[:, 0])] for m in (found.params["means"], model.means_)
    )
    np.testing.assert_allclose(means, wanted, atol=0.05)


def test_fit_to_digits_keeps_rounding_small():
    # Real data, of which k-means and merged mixtures are no sure thing.
    pixels, _ = datasets.load_digits(return_X_y=True)
    means = decomposition.PCA(10).fit_transform(pixels)
    rng = np.random.default_rng(0)
    rounded = means * (1 + 1e-7 * rng.normal(size=means.shape))
    exact, near = (
        prior_fit.fit(Posterior(q, np.zeros_like(q)), 10, Covariance.FULL, 0)
        for q in (means, rounded)
    )
    assert exact.n_iterations == near.n_iterations
    for name, value in exact.params.items():
        error = np.abs(near.params[name] - value).max()
        assert error < 1e-5 * np.abs(value).max(), name


def test_encodings_that_are_all_the_same_give_a_finite_mixture():
    q = Posterior(np.ones((30, _D)), np.full((30, _D), -2.0))
    found = prior_fit.fit(q, _K, Covariance.FULL, 0)
    for value in found.params.values():
        assert np.all(np.isfinite(value))


@pytest.fixture(scope="module")
def fitted():
    """A run, the state of a facet that has warmed up, and its fit."""
    run = small_runs.run(
        facets={"learn_weights": (False, True)},
        prior_init={"means": "glorot", "variance": 0.01},
        progressive={"stage_epochs": (2, 2), "warm_up_epochs": (1, 1)},
    )
    before = runs.first_state(run)
    worn = jax.tree.map(lambda leaf: leaf + 1, before.opt_state)
    before = before._replace(opt_state=worn)
    return run, before, prior_fit.fit_priors(run, before, (0,))


@pytest.mark.slow
def test_prior_of_the_facet_is_new_and_the_optimiser_starts_afresh(fitted):
    run, before, (after, values) = fitted
    again, _ = prior_fit.fit_priors(run, before, (0,))
    small_runs.assert_equal_states(after, again)
    assert set(values) == {"log_likelihood/0", "iterations/0"}
    changed = {
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, is_same in jax.tree_util.tree_leaves_with_path(
            jax.tree.map(np.array_equal, before.params, after.params)
        )
        if not is_same
    }
    # The weights are fixed.
    assert changed == {
        "priors_0/means",
        "priors_0/raw_var",
        "encoder/heads_0/log_var/bias",
    }
    for leaf in jax.tree.leaves(after.opt_state):
        assert not np.any(leaf)


def test_variance_of_the_encoder_fits_its_clusters(fitted):
    run, state, (after, _) = fitted
    images = run.dataset.train.images
    before, found = (
        runs.in_force(run, at).posteriors(images)[0] for at in (state, after)
    )
    np.testing.assert_array_equal(found.mean, before.mean)
    wanted = prior_fit.fit(before, 6, Covariance.DIAGONAL, 0)
    np.testing.assert_allclose(
        found.log_var, before.log_var + wanted.log_var_shift, rtol=1e-4
    )
    assert wanted.log_var_shift.max() < -1
