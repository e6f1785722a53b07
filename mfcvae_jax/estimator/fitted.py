# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What ``fit`` found: all that a fitted estimator knows, and a file holds."""

import dataclasses
from typing import Any

import numpy as np

from mfcvae_jax import progressive
from mfcvae_jax.estimator.layout import Layout
from mfcvae_jax.evaluation import pruning
from mfcvae_jax.inference.predictions import Predictions
from mfcvae_jax.inference.trained import Trained, make_trained
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.settings import Settings

__all__ = ["Fitted"]


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """The result of a fit; arrays are in host memory.

    Attributes:
        params: of the constructor, at the time of the fit.
        settings: of the run; K_j are those after pruning.
        layout: of the examples.
        variables: of the model.
        history: records of training.
        evidence: of each facet, None if its K_j was given.
        feature_names: of the columns, strings, shape (D,); None without names.
        labels: cluster of each training example, integers, shape (N, J).
    """

    params: dict[str, Any]
    settings: Settings
    layout: Layout
    variables: dict[str, Any]
    history: list[dict[str, Any]]
    evidence: list[pruning.Evidence | None]
    feature_names: np.ndarray | None
    labels: np.ndarray

    @property
    def trained(self) -> Trained:
        """The model with its weights, all facets fully in."""
        return make_trained(
            self.settings,
            self.layout.image_shape,
            self.variables,
            progressive.full_coefficients(len(self.settings.facets)).alpha,
        )

    def predict(self, images: np.ndarray) -> Predictions:
        """Predicts with the same noise in each call, or raises ValueError."""
        key = run_key(self.settings.seed, KeyUse.EVALUATION)
        found = self.trained.predict(images, key)
        is_finite = np.isfinite(np.concatenate(found.resp, 1)).all(axis=1)
        if not is_finite.all():
            raise ValueError(
                f"{np.sum(~is_finite)} examples have no finite probabilities, "
                f"such as X[{is_finite.argmin()}]: look for values in them "
                "that are far from those of the training set"
            )
        return found
