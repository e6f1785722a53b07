# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The VaDE trick: the optimal q(c|x) in closed form, never a network.

MFCVAE (arXiv:2106.05241), Theorem 1. For any q(z|x), the q(c|x) that minimises

    E_q(z|x) KL[q(c|x) || p(c|z)]                                 (Eq. 6)

is proportional to exp(E_q(z|x) log p(c|z)) (Eq. 8), and the minimum is -log Z
with Z the normaliser (Eqs. 7, 9). Z <= 1 by Jensen's inequality, so the minimum
is not zero in general; this corrects the original VaDE paper. By Theorem 2 the
facets of a factorised q(z|x) are independent: apply the functions to each.

The functions take log densities, not models. Axes: L samples, B examples,
K components.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

__all__ = ["Assignment", "log_posterior", "optimal_assignment"]


class Assignment(NamedTuple):
    """The optimal q(c|x) of one facet.

    Attributes:
        log_resp: log responsibilities log q(c|x), in nats, shape (B, K).
        log_normaliser: log Z <= 0, in nats, shape (B,). Its negative is the
            attained minimum of E KL[q(c|x) || p(c|z)].
    """

    log_resp: chex.Array
    log_normaliser: chex.Array


def log_posterior(log_p_z_c: chex.Array, log_weights: chex.Array) -> chex.Array:
    """Returns log p(c|z) by Bayes' rule within the mixture.

    Args:
        log_p_z_c: log p(z|c), in nats, shape (..., K).
        log_weights: log p(c), in nats, shape (K,).

    Returns:
        Log probabilities in nats, shape (..., K).
    """
    return jax.nn.log_softmax(log_p_z_c + log_weights, axis=-1)


def optimal_assignment(log_p_c_z: chex.Array) -> Assignment:
    """Returns the optimal q(c|x) and its normaliser, Theorem 1 (Eqs. 8, 9).

    The expectation over q(z|x) is the mean over the samples that are given.
    With L = 1 the responsibilities are p(c|z) itself and log Z is 0.

    Args:
        log_p_c_z: log p(c|z^l) at L samples of q(z|x), nats, shape (L, B, K).

    Returns:
        The assignment of each of the B examples.
    """
    chex.assert_rank(log_p_c_z, 3)
    expected = jnp.mean(log_p_c_z, axis=0)
    log_normaliser = jax.nn.logsumexp(expected, axis=-1)
    return Assignment(expected - log_normaliser[:, None], log_normaliser)
