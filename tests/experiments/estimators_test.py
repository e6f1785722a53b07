# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Noise of the gradient: where there is none, and against its own formula."""

import dataclasses

import jax
import numpy as np
import pytest

from mfcvae_jax import progressive
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.training import runs
from mfcvae_jax.variational import elbo
from tests import examples, scripts, untrained

pytestmark = pytest.mark.slow
estimators = scripts.load("estimators")
_X = examples.images(16)


@pytest.fixture(scope="module")
def run():
    return runs.make_run(
        examples.settings(prior_init={"means": "glorot"}, **untrained.facets(6))
    )


@pytest.fixture(scope="module")
def state(run):
    return runs.first_state(run)


@pytest.fixture
def noise(run, state):
    """That of all parameters and of the priors' alone."""

    def measure(estimate, n_samples, n_draws=20):
        stepper = dataclasses.replace(
            run.stepper, estimate=estimate, n_samples=n_samples
        )
        found = estimators.gradient_noise(
            stepper, state, _X, jax.random.key(2), n_draws
        )
        return found.values()

    return measure


def test_closed_form_leaves_none_in_the_priors_and_some_in_the_nets(noise):
    everything, priors = noise(elbo.closed_form, 1)
    assert priors == 0 < everything
    everything, priors = noise(elbo.five_terms, 1)
    assert 0 < priors < everything


def test_four_times_the_samples_halve_it(noise):
    one, _ = noise(elbo.closed_form, 1, 60)
    four, _ = noise(elbo.closed_form, 4, 60)
    np.testing.assert_allclose(one / four, 2, rtol=0.3)


def test_two_draws_are_apart_by_root_two_times_it(run, state, noise):
    found, _ = noise(elbo.five_terms, 1, 2)
    gradients = [
        jax.grad(run.stepper.loss, has_aux=True)(
            state.params,
            {},
            _X,
            draw_noise(key, (3,), 1, 16),
            progressive.full_coefficients(1),
        )[0]
        for key in jax.random.split(jax.random.key(2), 2)
    ]
    squares = jax.tree.map(
        lambda a, b: np.sum(np.square(np.float64(a) - b)), *gradients
    )
    apart = np.sqrt(sum(jax.tree.leaves(squares)))
    np.testing.assert_allclose(apart, np.sqrt(2) * found, rtol=1e-4)


def test_each_number_is_a_row():
    found = {("five_terms", 1): [{"M": 1.0}, {"M": 2.0, "F": 0.5}]}
    assert [tuple(row.values()) for row in estimators.rows(found)] == [
        ("five_terms", 1, 0, "M", 1.0),
        ("five_terms", 1, 1, "M", 2.0),
        ("five_terms", 1, 1, "F", 0.5),
    ]
