# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions in chunks, against scikit-learn and a pass in one piece."""

import jax
import numpy as np
from absl.testing import absltest
from scipy import special
from sklearn import mixture

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.inference import generation, predictions
from mfcvae_jax.training import state
from mfcvae_jax.variational import elbo
from tests import examples


class PredictionsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings = examples.settings(
            facets={"covariance": ("diagonal", "full")}
        )
        cls.model = model_lib.make_model(cls.settings, (8, 8, 1))
        cls.variables = state.initial_variables(cls.model, jax.random.key(0))
        rng = np.random.default_rng(0)
        for j, shape in enumerate(((6, 2), (10, 3))):
            cls.variables["params"][f"priors_{j}"]["means"] = rng.normal(
                scale=0.3, size=shape
            ).astype(np.float32)
        cls.images = examples.images(50)
        cls.full = progressive.full_coefficients(2)
        cls.found = cls._predict(batch_size=16)

    @classmethod
    def _predict(cls, batch_size):
        predict = predictions.make_predictor(
            cls.model,
            cls.settings.likelihood,
            elbo.five_terms,
            batch_size,
        )
        return predict(cls.variables, cls.images, cls.full, jax.random.key(0))

    def test_short_last_chunk_changes_nothing(self):
        whole = self._predict(batch_size=50)
        for name in ("resp", "latents"):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
                getattr(self.found, name),
                getattr(whole, name),
            )
        self.assertEqual(self.found.kl_z.shape, (50, 2))
        self.assertEqual(self.found.assignments.shape, (50, 2))

    def test_responsibilities_are_those_of_scikit_learns_mixture(self):
        mixtures = self.model.apply(self.variables, method=self.model.mixtures)
        for j, form in ((0, "diag"), (1, "full")):
            oracle = mixture.GaussianMixture(
                len(mixtures[j].means), covariance_type=form
            )
            scale = np.asarray(mixtures[j].scale, np.float64)
            oracle.weights_ = np.exp(mixtures[j].log_weights)
            oracle.means_ = np.asarray(mixtures[j].means, np.float64)
            oracle.precisions_cholesky_ = (
                1 / scale
                if form == "diag"
                else np.linalg.inv(scale).swapaxes(1, 2)
            )
            wanted = oracle.predict_proba(self.found.latents[j])
            np.testing.assert_allclose(self.found.resp[j], wanted, atol=2e-5)
            np.testing.assert_array_equal(
                self.found.assignments[:, j], wanted.argmax(axis=1)
            )

    def test_mean_terms_add_up_and_leave_out_a_waiting_facet(self):
        terms = self.found.mean_terms(np.array([1.0, 1.0]))
        kl = [terms[f"kl_z/{j}"] + terms[f"kl_c/{j}"] for j in (0, 1)]
        # With one sample, the five terms are those of M.
        self.assertAlmostEqual(
            terms["mixture_bound"], terms["log_p_x_z"] - sum(kl), places=3
        )
        self.assertAlmostEqual(
            terms["mixture_bound"] - terms["mean_field_bound"],
            terms["gap/0"] + terms["gap/1"],
            places=3,
        )
        waiting = self.found.mean_terms(np.array([0.0, 1.0]))
        self.assertAlmostEqual(
            waiting["mixture_bound"], terms["log_p_x_z"] - kl[1], places=3
        )
        self.assertAlmostEqual(
            waiting["mixture_bound"] - waiting["mean_field_bound"],
            terms["gap/1"],
            places=3,
        )

    def test_bytes_and_floats_of_the_same_images_agree(self):
        as_bytes = np.round(self.images * 255).astype(np.uint8)
        predict = predictions.make_predictor(
            self.model,
            self.settings.likelihood,
            elbo.five_terms,
            50,
        )
        from_bytes = predict(
            self.variables, as_bytes, self.full, jax.random.key(0)
        )
        from_floats = predict(
            self.variables,
            as_bytes.astype(np.float32) / 255,
            self.full,
            jax.random.key(0),
        )
        np.testing.assert_allclose(
            from_bytes.log_p_x_z, from_floats.log_p_x_z, rtol=1e-5
        )


class GenerationTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        settings = examples.settings()
        self.likelihood = settings.likelihood
        self.model = model_lib.make_model(settings, (8, 8, 1))
        self.variables = state.initial_variables(self.model, jax.random.key(0))
        means = np.array([[-9.0, 0], [9, 0]] + [[0, 9]] * 4, np.float32)
        self.variables["params"]["priors_0"]["means"] = means

    def _sample(self, temperature, facet=0, n_samples=200):
        return np.asarray(
            generation.sample_clusters(
                self.model,
                self.likelihood,
                self.variables,
                np.ones(2),
                jax.random.key(1),
                facet=facet,
                n_samples=n_samples,
                temperature=temperature,
            )
        )

    def test_images_of_every_component_in_order(self):
        images = self._sample(1.0)
        self.assertEqual(images.shape, (6, 200, 8, 8, 1))
        self.assertTrue(np.all((images >= 0) & (images <= 1)))
        # Components 2 to 5 are equal; 0 and 1 are far from each other.
        mean = images.mean(axis=1)
        equal = np.abs(mean[2] - mean[5]).max()
        self.assertGreater(np.abs(mean[0] - mean[1]).max(), 3 * equal)

    def test_reconstruction_is_the_decoded_mean_of_the_posterior(self):
        x = examples.images(5)
        noise = (np.zeros((1, 5, 2)), np.zeros((1, 5, 3)))
        forward = self.model.apply(self.variables, x, noise, np.ones(2))
        found = generation.reconstruct(
            self.model, self.likelihood, self.variables, np.ones(2), x
        )
        logits = np.asarray(forward.output[0], np.float64)
        np.testing.assert_allclose(found, special.expit(logits), atol=1e-6)

    def test_temperature_zero_decodes_the_component_means(self):
        images = self._sample(0.0)
        self.assertEqual(self._sample(0.0, facet=1).shape[0], 10)
        # Facet 1's means are all 0 here, so nothing is left to vary.
        np.testing.assert_allclose(np.ptp(images, axis=1), 0, atol=1e-6)

    def test_spread_grows_with_temperature(self):
        spread = [self._sample(t).std(axis=1).mean() for t in (0.5, 1.0)]
        self.assertGreater(spread[1], 1.5 * spread[0])
        self.assertLess(spread[1], 2.5 * spread[0])


if __name__ == "__main__":
    absltest.main()
