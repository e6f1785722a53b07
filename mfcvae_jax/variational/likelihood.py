# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""p(x|z): what the decoder's last layer means for the pixels.

Both forms are independent over pixels given z. ``log_prob`` is written out for
speed; ``distribution`` says the same with distrax, and the tests compare them.
"""

import chex
import distrax
import jax
import jax.numpy as jnp

from mfcvae_jax.settings import Bernoulli, Gaussian, Likelihood, OutputUnits

__all__ = ["distribution", "log_prob", "mean"]

_PIXEL_AXES = (-3, -2, -1)


def distribution(
    likelihood: Likelihood, output: chex.Array
) -> distrax.Independent:
    """Returns p(x|z) as a distribution over images, event shape (H, W, C).

    Args:
        likelihood: its form.
        output: last layer of the decoder, shape (..., H, W, C).

    Returns:
        The distribution, batch shape (...).
    """
    match likelihood:
        case Bernoulli():
            pixels = distrax.Bernoulli(logits=output)
        case Gaussian(std=std):
            pixels = distrax.Normal(
                mean(likelihood, output), jnp.full_like(output, std)
            )
    return distrax.Independent(pixels, reinterpreted_batch_ndims=3)


def log_prob(
    likelihood: Likelihood, output: chex.Array, x: chex.Array
) -> chex.Array:
    """Returns log p(x|z), summed over the pixels.

    Bernoulli takes grey pixels, not binarised: x log p + (1-x) log(1-p), from
    logits, which never saturates. (The official code goes through a clamped
    sigmoid and saturates at -15.94 nats a pixel in float32.)

    Args:
        likelihood: its form.
        output: last layer of the decoder, shape (..., H, W, C); logits for
            Bernoulli.
        x: images in [0, 1], shape (H, W, C) or broadcastable to ``output``.

    Returns:
        Log densities in nats, shape (...).
    """
    match likelihood:
        case Bernoulli():
            pixels = x * output - jax.nn.softplus(output)
        case Gaussian(std=std):
            white = (x - mean(likelihood, output)) / std
            pixels = -0.5 * jnp.square(white) - jnp.log(
                std * jnp.sqrt(2 * jnp.pi)
            )
    return jnp.sum(pixels, axis=_PIXEL_AXES)


def mean(likelihood: Likelihood, output: chex.Array) -> chex.Array:
    """Returns E[x|z], the image that figures show.

    Args:
        likelihood: its form.
        output: last layer of the decoder, any shape.

    Returns:
        Pixel intensities, the same shape.
    """
    match likelihood:
        case Gaussian(output=OutputUnits.LINEAR):
            return output
        case _:
            return jax.nn.sigmoid(output)
