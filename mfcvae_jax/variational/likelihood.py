# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""p(x|z): what the decoder's last layer means for the pixels.

Every form is a dataclass of ``settings``, independent over pixels given z.
Another form registers an implementation of both functions (docs/extending.md).
"""

import functools

import chex
import jax
import jax.numpy as jnp

from mfcvae_jax.settings import Bernoulli, Gaussian, Likelihood, OutputUnits

__all__ = ["log_prob", "mean"]

_PIXEL_AXES = (-3, -2, -1)


@functools.singledispatch
def log_prob(
    likelihood: Likelihood, output: chex.Array, x: chex.Array
) -> chex.Array:
    """Returns log p(x|z), summed over the pixels, in nats, shape (...).

    Bernoulli takes grey pixels, not binarised: x log p + (1-x) log(1-p), from
    logits, which never saturates. (The official code goes through a clamped
    sigmoid and saturates at -15.94 nats a pixel in float32.)

    Args:
        likelihood: its form.
        output: last layer of the decoder, shape (..., H, W, C); logits for
            Bernoulli.
        x: images in [0, 1], shape (H, W, C) or broadcastable to ``output``.

    Raises:
        TypeError: if the form is not known; so does ``mean``.
    """
    raise _unknown(likelihood)


@functools.singledispatch
def mean(likelihood: Likelihood, output: chex.Array) -> chex.Array:
    """Returns E[x|z], the image that figures show, of the output's shape."""
    raise _unknown(likelihood)


@log_prob.register
def _bernoulli_log_prob(form: Bernoulli, output, x):
    return jnp.sum(x * output - jax.nn.softplus(output), axis=_PIXEL_AXES)


@mean.register
def _bernoulli_mean(form: Bernoulli, output):
    return jax.nn.sigmoid(output)


@log_prob.register
def _gaussian_log_prob(form: Gaussian, output, x):
    white = (x - mean(form, output)) / form.std
    log_scale = jnp.log(form.std * jnp.sqrt(2 * jnp.pi))
    return jnp.sum(-0.5 * jnp.square(white) - log_scale, axis=_PIXEL_AXES)


@mean.register
def _gaussian_mean(form: Gaussian, output):
    is_linear = form.output is OutputUnits.LINEAR
    return output if is_linear else jax.nn.sigmoid(output)


def _unknown(form: object) -> TypeError:
    return TypeError(
        f"p(x|z) of the form {form!r} has no such function: implement it with "
        "@likelihood.log_prob.register, and mean likewise (docs/extending.md)"
    )
