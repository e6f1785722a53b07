# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What ``fit`` found: all that a fitted estimator knows, and a file holds."""

import dataclasses
from typing import Any

import numpy as np

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.estimator.layout import Layout
from mfcvae_jax.evaluation import pruning
from mfcvae_jax.inference.predictions import Predictions
from mfcvae_jax.inference.trained import Trained
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.settings import Settings
from mfcvae_jax.variational import elbo

__all__ = ["Fitted"]


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """The result of a fit; arrays are in host memory.

    Attributes:
        settings: of the run; K_j are those after pruning.
        layout: of the examples.
        variables: of the model.
        history: records of training.
        evidence: of each facet, None if its K_j was given.
        feature_names: of the columns, strings, shape (D,); None without names.
        labels: cluster of each training example, integers, shape (N, J).
    """

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
        settings = self.settings
        return Trained(
            model=model_lib.make_model(settings, self.layout.image_shape),
            likelihood=settings.likelihood,
            estimate=elbo.find_estimator(settings.train.estimator).terms,
            batch_size=settings.evaluate.batch_size,
            variables=self.variables,
            alpha=progressive.full_coefficients(len(settings.facets)).alpha,
        )

    def predict(self, images: np.ndarray) -> Predictions:
        """Predicts, with the same noise in each call.

        Args:
            images: as ``Layout.to_model`` gives them.

        Raises:
            ValueError: if a probability is not finite.
        """
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
