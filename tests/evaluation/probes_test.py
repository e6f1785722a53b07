# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Probes, against a classifier put together by hand, and on made-up latents."""

import warnings

import numpy as np
from scipy import special
from sklearn import exceptions, neural_network

from mfcvae_jax.evaluation import probes


def _latents(seed, n, n_classes=4):
    """Clusters around the corners of a simplex, noise of no use, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    informative = 3 * np.eye(n_classes)[labels]
    informative = informative + rng.normal(size=(n, n_classes))
    return informative, rng.normal(size=(n, 3)), labels


_Z, _NOISE, _LABELS = _latents(0, 300)
_TEST_Z, _TEST_NOISE, _TEST_LABELS = _latents(1, 200)


def test_noise_tells_nothing():
    told = probes.probe_accuracy(_NOISE, _LABELS, _TEST_NOISE, _TEST_LABELS, 0)
    assert told < 1 / 4 + 0.12


def test_is_one_hidden_layer_of_100_relus_as_the_paper_says():
    """Scored by hand from the weights that scikit-learn learns."""
    classifier = neural_network.MLPClassifier(
        hidden_layer_sizes=(100,), activation="relu", random_state=3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        classifier.fit(_Z, _LABELS)
    (w1, w2), (b1, b2) = classifier.coefs_, classifier.intercepts_
    hidden = np.maximum(_TEST_Z @ w1 + b1, 0)
    told = special.softmax(hidden @ w2 + b2, axis=1).argmax(axis=1)
    found = probes.probe_accuracy(_Z, _LABELS, _TEST_Z, _TEST_LABELS, 3)
    assert found == np.mean(classifier.classes_[told] == _TEST_LABELS)
    # The best classifier takes the nearest corner.
    assert found > np.mean(_TEST_Z.argmax(axis=1) == _TEST_LABELS) - 0.05
