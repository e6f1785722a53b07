# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The evidence lower bound as named per-facet terms, and the training loss.

MFCVAE (arXiv:2106.05241), Eq. 14 and App. C. The bound of one example is

    log p(x|z) - sum_j (KL_z_j + KL_c_j)
    KL_z_j = E log q(z_j|x) - E log p(z_j|c_j)
    KL_c_j = E log q(c_j|x) - E log p(c_j)

in nats. Progressive training weights the KL terms of each facet; this file is
the only place that does so, and what is reported to users is unweighted.

Axes: L samples, B examples, K components, J facets.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from mfcvae_jax.variational import vade

__all__ = [
    "ElboTerms",
    "FacetTerms",
    "bound",
    "five_terms",
    "loss",
    "mixture_form",
]


class FacetTerms(NamedTuple):
    """The four expectations of one facet that enter the bound.

    Attributes:
        log_resp: log q(c|x), in nats, shape (B, K).
        log_p_z_c: E_q(z,c|x) log p(z|c), in nats, shape (B,).
        log_p_c: E_q(c|x) log p(c), in nats, shape (B,).
        log_q_z: E_q(z|x) log q(z|x), in nats, shape (B,).
        log_q_c: E_q(c|x) log q(c|x), in nats, shape (B,).
    """

    log_resp: chex.Array
    log_p_z_c: chex.Array
    log_p_c: chex.Array
    log_q_z: chex.Array
    log_q_c: chex.Array

    @property
    def kl_z(self) -> chex.Array:
        """E_q(c|x) KL[q(z|x) || p(z|c)], in nats, shape (B,)."""
        return self.log_q_z - self.log_p_z_c

    @property
    def kl_c(self) -> chex.Array:
        """KL[q(c|x) || p(c)], in nats, shape (B,)."""
        return self.log_q_c - self.log_p_c


class ElboTerms(NamedTuple):
    """The terms of the bound for a batch.

    Attributes:
        log_p_x: E_q(z|x) log p(x|z), in nats, shape (B,).
        facets: the terms of each facet, length J.
    """

    log_p_x: chex.Array
    facets: tuple[FacetTerms, ...]


def five_terms(
    log_p_z_c: chex.Array, log_weights: chex.Array, log_q_z: chex.Array
) -> FacetTerms:
    """Estimates one facet's terms from samples: the published loss, App. C.

    The responsibilities are the optimum for the same L samples. With L = 1 the
    sum of the terms is an unbiased estimate of the mixture bound, in which c is
    summed out; as L grows it falls to the mean-field bound of Eq. 14. Gradients
    flow through the responsibilities.

    Args:
        log_p_z_c: log p(z^l|c) at samples of q(z|x), nats, shape (L, B, K).
        log_weights: log p(c), in nats, shape (K,).
        log_q_z: log q(z^l|x) of the same samples, in nats, shape (L, B).

    Returns:
        The terms of the facet.
    """
    log_p_c_z = vade.log_posterior(log_p_z_c, log_weights)
    log_resp = vade.optimal_assignment(log_p_c_z).log_resp
    resp = jnp.exp(log_resp)
    return FacetTerms(
        log_resp=log_resp,
        log_p_z_c=jnp.mean(jnp.sum(resp * log_p_z_c, axis=-1), axis=0),
        log_p_c=jnp.sum(resp * log_weights, axis=-1),
        log_q_z=jnp.mean(log_q_z, axis=0),
        log_q_c=jnp.sum(resp * log_resp, axis=-1),
    )


def mixture_form(
    log_p_z_c: chex.Array, log_weights: chex.Array, log_q_z: chex.Array
) -> chex.Array:
    """Estimates one facet's part of the bound in the form of Eq. 5.

    mean_l [log p(z^l) - log q(z^l|x)] + log Z, with p(z) the mixture marginal
    and Z from the same samples. Equal to -(kl_z + kl_c) of ``five_terms``,
    sample by sample, for every L.

    Args:
        log_p_z_c: log p(z^l|c) at samples of q(z|x), nats, shape (L, B, K).
        log_weights: log p(c), in nats, shape (K,).
        log_q_z: log q(z^l|x) of the same samples, in nats, shape (L, B).

    Returns:
        The facet's part of the bound, in nats, shape (B,).
    """
    log_p_z = jax.nn.logsumexp(log_p_z_c + log_weights, axis=-1)
    log_p_c_z = vade.log_posterior(log_p_z_c, log_weights)
    log_normaliser = vade.optimal_assignment(log_p_c_z).log_normaliser
    return jnp.mean(log_p_z - log_q_z, axis=0) + log_normaliser


def bound(terms: ElboTerms) -> chex.Array:
    """Returns the unweighted bound on log p(x) of each example.

    Args:
        terms: the terms of a batch.

    Returns:
        Bounds in nats, shape (B,).
    """
    return terms.log_p_x - sum(
        facet.kl_z + facet.kl_c for facet in terms.facets
    )


def loss(
    terms: ElboTerms, weight_z: chex.Array, weight_c: chex.Array
) -> chex.Array:
    """Returns the training loss: minus the weighted bound, mean over the batch.

    Args:
        terms: the terms of a batch.
        weight_z: weight of KL_z of each facet, in [0, 1], shape (J,).
        weight_c: weight of KL_c of each facet, in [0, 1], shape (J,).

    Returns:
        The loss in nats per example, shape ().
    """
    chex.assert_shape([weight_z, weight_c], (len(terms.facets),))
    penalty = sum(
        weight_z[j] * facet.kl_z + weight_c[j] * facet.kl_c
        for j, facet in enumerate(terms.facets)
    )
    return jnp.mean(penalty - terms.log_p_x)
