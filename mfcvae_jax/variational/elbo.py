# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Two bounds on log p(x), the estimators of them, and the training loss.

MFCVAE (arXiv:2106.05241), Eqs. 5 and 14 and App. C. Each facet adds one block
to log p(x|z), and there are two exact targets, in nats per example::

    M, the mixture bound:     -KL(q(z_j|x) || p(z_j)), with c_j summed out
    F, the mean-field bound:  -[E KL(q(z_j|x) || p(z_j|c_j)) + KL(q(c_j|x) ||
                              p(c_j))] at the optimal q(c_j|x)

with M - F = -log Z_j >= 0 in every facet. Training descends one of
``ESTIMATORS`` of them; what is reported to users is always M and F.

Progressive training weights the two KL terms of each facet; this file is the
only place that does so. Axes: L samples, B examples, K components, J facets.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from mfcvae_jax.variational import vade

__all__ = [
    "ESTIMATORS",
    "Densities",
    "ElboTerms",
    "Estimator",
    "FacetTerms",
    "bounds",
    "closed_form",
    "find_estimator",
    "five_terms",
    "gaussian_kl",
    "loss",
    "mean_field_block",
    "mixture_block",
    "mixture_form",
]


class Densities(NamedTuple):
    """What an estimator may use of one facet; jit drops what it does not.

    Attributes:
        log_p_z_c: log p(z^l|c) at L samples of q(z|x), nats, shape (L, B, K).
        log_q_z: log q(z^l|x) of the same samples, in nats, shape (L, B).
        expected_log_p_z_c: E_q(z|x) log p(z|c), exact, in nats, shape (B, K);
            None if the family of the components does not have it.
        expected_log_q_z: E_q(z|x) log q(z|x), exact, in nats, shape (B,).
        log_weights: log p(c), in nats, shape (K,).
    """

    log_p_z_c: chex.Array
    log_q_z: chex.Array
    expected_log_p_z_c: chex.Array | None
    expected_log_q_z: chex.Array
    log_weights: chex.Array


