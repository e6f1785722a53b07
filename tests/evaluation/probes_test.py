# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Probes and the samples they read: scikit-learn, and q(z|x) itself."""

import warnings

import jax
import numpy as np
from absl.testing import absltest
from sklearn import neural_network

from mfcvae_jax import model as model_lib
from mfcvae_jax.evaluation import latents, probes
from mfcvae_jax.training import state
from tests import examples


class ProbeTest(absltest.TestCase):
    def test_is_scikit_learn_s_classifier_with_its_defaults(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 3, 300)
        telling = labels[:, None] + 0.3 * rng.normal(size=(300, 2))
        noise = rng.normal(size=(300, 2))
        found = [
            probes.probe_accuracy(
                z[:200], labels[:200], z[200:], labels[200:], seed=4
            )
            for z in (telling, noise)
        ]
        self.assertGreater(found[0], 0.85)
        self.assertLess(found[1], 0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = neural_network.MLPClassifier(
                hidden_layer_sizes=(100,), activation="relu", random_state=4
            ).fit(telling[:200], labels[:200])
        self.assertEqual(found[0], fitted.score(telling[200:], labels[200:]))


class SampledLatentsTest(absltest.TestCase):
    def test_mean_and_deviation_are_those_of_q(self):
        settings = examples.settings()
        model = model_lib.make_model(settings, (8, 8, 1))
        variables = state.initial_variables(model, jax.random.key(0))
        images = examples.images(7)
        posteriors = model.apply(variables, images, method=model.encode)
        draws = [
            latents.sampled_latents(
                model, variables, images, jax.random.key(i), batch_size=4
            )
            for i in range(400)
        ]
        for j, q in enumerate(posteriors):
            z = np.stack([draw[j] for draw in draws])
            self.assertEqual(z.shape, (400, *q.mean.shape))
            std = np.exp(0.5 * np.asarray(q.log_var))
            np.testing.assert_allclose(
                (z.mean(0) - q.mean) / std, 0.0, atol=5 / np.sqrt(400)
            )
            np.testing.assert_allclose(z.std(0) / std, 1.0, atol=0.2)
        # Chunks draw noise of their own.
        scaled = (draws[0][0] - posteriors[0].mean) / np.exp(
            0.5 * posteriors[0].log_var
        )
        self.assertGreater(np.abs(scaled[:3] - scaled[4:]).min(), 1e-6)


if __name__ == "__main__":
    absltest.main()
