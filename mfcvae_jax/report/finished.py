# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A trained run and what it makes of the held-out split.

Its numbers, pictures and tables all come from this; nothing here trains.
"""

import dataclasses
import functools
from typing import Any

import chex
import distrax
import jax
import numpy as np

from mfcvae_jax.datasets import batches
from mfcvae_jax.evaluation import diversity, pruning, redundancy, swaps
from mfcvae_jax.inference.trained import Trained
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.training import runs
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.variational import shared_variance
from mfcvae_jax.workdir import Workdir

__all__ = ["Finished", "NotDrawnError"]

_N_PAIRS = 200  # that are swapped, to see how often it works
_N_SAMPLES = 50  # of each cluster, to see how diverse they are


class NotDrawnError(Exception):
    """A picture or table that a run cannot have; the message says why."""


@dataclasses.dataclass(eq=False)
class Finished:
    """A state of a run of one seed, at the coefficients in force.

    Raises ValueError if there is no pair in ``pairs``, or one has no example.
    """

    run: Run
    state: TrainState  # trained, to the end or not
    workdir: Workdir  # of this seed, for what was recorded
    whole: Workdir | None = None  # folder of all seeds; None if there is one
    # Held-out examples to swap, shape (P, 2); None for the most confident ones.
    pairs: np.ndarray | None = None
    known: runs.Scored | None = None  # the held-out split, if scored already

    def __post_init__(self):
        """Checks the pairs."""
        if self.pairs is None:
            return
        if not self.pairs.size:
            raise ValueError("expected at least one pair of examples, got none")
        last = len(self.run.dataset.test.images) - 1
        low, high = self.pairs.min(), self.pairs.max()
        if low < 0 or high > last:
            raise ValueError(
                f"pairs must name held-out examples 0 to {last}, got {low} to "
                f"{high}"
            )

    @property
    def n_facets(self) -> int:
        """J."""
        return len(self.run.settings.facets)

    @property
    def stages(self) -> list[tuple[float, int, float]]:
        """Of each facet the epochs from which it enters and is in fully."""
        n = self.run.steps_per_epoch
        starts = self.run.stepper.schedule.starts
        return [(s / n, j, end / n) for j, (s, *_, end) in enumerate(starts)]

    @functools.cached_property
    def scored(self) -> runs.Scored:
        """Predictions and scores of the held-out split."""
        return self.known or runs.score(self.run, self.state)

    @property
    def trained(self) -> Trained:
        """The model, with the facets that are in force."""
        return self.scored.trained

    @functools.cached_property
    def images(self) -> np.ndarray:
        """The held-out images in [0, 1], shape (N, H, W, C)."""
        return np.asarray(batches.as_float(self.run.dataset.test.images))

    @functools.cached_property
    def records(self) -> list[dict[str, Any]]:
        """What training recorded; see ``training.writers``."""
        return self.workdir.records()

    @functools.cached_property
    def shared(self) -> redundancy.Redundancy:
        """What facets share and use."""
        n_components = self.run.settings.facets.n_components
        return redundancy.facet_redundancy(
            self.scored.predictions.assignments, n_components
        )

    @functools.cached_property
    def shared_variance(self) -> np.ndarray:
        """What deeper facets tell of each, shape (J,).

        ``progressive.redundancy_price`` is the price of it.
        """
        posteriors = self.trained.posteriors(self.run.dataset.test.images)
        resp = self.scored.predictions.resp
        return np.sum(shared_variance.shares(posteriors, resp), axis=1)

    @functools.cached_property
    def pruned(
        self,
    ) -> tuple[tuple[distrax.MixtureSameFamily, pruning.Evidence], ...]:
        """What is left of each facet by ``evaluation.pruning``.

        Raises NotDrawnError if a facet's components are no Gaussians.
        """
        for j, mixture in enumerate(self.trained.mixtures):
            try:
                pruning.check(mixture)
            except ValueError as error:
                raise NotDrawnError(f"facet {j}: {error}") from error
        samples = self.trained.sampled_latents(
            self.run.dataset.train.images[: pruning.N_EXAMPLES],
            self.key(KeyUse.SAMPLES, self.n_facets + 1),
        )
        return tuple(map(pruning.prune, self.trained.mixtures, samples))

    @functools.cached_property
    def importance_terms(self) -> dict[str, float]:
        """Log p(x) by importance sampling, unless the settings ask for none.

        In nats per held-out example, with the effective numbers of samples.
        """
        settings = self.run.settings
        n_samples = settings.evaluate.importance_samples
        if not n_samples:
            return {}
        key = run_key(settings.seed, KeyUse.IMPORTANCE)
        log_p_x, effective = self.trained.log_marginal(
            self.run.dataset.test.images, key, n_samples
        )
        return {
            "importance_log_p_x": float(np.mean(log_p_x)),
            "importance_effective_samples": float(np.median(effective)),
            "importance_effective_samples_5_percent": float(
                np.quantile(effective, 0.05)
            ),
        }

    @functools.cached_property
    def diversity(self) -> list[dict[str, Any]]:
        """Measures of the samples of each facet's clusters, fractions.

        See ``evaluation.diversity``; ``spread_of_inputs`` is the same of the
        held-out inputs by their clusters.
        """
        pixels = self.images.reshape(len(self.images), -1)
        assignments = self.scored.predictions.assignments
        found = []
        for facet, mixture in enumerate(self.trained.mixtures):
            samples = self.sample_clusters(facet, _N_SAMPLES)
            weights = np.asarray(mixture.mixture_distribution.probs)
            of_samples = diversity.sample_diversity(
                samples, self.assign(samples), weights, facet
            )._asdict()
            of_samples["reach"] = of_samples["reach"].tolist()
            of_samples["spread_of_inputs"] = diversity.within_share(
                pixels, assignments[:, facet]
            )
            found.append(of_samples)
        return found

    def key(self, use: KeyUse, index: int) -> chex.PRNGKey:
        """Returns a key for one of several draws of the same use."""
        return jax.random.fold_in(run_key(self.run.settings.seed, use), index)

    def assign(self, images: np.ndarray) -> np.ndarray:
        """Returns the clusters of images, (..., H, W, C) to (..., J)."""
        found = self.trained.predict(
            images.reshape(-1, *images.shape[-3:]),
            run_key(self.run.settings.seed, KeyUse.EVALUATION),
        )
        return found.assignments.reshape(*images.shape[:-3], -1)

    def sample_clusters(self, facet: int, n_samples: int) -> np.ndarray:
        """Draws images from every component of a facet, (K_j, n, H, W, C).

        The other facets' components are drawn from p(c).
        """
        settings = self.run.settings
        components = np.arange(settings.facets.n_components[facet])
        images, _ = self.trained.sample(
            self.key(KeyUse.SAMPLES, facet),
            components.size * n_samples,
            facet=facet,
            component=components.repeat(n_samples),
            temperature=settings.figures.temperature,
        )
        return images.reshape(-1, n_samples, *images.shape[1:])

    def sample_combinations(
        self, components: np.ndarray, n_samples: int, temperature: float
    ) -> np.ndarray:
        """See ``Trained.sample_combinations``."""
        key = self.key(KeyUse.SAMPLES, self.n_facets)
        return self.trained.sample_combinations(
            key, components, n_samples, temperature
        )

    @functools.cached_property
    def confident_pairs(self) -> np.ndarray:
        """Held-out examples to swap, (P, 2), P >= 1; see ``swaps``.

        Raises:
            NotDrawnError: of one facet, or if no two examples are in different
                clusters of every facet.
        """
        if self.n_facets == 1:
            raise NotDrawnError("there is one facet, and a swap needs two")
        pairs = swaps.choose_pairs(self.scored.predictions.resp, _N_PAIRS)
        if not len(pairs):
            raise NotDrawnError(
                "no two inputs are in different clusters of every facet"
            )
        return pairs

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
        swapped = self.trained.swap(self.images[pairs], facet)
        of_inputs = self.scored.predictions.assignments[pairs]
        again = self.assign(swapped)
        return swapped, swaps.is_as_wanted(of_inputs, again, facet)
