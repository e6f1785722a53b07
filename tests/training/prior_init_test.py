# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Starting values of the component means."""

import warnings

import jax
import numpy as np
import pytest
from sklearn import exceptions, mixture

from mfcvae_jax.training import prior_init
from tests import examples


def test_fewer_examples_than_components_names_both():
    chosen = examples.settings(facets={"n_components": (3, 5)})
    prior_init.check(chosen, 5)
    with pytest.raises(ValueError, match=r"5 components .* 4 training"):
        prior_init.check(chosen, 4)
    drawn = examples.settings(prior_init={"means": "glorot"})
    prior_init.check(drawn, 4)
    warm = examples.settings(
        prior_init={"means": "glorot"},
        progressive={"warm_up_epochs": (0, 1)},
    )
    with pytest.raises(ValueError, match=r"a warm-up fits .* 4 training"):
        prior_init.check(warm, 4)


def test_prior_that_no_gaussian_mixture_fits_names_its_facet():
    prior_init.check_warm_up(0, {"logits": 0, "means": 0, "raw_tril": 0})
    with pytest.raises(ValueError, match=r"facet 1 .* logits, rates"):
        prior_init.check_warm_up(1, {"logits": 0, "rates": 0})


def _params(*shapes):
    return {"encoder": {"kernel": np.ones(3)}} | {
        f"priors_{j}": {
            "means": np.zeros(shape, np.float32),
            "logits": np.zeros(shape[0], np.float32),
        }
        for j, shape in enumerate(shapes)
    }


def test_fits_are_scikit_learns_and_nothing_but_the_means_moves():
    rng = np.random.default_rng(3)
    latents = [
        rng.normal(size=(300, d)) + rng.choice([-4, 4], (300, 1))
        for d in (2, 3)
    ]
    before = _params((4, 2), (5, 3))
    after = prior_init.with_initial_means(before, latents, seed=1)
    for j, k in ((0, 4), (1, 5)):
        prior = after[f"priors_{j}"]
        wanted = mixture.GaussianMixture(
            k, covariance_type="diag", random_state=1
        ).fit(latents[j])
        np.testing.assert_allclose(prior["means"], wanted.means_, rtol=1e-6)
        assert prior["logits"] is before[f"priors_{j}"]["logits"]
    assert after["encoder"] is before["encoder"]


def test_fit_that_does_not_converge_is_used_and_warns_nobody():
    latents = np.random.default_rng(2).normal(size=(200, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("error", exceptions.ConvergenceWarning)
        after = prior_init.with_initial_means(_params((60, 5)), [latents], 0)
    assert np.all(np.any(after["priors_0"]["means"], axis=1))


def test_draws_have_the_right_spread():
    before = _params((400, 60), (400, 60))
    after, again = (
        prior_init.with_initial_means(before, None, seed=2) for _ in range(2)
    )
    jax.tree.map(np.testing.assert_array_equal, after, again)
    first, second = (after[f"priors_{j}"]["means"] for j in (0, 1))
    np.testing.assert_allclose(np.std(first), np.sqrt(2 / 460), rtol=0.02)
    assert not np.array_equal(first, second)
