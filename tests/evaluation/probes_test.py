# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Probes, against a classifier put together by hand, and on made-up latents."""

import warnings

import numpy as np
from absl.testing import absltest
from scipy import special
from sklearn import exceptions, neural_network

from mfcvae_jax.evaluation import probes


def _latents(seed, n, n_classes=4, distance=3.0):
    """Clusters around the corners of a simplex, and noise of no use."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    informative = distance * np.eye(n_classes)[labels]
    informative = informative + rng.normal(size=(n, n_classes))
    return informative, rng.normal(size=(n, 3)), labels


class ProbeAccuracyTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.train, cls.test = _latents(0, 300), _latents(1, 200)

    def _accuracy(self, part, seed=0):
        return probes.probe_accuracy(
            self.train[part],
            self.train[2],
            self.test[part],
            self.test[2],
            seed,
        )

    def test_latents_that_tell_the_label_are_told_from_noise(self):
        # The best classifier takes the nearest corner.
        best = np.mean(self.test[0].argmax(axis=1) == self.test[2])
        self.assertGreater(self._accuracy(0), best - 0.05)
        self.assertLess(self._accuracy(1), 1 / 4 + 0.12)

    def test_is_one_hidden_layer_of_100_relus_as_the_paper_says(self):
        """Scored by hand from the weights that scikit-learn learns."""
        classifier = neural_network.MLPClassifier(
            hidden_layer_sizes=(100,), activation="relu", random_state=3
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
            classifier.fit(self.train[0], self.train[2])
        (w1, w2), (b1, b2) = classifier.coefs_, classifier.intercepts_
        hidden = np.maximum(self.test[0] @ w1 + b1, 0)
        told = special.softmax(hidden @ w2 + b2, axis=1).argmax(axis=1)
        self.assertEqual(
            self._accuracy(0, seed=3),
            np.mean(classifier.classes_[told] == self.test[2]),
        )
