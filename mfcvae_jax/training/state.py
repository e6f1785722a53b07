# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training state: all that a run needs to go on where it stopped."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from jax.experimental import multihost_utils

from mfcvae_jax.model import MFCVAE
from mfcvae_jax.randomness import draw_noise

__all__ = [
    "TrainState",
    "from_main",
    "initial_variables",
    "make_state",
]


class TrainState(NamedTuple):
    """State of a run between two optimiser steps.

    Attributes:
        step: optimiser steps taken, int32, shape (). It says how far
            progressive training has come, too.
        params: parameters of nets and priors.
        batch_stats: running statistics of batch norm; empty without any.
        opt_state: of the optimiser.
        key: data of the base key of the run (not a typed key, so that all of a
            state is numbers); every draw folds the step into it.
    """

    step: chex.Array
    params: Any
    batch_stats: Any
    opt_state: optax.OptState
    key: chex.PRNGKey

    @property
    def variables(self) -> dict[str, Any]:
        """The collections that ``MFCVAE.apply`` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


# Compiled once for all seeds of a model. Shapes are all that the forward pass
# is for, so it need not run.
@functools.partial(jax.jit, static_argnames="model")
def initial_variables(model: MFCVAE, key: chex.PRNGKey) -> dict[str, Any]:
    """Draws new ``params`` and ``batch_stats``, which may be empty."""
    x = jnp.zeros((1, *model.image_shape))
    noise = draw_noise(key, model.facets.latent_dim, 1, 1)
    alpha = jnp.ones(len(model.facets))
    return {"batch_stats": {}, **model.init(key, x, noise, alpha, train=True)}


def make_state(
    variables: dict[str, Any],
    optimiser: optax.GradientTransformation,
    key: chex.PRNGKey,
) -> TrainState:
    """Makes the state before the first step; ``key`` is the typed base key."""
    return TrainState(
        step=jnp.int32(0),
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=jax.jit(optimiser.init)(variables["params"]),
        key=jax.random.key_data(key),
    )


def from_main(states: Sequence[TrainState]) -> list[TrainState]:
    """Returns the states of process 0 in all; those of others give shapes."""
    if jax.process_count() == 1:
        return list(states)
    return multihost_utils.broadcast_one_to_all(jax.device_get(list(states)))
