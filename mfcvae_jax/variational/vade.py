# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The VaDE trick: the optimal q(c|x) in closed form, never a network.

MFCVAE (arXiv:2106.05241), Theorems 1 and 2, and Theorem 3 of App. B.3, give the
q(c|x) that minimises E_q(z|x) KL[q(c|x) || p(c|z)] (Eq. 6), for any q(z|x). The
minimum is not zero in general; this corrects the original VaDE paper.

The functions take log densities and moments, not models; docs/maths.md derives
them. Axes: L samples, B examples, K components, J facets.
"""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

__all__ = [
    "Assignment",
    "Assignments",
    "closed_form_bound",
    "closed_form_log_resp",
    "component_kl",
    "log_posterior",
    "optimal_assignment",
    "optimal_assignments",
    "sampled_assignments",
]


class Assignment(NamedTuple):
    """The optimal q(c|x) of one facet.

    Attributes:
        log_resp: log responsibilities log q(c|x), in nats, shape (..., K).
        log_normaliser: log Z <= 0, in nats, shape (...). Its negative is the
            attained minimum of E KL[q(c|x) || p(c|z)].
    """

    log_resp: chex.Array
    log_normaliser: chex.Array


class Assignments(NamedTuple):
    """The optimal q(c|x) of all facets: the product of the ``facets``' own."""

    facets: tuple[Assignment, ...]

    @property
    def log_normaliser(self) -> chex.Array:
        """sum_j log Z_j, the minimum's negative (Eq. 11), nats, shape (...)."""
        return sum(facet.log_normaliser for facet in self.facets)


def log_posterior(log_p_z_c: chex.Array, log_weights: chex.Array) -> chex.Array:
    """Returns log p(c|z) by Bayes' rule within the mixture, nats, (..., K).

    Args:
        log_p_z_c: log p(z|c), in nats, shape (..., K).
        log_weights: log p(c), in nats, shape (K,).
    """
    return jax.nn.log_softmax(log_p_z_c + log_weights, axis=-1)


def optimal_assignment(expected_log_p_c_z: chex.Array) -> Assignment:
    """Theorem 1: the q(c|x) that minimises E KL[q(c|x) || p(c|z)].

    q(c|x) = exp(E log p(c|z)) / Z (Eq. 8), Z = sum_c exp(E log p(c|z)) (Eq. 9).
    The minimum is -log Z (Eq. 7), and Z <= 1 by Jensen's inequality. The
    expectation is over q(z|x), of any form; the mean over one sample makes the
    responsibilities p(c|z) itself and log Z = 0.

    Args:
        expected_log_p_c_z: E_q(z|x) log p(c|z), in nats, shape (..., K).
    """
    log_normaliser = jax.nn.logsumexp(expected_log_p_c_z, axis=-1)
    return Assignment(
        expected_log_p_c_z - log_normaliser[..., None], log_normaliser
    )


def optimal_assignments(
    expected_log_p_c_z: Sequence[chex.Array],
) -> Assignments:
    """Theorems 2 and 3: the optimal joint q(c_1..c_J|x) of several facets.

    The prior makes p(c|z) = prod_j p(c_j|z_j), so the joint optimum is
    proportional to exp(sum_j E log p(c_j|z_j)) and factorises over the facets
    (Eqs. 10-13), each by Theorem 1. For a q(z|x) that does not factorise
    (Theorem 3) nothing changes but the expectations, which are then under the
    joint q(z|x); each involves z_j alone, so its marginal q(z_j|x) is enough.

    Args:
        expected_log_p_c_z: E_q(z|x) log p(c_j|z_j) of each facet, in nats, J
            arrays of shape (..., K_j).
    """
    return Assignments(tuple(map(optimal_assignment, expected_log_p_c_z)))


def sampled_assignments(
    log_p_z_c: Sequence[chex.Array], log_weights: Sequence[chex.Array]
) -> Assignments:
    """``optimal_assignments``, the expectations being means over samples.

    Training takes samples of q(z|x), predictions one z, the mean of q(z|x).

    Args:
        log_p_z_c: log p(z_j^l|c_j) of each facet, in nats, J arrays of shape
            (L, ..., K_j).
        log_weights: log p(c_j) of each facet, in nats, J arrays (K_j,).
    """
    log_p_c_z = map(log_posterior, log_p_z_c, log_weights)
    return optimal_assignments([jnp.mean(p, axis=0) for p in log_p_c_z])


def closed_form_log_resp(
    expected_log_p_z_c: chex.Array, log_weights: chex.Array
) -> chex.Array:
    """Returns the optimal log q(c|x) without samples, in nats, shape (..., K).

    log p(c|z) differs from log p(z|c) + log p(c) by log p(z), which does not
    depend on c, so Theorem 1 becomes Bayes' rule with expected log densities.
    For a Gaussian q(z|x) these are known: ``Gaussians.expected_log_prob`` of
    ``elliptical``. Not in the paper.

    Args:
        expected_log_p_z_c: E_q(z|x) log p(z|c), in nats, shape (..., K).
        log_weights: log p(c), in nats, shape (K,).
    """
    return log_posterior(expected_log_p_z_c, log_weights)


def component_kl(
    expected_log_p_z_c: chex.Array, expected_log_q_z: chex.Array
) -> chex.Array:
    """Returns KL[q(z|x) || p(z|c)] of every component, nats, shape (..., K).

    Args:
        expected_log_p_z_c: E_q(z|x) log p(z|c), in nats, shape (..., K).
        expected_log_q_z: E_q(z|x) log q(z|x), in nats, shape (...).
    """
    return expected_log_q_z[..., None] - expected_log_p_z_c


def closed_form_bound(
    kl_z_c: chex.Array, log_weights: chex.Array
) -> chex.Array:
    """Returns one facet's part of the mean-field bound, in nats, shape (...).

    -[E_q(c|x) KL(q(z|x) || p(z|c)) + KL(q(c|x) || p(c))] (Eq. 14) at the
    optimal q(c|x) collapses to logsumexp_c [log p(c) - KL(q(z|x) || p(z|c))],
    which is exact. Not in the paper.

    Args:
        kl_z_c: KL[q(z|x) || p(z|c)], in nats, shape (..., K).
        log_weights: log p(c), in nats, shape (K,).
    """
    return jax.nn.logsumexp(log_weights - kl_z_c, axis=-1)
