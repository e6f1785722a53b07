# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run: what is constant over it, its first state, and its scores. Pure.

``make_run`` reads the data and is the one exception; ``run_on`` is the same for
a data set in memory.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.datasets import batches, reader
from mfcvae_jax.datasets.spec import Dataset
from mfcvae_jax.evaluation import accuracy
from mfcvae_jax.inference.predictions import Predictions
from mfcvae_jax.inference.trained import Trained, make_trained
from mfcvae_jax.randomness import KeyUse, draw_noise, run_key
from mfcvae_jax.settings import MeansInit, Settings
from mfcvae_jax.training import data_init, prior_init, processes, steps
from mfcvae_jax.training import state as state_lib
from mfcvae_jax.variational import elbo

__all__ = [
    "Run",
    "Scored",
    "blank_state",
    "first_state",
    "in_force",
    "make_run",
    "make_stepper",
    "of_each_seed",
    "run_on",
    "score",
    "starting_state",
]


class Run(NamedTuple):
    """What is constant over a run.

    Attributes:
        settings: of the run.
        dataset: in host memory.
        stepper: model, optimiser and schedule, with the pure steps.
        steps_per_epoch: optimiser steps in an epoch.
    """

    settings: Settings
    dataset: Dataset
    stepper: steps.Stepper
    steps_per_epoch: int


def make_run(settings: Settings) -> Run:
    """Reads the data and builds the model of a run.

    Raises:
        ValueError: if the data do not fit the settings.
        FileNotFoundError: if the data set is missing.
    """
    data = settings.data
    return run_on(settings, reader.load(data.name, data.data_dir, data.path))


def run_on(settings: Settings, dataset: Dataset) -> Run:
    """Builds the model of a run on a data set at hand.

    Of ``settings.data``, ``on_device_gb`` alone counts.

    Raises:
        ValueError: if the data do not fit the settings.
    """
    processes.n_devices()  # or an error, before anything is computed
    steps_per_epoch = batches.n_batches(
        len(dataset.train.images), settings.train.batch_size
    )
    prior_init.check(settings, len(dataset.train.images))
    stepper = make_stepper(settings, dataset.spec.image_shape, steps_per_epoch)
    return Run(settings, dataset, stepper, steps_per_epoch)


def make_stepper(
    settings: Settings,
    image_shape: tuple[int, int, int],
    steps_per_epoch: int,
) -> steps.Stepper:
    """Builds the model and the step that the settings describe.

    Raises:
        ValueError: if the net cannot take images of that shape (H, W, C), or
            there is no such estimator.
    """
    return steps.Stepper(
        model=model_lib.make_model(settings, image_shape),
        likelihood=settings.likelihood,
        optimiser=steps.make_optimiser(
            settings.train.learning_rate, settings.facets
        ),
        schedule=progressive.make_schedule(
            settings.progressive, len(settings.facets), steps_per_epoch
        ),
        estimate=elbo.find_estimator(settings.train.estimator),
        n_samples=settings.train.n_samples,
        precision=settings.precision,
    )


def of_each_seed(run: Run) -> tuple[Run, ...]:
    """Returns the runs of one seed each, which share all that is compiled."""
    return tuple(run._replace(settings=s) for s in run.settings.of_each_seed)


def blank_state(run: Run) -> state_lib.TrainState:
    """Returns a state of zeros in host memory, of the shapes of a run's."""

    def make(key):
        variables = state_lib.initial_variables(run.stepper.model, key)
        return starting_state(run, variables)

    shapes = jax.eval_shape(make, run_key(run.settings.seed, KeyUse.INIT))
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def starting_state(run: Run, variables: dict[str, Any]) -> state_lib.TrainState:
    """Returns the state before the first step that has these variables."""
    return state_lib.make_state(
        variables,
        run.stepper.optimiser,
        run_key(run.settings.seed, KeyUse.NOISE),
    )


def first_state(run: Run) -> state_lib.TrainState:
    """Returns the state before the first step, all starting values in place."""
    settings, model = run.settings, run.stepper.model
    images = run.dataset.train.images
    key = run_key(settings.seed, KeyUse.INIT)
    if settings.train.data_dependent_init:
        x = batches.as_float(jnp.asarray(images[: settings.train.batch_size]))
        noise = draw_noise(
            run_key(settings.seed, KeyUse.REDRAW_NOISE),
            settings.facets.latent_dim,
            1,
            x.shape[0],
        )
        redraw_key = run_key(settings.seed, KeyUse.REDRAW)
        variables = data_init.data_dependent_init(
            model, key, x, noise, redraw_key
        )
    else:
        variables = state_lib.initial_variables(model, key)

    starts = run.stepper.schedule.starts
    is_warm = [entered < warm for entered, warm, _ in starts]
    for j in np.flatnonzero(is_warm).tolist():
        prior_init.check_warm_up(j, variables["params"][f"priors_{j}"])
    latents = None
    # What a warm-up will fit needs no fit now.
    if settings.prior_init.means is MeansInit.GMM and not all(is_warm):
        logging.info("encoding %d images to fit the priors", len(images))
        full = progressive.full_coefficients(len(settings.facets))
        shape = run.dataset.spec.image_shape
        new = make_trained(settings, shape, variables, full.alpha)
        # Not `modes`: this is the program that scores the run later.
        latents = new.predict(images, _evaluation_key(run)).latents
    params = prior_init.with_initial_means(
        variables["params"], latents, settings.seed
    )
    return starting_state(run, {**variables, "params": params})


class Scored(NamedTuple):
    """A state on the held-out split, at the coefficients in force.

    Attributes:
        trained: the model.
        predictions: for each example.
        terms: the bounds and their terms, means in nats per example, by name.
        scores: of facets against labelings, see ``score_matrix``.
    """

    trained: Trained
    predictions: Predictions
    terms: dict[str, float]
    scores: list[dict[str, Any]]


def score(run: Run, state: state_lib.TrainState) -> Scored:
    """Scores a state on the held-out split."""
    model, test = in_force(run, state), run.dataset.test
    found = model.predict(test.images, _evaluation_key(run))
    return Scored(
        model,
        found,
        found.mean_terms(model.is_in),
        accuracy.score_matrix(
            found.assignments,
            test.labels,
            run.settings.facets.n_components,
            run.dataset.spec.labelings,
        ),
    )


def in_force(run: Run, state: state_lib.TrainState) -> Trained:
    """Returns the model of a state, at the coefficients in force."""
    schedule = run.stepper.schedule
    alpha = progressive.coefficients(schedule, state.step).alpha
    return make_trained(
        run.settings, run.dataset.spec.image_shape, state.variables, alpha
    )


def _evaluation_key(run: Run) -> chex.PRNGKey:
    return run_key(run.settings.seed, KeyUse.EVALUATION)
