# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""log p(x) of a model: chunks, facets in force, and its place above M."""

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import special, stats

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.inference import marginal, predictions
from mfcvae_jax.training import state
from mfcvae_jax.variational import elbo
from tests import examples


class LogMarginalTest(parameterized.TestCase):
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
        )
        ones = np.ones(2)
        found = predict(
            self.variables,
            self.images,
            progressive.Coefficients(np.asarray(alpha, np.float32), ones, ones),
            jax.random.key(1),
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

    @parameterized.parameters(((1.0, 1.0),), ((0.0, 1.0),), ((0.3, 1.0),))
    def test_one_sample_is_scipy_s_weight_at_that_sample(self, alpha):
        variables = jax.tree.map(np.array, self.variables)
        rng = np.random.default_rng(3)
        for j, (k, d) in enumerate(((6, 2), (10, 3))):
            variables["params"][f"priors_{j}"]["logits"] = rng.normal(size=k)
            variables["params"][f"priors_{j}"]["means"] = rng.normal(
                size=(k, d)
            )
        variables = jax.tree.map(np.float32, variables)
        alpha = np.asarray(alpha, np.float32)
        key = jax.random.key(4)
        found = marginal.log_marginal(
            self.model,
            self.settings.likelihood,
            variables,
            self.images,
            alpha,
            key,
            n_samples=1,
            batch_size=50,
        )
        (sample_key,) = jax.random.split(jax.random.fold_in(key, 0), 1)
        forward = self.model.apply(
            variables,
            self.images,
            state.draw_noise(sample_key, (2, 3), 1, 50),
            alpha,
        )
        wanted = stats.norm.logpdf(
            self.images, special.expit(forward.output[0]), 0.3
        ).sum((1, 2, 3))
        for is_in, q, mixture, z in zip(
            alpha > 0,
            forward.posteriors,
            forward.mixtures,
            forward.z,
            strict=True,
        ):
            log_p_z_c = stats.norm.logpdf(
                z[0][:, None], mixture.means, mixture.scale
            ).sum(-1)
            log_p_z = special.logsumexp(
                log_p_z_c + special.log_softmax(mixture.log_weights), axis=-1
            )
            log_q_z = stats.norm.logpdf(
                z[0], q.mean, np.exp(0.5 * np.float64(q.log_var))
            ).sum(-1)
            wanted = wanted + is_in * (log_p_z - log_q_z)
        np.testing.assert_allclose(found.log_p_x, wanted, rtol=1e-5, atol=1e-3)

    def test_effective_samples_are_between_one_and_all(self):
        found = self._estimate((1.0, 1.0), 100)
        self.assertTrue(np.all(found.effective_samples >= 1 - 1e-3))
        self.assertTrue(np.all(found.effective_samples <= 100 + 1e-3))

    @pytest.mark.slow
    def test_chunks_cover_every_image_once(self):
        found = self._estimate((1.0, 1.0), 1000, batch_size=16)
        whole = self._estimate((1.0, 1.0), 1000, seed=2)
        self.assertEqual(found.log_p_x.shape, (50,))
        # Other draws, so only nearly equal; images differ by far more.
        self.assertGreater(np.std(whole.log_p_x), 3)
        np.testing.assert_allclose(found.log_p_x, whole.log_p_x, atol=1)

    @pytest.mark.slow
    def test_bytes_and_floats_agree(self):
        floats = self._estimate((1.0, 1.0), 5).log_p_x
        self.images = np.round(self.images * 255).astype(np.uint8)
        np.testing.assert_allclose(
            self._estimate((1.0, 1.0), 5).log_p_x, floats, atol=0.2
        )


if __name__ == "__main__":
    absltest.main()
