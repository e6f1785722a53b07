# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training step of a published config, ready to be timed without data."""

import dataclasses
import pathlib

import jax
import numpy as np

from mfcvae_jax import config as config_lib
from mfcvae_jax import progressive
from mfcvae_jax.datasets import reader
from mfcvae_jax.training import runs, state
from mfcvae_jax.training.steps import Stepper

_CONFIGS = pathlib.Path(__file__).parents[1] / "experiments/configs/published"


def make_stepper(name: str) -> Stepper:
    """Returns the step of a config; all facets are in from the start."""
    settings = config_lib.from_config(
        config_lib.load(_CONFIGS / f"{name}.py").to_dict()
    )
    shape = reader.spec_of(settings.data.name).image_shape
    n_facets = len(settings.facets)
    # All facets are in from the start, as they are in PyTorch.
    return dataclasses.replace(
        runs.make_stepper(settings, shape, steps_per_epoch=1),
        schedule=progressive.Schedule(((0, 0, 0),) * n_facets, 10**6, 1),
    )


def first_state(stepper: Stepper) -> state.TrainState:
    """Returns the state that training starts from."""
    variables = state.initial_variables(stepper.model, jax.random.key(0))
    return state.make_state(variables, stepper.optimiser, jax.random.key(1))


def random_images(stepper: Stepper, n: int) -> np.ndarray:
    """Returns n images of bytes, of the shape that the model takes."""
    shape = (n, *stepper.model.image_shape)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
