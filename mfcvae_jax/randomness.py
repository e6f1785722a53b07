# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run draws at random, and from which key."""

import enum

import chex
import jax

__all__ = ["KeyUse", "draw_noise", "run_key"]


class KeyUse(enum.IntEnum):
    """What a run draws at random; no two share their keys."""

    INIT = 0
    ORDER = 1
    NOISE = 2
    REDRAW = 3
    REDRAW_NOISE = 4
    PRIOR = 5
    EVALUATION = 6
    SAMPLES = 7
    IMPORTANCE = 8
    PROBES = 9


def run_key(seed: int, use: KeyUse) -> chex.PRNGKey:
    """Returns the typed key from which a run makes one use of randomness."""
    return jax.random.fold_in(jax.random.key(seed), use)


def draw_noise(
    key: chex.PRNGKey, latent_dim: tuple[int, ...], n_samples: int, n: int
) -> tuple[chex.Array, ...]:
    """Draws the standard normal noise of one pass.

    Args:
        key: PRNG key of this pass.
        latent_dim: D_j of each facet.
        n_samples: L.
        n: B, examples in the batch.

    Returns:
        One array of shape (L, B, D_j) per facet.
    """
    return tuple(
        jax.random.normal(jax.random.fold_in(key, j), (n_samples, n, d))
        for j, d in enumerate(latent_dim)
    )
