# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""q(z_j|x): a diagonal Gaussian per facet, made by two heads of the encoder."""

from typing import NamedTuple

import chex
import distrax
import jax.numpy as jnp

__all__ = [
    "Posterior",
    "distribution",
    "expected_log_prob",
    "log_prob",
    "sample",
]


class Posterior(NamedTuple):
    """Parameters of q(z_j|x) of one facet for a batch.

    Attributes:
        mean: shape (B, D).
        log_var: log variances, shape (B, D).
    """

    mean: chex.Array
    log_var: chex.Array


def distribution(posterior: Posterior) -> distrax.MultivariateNormalDiag:
    """Returns q(z_j|x) of batch shape (B,) and event shape (D,).

    Its scale is a standard deviation.
    """
    return distrax.MultivariateNormalDiag(
        posterior.mean, jnp.exp(0.5 * posterior.log_var)
    )


def sample(posterior: Posterior, noise: chex.Array) -> chex.Array:
    """Draws z = mean + std * noise, the reparameterisation trick.

    Args:
        posterior: parameters of the facet.
        noise: standard normal draws, of the shape of z, (L, B, D).
    """
    chex.assert_rank(noise, 3)
    return posterior.mean + jnp.exp(0.5 * posterior.log_var) * noise


def log_prob(posterior: Posterior, z: chex.Array) -> chex.Array:
    """Returns log q(z_j|x) in nats, shape (L, B), of samples (L, B, D)."""
    return distribution(posterior).log_prob(z)


def expected_log_prob(posterior: Posterior) -> chex.Array:
    """Returns E log q(z_j|x) under q itself, minus its entropy; nats, (B,)."""
    return -distribution(posterior).entropy()
