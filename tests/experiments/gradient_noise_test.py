# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Noise of the gradient: where there is none, and against its own formula."""

import dataclasses

import jax
import numpy as np
import pytest
from absl.testing import absltest
from gradient_noise import gradient_noise

from mfcvae_jax import progressive
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.training import runs
from mfcvae_jax.variational import elbo
from tests import examples, untrained


@pytest.mark.slow
class GradientNoiseTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        run = runs.make_run(
            examples.settings(
                prior_init={"means": "glorot"}, **untrained.facets(6)
            )
        )
        self.stepper = run.stepper
        self.state = runs.first_state(run)
        self.x = examples.images(16)

    def _noise(self, estimate, n_samples, n_draws=20):
        return gradient_noise(
            dataclasses.replace(
                self.stepper, estimate=estimate, n_samples=n_samples
            ),
            self.state,
            self.x,
            jax.random.key(2),
            n_draws,
        )

    def test_closed_form_leaves_none_in_the_priors_and_some_in_the_nets(self):
        exact = self._noise(elbo.closed_form, 1)
        self.assertEqual(exact.priors, 0)
        self.assertGreater(exact.everything, 0)
        sampled = self._noise(elbo.five_terms, 1)
        self.assertGreater(sampled.priors, 0)
        self.assertGreater(sampled.everything, sampled.priors)

    def test_four_times_the_samples_halve_it(self):
        one = self._noise(elbo.closed_form, 1, 60).everything
        four = self._noise(elbo.closed_form, 4, 60).everything
        np.testing.assert_allclose(one / four, 2, rtol=0.3)

    def test_two_draws_are_apart_by_root_two_times_it(self):
        found = self._noise(elbo.five_terms, 1, 2).everything
        coefficients = progressive.full_coefficients(1)
        gradients = [
            jax.grad(self.stepper.loss, has_aux=True)(
                self.state.params,
                {},
                self.x,
                draw_noise(key, (3,), 1, 16),
                coefficients,
            )[0]
            for key in jax.random.split(jax.random.key(2), 2)
        ]
        squares = jax.tree.map(
            lambda a, b: np.sum(np.square(np.float64(a) - b)), *gradients
        )
        apart = np.sqrt(sum(jax.tree.leaves(squares)))
        np.testing.assert_allclose(apart, np.sqrt(2) * found, rtol=1e-4)
