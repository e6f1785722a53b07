# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of q(z|x) for a whole split."""

import functools
from typing import Any, cast

import chex
import jax
import numpy as np

from mfcvae_jax.datasets import batches
from mfcvae_jax.model import MFCVAE
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.variational import posterior

__all__ = ["sampled_latents"]


def sampled_latents(
    model: MFCVAE,
    variables: Any,
    images: np.ndarray,
    key: chex.PRNGKey,
    *,
    batch_size: int,
) -> tuple[np.ndarray, ...]:
    """Draws one z_j ~ q(z_j|x) per example and facet.

    Args:
        model: the module.
        variables: of the model.
        images: shape (N, H, W, C), uint8 or float.
        key: PRNG key.
        batch_size: examples per chunk, which bounds the memory.

    Returns:
        Samples, length J, each of shape (N, D_j).
    """
    chunks = [
        jax.device_get(
            _sample_chunk(
                model,
                variables,
                np.asarray(images[start : start + batch_size]),
                jax.random.fold_in(key, index),
            )
        )
        for index, start in enumerate(range(0, len(images), batch_size))
    ]
    return tuple(map(np.concatenate, zip(*chunks, strict=True)))


@functools.partial(jax.jit, static_argnames="model")
def _sample_chunk(model, variables, images, key):
    x = batches.as_float(images)
    posteriors = cast(
        tuple[posterior.Posterior, ...],
        model.apply(variables, x, method=model.encode),
    )
    noise = draw_noise(key, model.facets.latent_dim, 1, len(x))
    return tuple(
        posterior.sample(q, n)[0]
        for q, n in zip(posteriors, noise, strict=True)
    )