class FacetTerms(NamedTuple):
    """The four expectations of one facet that enter the loss.

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
    """The terms of the bounds for a batch.

    Attributes:
        log_p_x_z: E_q(z|x) log p(x|z), in nats, shape (B,).
        facets: the estimator's terms of each facet, length J.
        mixture: the block of M of each facet, in nats, shape (B, J).
        mean_field: the block of F of each facet, in nats, shape (B, J); NaN
            where it is not known exactly.
    """

    log_p_x_z: chex.Array
    facets: tuple[FacetTerms, ...]
    mixture: chex.Array
    mean_field: chex.Array


# From the densities of one facet to its terms.
Estimator = Callable[[Densities], FacetTerms]


def mixture_block(densities: Densities) -> chex.Array:
    """Estimates one facet's part of M: mean_l [log p(z^l) - log q(z^l|x)].

    -KL(q(z|x) || p(z)), with p(z) the mixture marginal (Eq. 5 without its last
    term), in nats, shape (B,). Unbiased for every L.
    """
    log_p_z = jax.nn.logsumexp(
        densities.log_p_z_c + densities.log_weights, axis=-1
    )
    return jnp.mean(log_p_z - densities.log_q_z, axis=0)


def mean_field_block(densities: Densities) -> chex.Array:
    """Returns one facet's part of F, exactly: ``vade.closed_form_bound``.

    In nats, shape (B,); NaN without exact expectations.
    """
    if densities.expected_log_p_z_c is None:
        return jnp.full_like(densities.expected_log_q_z, jnp.nan)
    kl_z_c = vade.component_kl(
        densities.expected_log_p_z_c, densities.expected_log_q_z
    )
    return vade.closed_form_bound(kl_z_c, densities.log_weights)


def five_terms(densities: Densities) -> FacetTerms:
    """Estimates one facet's terms from samples: the published loss, App. C.

    The responsibilities are the optimum for the same L samples, and gradients
    flow through them.
    """
    log_resp = _sampled_assignment(densities).log_resp
    of_samples = jnp.sum(jnp.exp(log_resp) * densities.log_p_z_c, axis=-1)
    return _facet_terms(
        log_resp,
        densities.log_weights,
        log_p_z_c=jnp.mean(of_samples, axis=0),
        log_q_z=jnp.mean(densities.log_q_z, axis=0),
    )


def mixture_form(densities: Densities) -> FacetTerms:
    """Estimates one facet's terms in the form of Eq. 5.

    mean_l [log p(z^l) - log q(z^l|x)] + log Z, with Z from the same samples.
    Equal to ``five_terms``, sample by sample, for every L and in both KL terms.
    """
    log_resp, log_normaliser = _sampled_assignment(densities)
    log_q_z = jnp.mean(densities.log_q_z, axis=0)
    log_p_z = mixture_block(densities) + log_q_z  # mean_l log p(z^l)
    terms = _facet_terms(
        log_resp, densities.log_weights, log_p_z + log_normaliser, log_q_z
    )
    # Eq. 5 holds KL(q(c|x) || p(c)) too, which has a term of its own here.
    return terms._replace(log_p_z_c=terms.log_p_z_c + terms.kl_c)


def gaussian_kl(densities: Densities) -> FacetTerms:
    """Estimates one facet's terms by Eq. 14, its Gaussian KLs in closed form.

    Only the responsibilities come from samples; they are not quite optimal for
    the exact KLs, so the result is at most F: it is F - KL(r || q(c|x)) with
    q(c|x) the exact optimum.
    """
    return _exact_terms(densities, _sampled_assignment(densities).log_resp)


def closed_form(densities: Densities) -> FacetTerms:
    """Returns one facet's terms of F exactly, with no sampling noise.

    Eq. 14 with the Gaussian KLs and the responsibilities in closed form; the
    terms add up to ``mean_field_block``. Not in the paper.
    """
    return _exact_terms(
        densities,
        vade.closed_form_log_resp(_exact(densities), densities.log_weights),
    )


# The setting train.estimator is a key of this table; others may be added. What
# bound, variance and cost each of them has is in docs/maths.md.
ESTIMATORS: dict[str, Estimator] = {
    "five_terms": five_terms,
    "mixture_form": mixture_form,
    "gaussian_kl": gaussian_kl,
    "closed_form": closed_form,
}


def find_estimator(name: str) -> Estimator:
    """Returns an entry of ``ESTIMATORS``, or raises ValueError."""
    if name not in ESTIMATORS:
        raise ValueError(
            f"train.estimator must be one of {sorted(ESTIMATORS)}, got {name!r}"
        )
    return ESTIMATORS[name]


def bounds(
    terms: ElboTerms, is_in: chex.Array
) -> tuple[chex.Array, chex.Array]:
    """Returns M and F, unweighted, of each example: nats, (B,) each.

    Args:
        terms: the terms of a batch.
        is_in: 1 for each facet that the bounds count, else 0, shape (J,).
    """
    chex.assert_shape(is_in, (len(terms.facets),))
    return (
        terms.log_p_x_z + jnp.sum(terms.mixture * is_in, axis=-1),
        terms.log_p_x_z + jnp.sum(terms.mean_field * is_in, axis=-1),
    )


def loss(
    terms: ElboTerms, weight_z: chex.Array, weight_c: chex.Array
) -> chex.Array:
    """Returns the training loss: minus the weighted bound, mean over the batch.

    In nats per example, shape (); 0 of no examples.

    Args:
        terms: the terms of a batch.
        weight_z: weight of KL_z of each facet, in [0, 1], shape (J,).
        weight_c: weight of KL_c of each facet, in [0, 1], shape (J,).
    """
    chex.assert_shape([weight_z, weight_c], (len(terms.facets),))
    penalty = sum(
        weight_z[j] * facet.kl_z + weight_c[j] * facet.kl_c
        for j, facet in enumerate(terms.facets)
    )
    return jnp.sum(penalty - terms.log_p_x_z) / max(len(terms.log_p_x_z), 1)


def _sampled_assignment(densities: Densities) -> vade.Assignment:
    """The optimal q(c|x); it factorises, so each facet has its own."""
    found = vade.sampled_assignments(
        [densities.log_p_z_c], [densities.log_weights]
    )
    return found.facets[0]


def _exact(densities: Densities) -> chex.Array:
    """E log p(z|c), or ValueError if it is not known."""
    if densities.expected_log_p_z_c is None:
        raise ValueError(
            "E log p(z|c) is not known exactly for these components: take an "
            "estimator that needs samples only, five_terms or mixture_form, or "
            "give the components the method expected_log_prob"
        )
    return densities.expected_log_p_z_c


def _exact_terms(densities: Densities, log_resp: chex.Array) -> FacetTerms:
    """The terms of Eq. 14 for a given q(c|x), exact in z."""
    return _facet_terms(
        log_resp,
        densities.log_weights,
        log_p_z_c=jnp.sum(jnp.exp(log_resp) * _exact(densities), axis=-1),
        log_q_z=densities.expected_log_q_z,
    )


def _facet_terms(
    log_resp: chex.Array,
    log_weights: chex.Array,
    log_p_z_c: chex.Array,
    log_q_z: chex.Array,
) -> FacetTerms:
    """Adds the two terms that depend on q(c|x) alone."""
    resp = jnp.exp(log_resp)
    return FacetTerms(
        log_resp=log_resp,
        log_p_z_c=log_p_z_c,
        log_p_c=jnp.sum(resp * log_weights, axis=-1),
        log_q_z=log_q_z,
        log_q_c=jnp.sum(resp * log_resp, axis=-1),
    )
