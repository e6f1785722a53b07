# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How much the gradient of a training batch depends on the draws of z."""

from typing import Any, NamedTuple

import chex
import jax
import numpy as np

from mfcvae_jax import progressive
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.training.steps import Stepper

__all__ = ["GradientNoise", "gradient_noise"]


class GradientNoise(NamedTuple):
    """Root mean squared distance of gradients from their mean.

    Attributes:
        everything: of all parameters, in nats per unit of a parameter.
        priors: of the parameters of the priors alone.
    """

    everything: float
    priors: float


def gradient_noise(
    stepper: Stepper,
    state: TrainState,
    x: chex.Array,
    key: chex.PRNGKey,
    n_draws: int,
) -> GradientNoise:
    """Measures the noise of the gradient of one batch.

    Args:
        stepper: its estimator and number of samples are what is measured.
        state: where the gradients are taken.
        x: images in [0, 1], shape (B, H, W, C).
        key: PRNG key of the draws.
        n_draws: gradients that are compared, at least 2.

    Returns:
        The noise; the mean over the batch is what is descended, so it shrinks
        with the batch size.
    """
    coefficients = progressive.coefficients(stepper.schedule, state.step)

    @jax.jit
    def gradient(draw_key):
        noise = draw_noise(
            draw_key, stepper.model.facets.latent_dim, stepper.n_samples, len(x)
        )
        found, _ = jax.grad(stepper.loss, has_aux=True)(
            state.params, state.batch_stats, x, noise, coefficients
        )
        return found

    draws = [gradient(k) for k in jax.random.split(key, n_draws)]
    return GradientNoise(
        everything=_spread(draws),
        priors=_spread(
            [
                {name: draw[name] for name in draw if name.startswith("priors")}
                for draw in draws
            ]
        ),
    )


def _spread(trees: list[Any]) -> float:
    rows = np.stack(
        [
            np.concatenate(
                [np.ravel(np.float64(leaf)) for leaf in jax.tree.leaves(tree)]
            )
            for tree in trees
        ]
    )
    squares = np.sum(np.square(rows - rows.mean(axis=0)))
    return float(np.sqrt(squares / (len(rows) - 1)))
