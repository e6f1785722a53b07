# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a classifier can read from each facet: the paper's Table 1.

MFCVAE (arXiv:2106.05241), Sec. 4.1: if facets are disentangled, a label can be
told from the latents of the facet that sorts by it, and hardly from the others.
"""

import warnings

import numpy as np
from sklearn import exceptions, neural_network

__all__ = ["probe_accuracy"]


def probe_accuracy(
    train_z: np.ndarray,
    train_labels: np.ndarray,
    test_z: np.ndarray,
    test_labels: np.ndarray,
    seed: int,
) -> float:
    """Trains scikit-learn's ``MLPClassifier`` on latents, and scores it.

    One hidden layer of 100 units and ReLU, all settings at their defaults, as
    in the paper; that it may stop after 200 passes before it has converged is
    one of them.

    Args:
        train_z: samples of q(z|x) of the training split, shape (N, D).
        train_labels: integers, shape (N,).
        test_z: samples of q(z|x) of the held-out split, shape (M, D).
        test_labels: integers, shape (M,).
        seed: of the classifier.

    Returns:
        Share of the M examples that are classified correctly.
    """
    classifier = neural_network.MLPClassifier(random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        classifier.fit(train_z, train_labels)
    return float(classifier.score(test_z, test_labels))
