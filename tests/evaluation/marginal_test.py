# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""log p(x) of a model: chunks, facets in force, and its place above M."""

import jax
import numpy as np
from absl.testing import absltest

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.evaluation import marginal, predictions
from mfcvae_jax.training import state
from mfcvae_jax.variational import elbo
from tests import examples


class LogMarginalTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # With a wide prior, an untrained q(z|x) is not far from the posterior.
        cls.settings = examples.settings(
            prior_init={"variance": 0.3},
            likelihood={"kind": "gaussian", "std": 0.3, "output": "sigmoid"},
        )
        cls.model = model_lib.make_model(cls.settings, (8, 8, 1))
        cls.variables = state.initial_variables(cls.model, jax.random.key(0))
        cls.images = examples.images(50)

    def _estimate(self, alpha, n_samples, batch_size=50, seed=0):
        return marginal.log_marginal(
            self.model,
            self.settings.likelihood,
            self.variables,
            self.images,
            np.asarray(alpha, np.float32),
            jax.random.key(seed),
            n_samples=n_samples,
            batch_size=batch_size,
        )

    def _mixture_bound(self, alpha):
        predict = predictions.make_predictor(
            self.model,
            self.settings.likelihood,
            elbo.five_terms,
            50,
            jax.random.key(1),
        )
        ones = np.ones(2)
        found = predict(
            self.variables,
            self.images,
            progressive.Coefficients(np.asarray(alpha, np.float32), ones, ones),
        )
        return found.mean_terms(np.sign(alpha))["mixture_bound"]

    def test_is_above_the_mixture_bound_for_the_facets_in_force(self):
        for alpha in ((1.0, 1.0), (0.0, 1.0)):
            found = self._estimate(alpha, 100)
            self.assertEqual(found.log_p_x.shape, (50,))
            bound = self._mixture_bound(alpha)
            self.assertGreater(np.mean(found.log_p_x), bound)
            # One sample is an estimate of M itself.
            one = np.mean(self._estimate(alpha, 1).log_p_x)
            self.assertLess(abs(one - bound), 0.5 * abs(bound))
            self.assertLess(one, np.mean(found.log_p_x))

    def test_effective_samples_are_between_one_and_all(self):
        found = self._estimate((1.0, 1.0), 100)
        self.assertTrue(np.all(found.effective_samples >= 1 - 1e-3))
        self.assertTrue(np.all(found.effective_samples <= 100 + 1e-3))

    def test_chunks_cover_every_image_once(self):
        found = self._estimate((1.0, 1.0), 1000, batch_size=16)
        whole = self._estimate((1.0, 1.0), 1000, seed=2)
        self.assertEqual(found.log_p_x.shape, (50,))
        # Other draws, so only nearly equal; images differ by far more.
        self.assertGreater(np.std(whole.log_p_x), 3)
        np.testing.assert_allclose(found.log_p_x, whole.log_p_x, atol=1)

    def test_bytes_and_floats_agree(self):
        floats = self._estimate((1.0, 1.0), 5).log_p_x
        self.images = np.round(self.images * 255).astype(np.uint8)
        np.testing.assert_allclose(
            self._estimate((1.0, 1.0), 5).log_p_x, floats, atol=0.2
        )


if __name__ == "__main__":
    absltest.main()
