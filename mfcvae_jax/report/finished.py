# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A trained run and what it makes of the held-out split.

Its pictures, tables and report are all drawn from this; nothing here trains.
"""

import functools
from typing import Any

import chex
import jax
import numpy as np

from mfcvae_jax.datasets import batches
from mfcvae_jax.evaluation import pruning, swaps
from mfcvae_jax.inference import generation, latents
from mfcvae_jax.inference.predictions import Predictions
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.training import runs
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.variational import prior
from mfcvae_jax.workdir import Workdir

__all__ = ["Finished", "NotDrawnError"]

_N_PAIRS = 200  # that are swapped, to see how often it works


class NotDrawnError(Exception):
    """A picture or table that a run cannot have; the message says why."""


class Finished:
    """A state of a run of one seed, at the coefficients in force.

    Attributes:
        run: of one seed.
        state: trained, to the end or not.
        workdir: of the run, for what was recorded.
    """

    def __init__(self, run: Run, state: TrainState, workdir: Workdir):
        self.run = run
        self.state = state
        self.workdir = workdir

    @property
    def n_facets(self) -> int:
        """J."""
        return len(self.run.settings.facets)

    @property
    def stages(self) -> list[tuple[float, int, float]]:
        """Of each facet the epochs from which it enters and is in fully."""
        run = self.run
        return [
            (fading / run.steps_per_epoch, facet, active / run.steps_per_epoch)
            for facet, (fading, active) in enumerate(
                run.stepper.schedule.starts
            )
        ]

    @functools.cached_property
    def scored(self) -> runs.Scored:
        """Predictions and scores of the held-out split."""
        return runs.score(self.run, self.state)

    @functools.cached_property
    def images(self) -> np.ndarray:
        """The held-out images in [0, 1], shape (N, H, W, C)."""
        return np.asarray(batches.as_float(self.run.dataset.test.images))

    @functools.cached_property
    def mixtures(self) -> tuple[prior.Mixture, ...]:
        """p(z_j, c_j) of each facet."""
        model = self.run.stepper.model
        return jax.device_get(
            model.apply(self.state.variables, method=model.mixtures)
        )

    @functools.cached_property
    def pruned(self) -> tuple[tuple[prior.Mixture, pruning.Evidence], ...]:
        """What is left of each facet by ``evaluation.pruning``."""
        samples = latents.sampled_latents(
            self.run.stepper.model,
            self.state.variables,
            self.run.dataset.train.images[: pruning.N_EXAMPLES],
            self.key(KeyUse.SAMPLES, self.n_facets + 1),
            batch_size=self.run.settings.evaluate.batch_size,
        )
        return tuple(map(pruning.prune, self.mixtures, samples))

    def key(self, use: KeyUse, index: int) -> chex.PRNGKey:
        """Returns a key for one of several draws of the same use."""
        return jax.random.fold_in(run_key(self.run.settings.seed, use), index)

    def predict(self, images: np.ndarray) -> Predictions:
        """Predicts for images, float in [0, 1] or uint8, (N, H, W, C)."""
        return self.run.predict(
            self.state.variables,
            images,
            self.scored.coefficients,
            run_key(self.run.settings.seed, KeyUse.EVALUATION),
        )

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """See ``generation.reconstruct``."""
        return np.asarray(generation.reconstruct(*self._model, images))

    def sample_clusters(self, facet: int, n_samples: int) -> np.ndarray:
        """See ``generation.sample_clusters``; at the settings' temperature."""
        return np.asarray(
            generation.sample_clusters(
                *self._model,
                self.key(KeyUse.SAMPLES, facet),
                facet=facet,
                n_samples=n_samples,
                temperature=self.run.settings.figures.temperature,
            )
        )

    def sample_combinations(
        self, components: np.ndarray, n_samples: int, temperature: float
    ) -> np.ndarray:
        """See ``generation.sample_combinations``."""
        model, likelihood, variables, alpha = self._model
        return generation.sample_combinations(
            model,
            likelihood,
            variables,
            alpha,
            self.key(KeyUse.SAMPLES, self.n_facets),
            components,
            n_samples=n_samples,
            temperature=temperature,
            batch_size=max(
                self.run.settings.evaluate.batch_size // n_samples, 1
            ),
        )

    def swap(self, pairs: np.ndarray, facet: int) -> np.ndarray:
        """See ``generation.swap_facet``."""
        return np.asarray(
            generation.swap_facet(*self._model, pairs, facet=facet)
        )

    @property
    def confident_pairs(self) -> np.ndarray:
        """Held-out examples to swap, (P, 2); see ``swaps.choose_pairs``."""
        return swaps.choose_pairs(self.scored.predictions.resp, _N_PAIRS)

    def try_swap(
        self, pairs: np.ndarray, facet: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Swaps a facet between held-out examples, and looks at the result.

        Args:
            pairs: indices of examples, shape (P, 2).
            facet: j.

        Returns:
            The swapped pictures, (P, 2, H, W, C), and for each of them and each
            facet whether the model, shown the picture, assigns it to the
            cluster that it should be in, bool, (P, 2, J).
        """
        swapped = self.swap(self.images[pairs], facet)
        again = self.predict(swapped.reshape(-1, *swapped.shape[2:]))
        return swapped, swaps.is_as_wanted(
            self.scored.predictions.assignments[pairs],
            again.assignments.reshape(*pairs.shape, -1),
            facet,
        )

    def traverse(
        self, image: np.ndarray, steps: np.ndarray, facet: int
    ) -> np.ndarray:
        """See ``generation.traverse``."""
        return np.asarray(
            generation.traverse(*self._model, image, steps, facet=facet)
        )

    @property
    def _model(self) -> tuple[Any, Any, Any, Any]:
        """The first arguments of all of ``generation``."""
        stepper = self.run.stepper
        return (
            stepper.model,
            stepper.likelihood,
            self.state.variables,
            self.scored.coefficients.alpha,
        )
