# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the model says of a data split: assignments, latents, bounds.

Assignments use z = mean of q(z|x), as published; the bounds are estimated with
one sample of z per example, since at the mean they would be no bounds.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np

from mfcvae_jax.model import Forward
from mfcvae_jax.variational import elbo, vade

__all__ = ["Predictions", "of_pass"]


class Predictions(NamedTuple):
    """Predictions for the N examples of a split.

    Attributes:
        resp: q(c_j|x) of each facet, length J, each of shape (N, K_j).
        latents: mean of q(z_j|x), length J, each of shape (N, D_j).
        log_p_x_z: log p(x|z) at a sample, in nats, shape (N,).
        kl_z: KL_z by the estimator at that one sample, nats, shape (N, J).
        kl_c: KL_c by the estimator at that one sample, nats, shape (N, J).
        mixture: each facet's block of M at that sample, nats, shape (N, J).
        mean_field: each facet's block of F, exact, in nats, shape (N, J); NaN
            where its prior does not have it.
    """

    resp: tuple[chex.Array, ...]
    latents: tuple[chex.Array, ...]
    log_p_x_z: chex.Array
    kl_z: chex.Array
    kl_c: chex.Array
    mixture: chex.Array
    mean_field: chex.Array

    @property
    def assignments(self) -> np.ndarray:
        """The most probable component of each facet, shape (N, J)."""
        return np.stack([np.argmax(r, axis=-1) for r in self.resp], axis=-1)

    def mean_terms(self, is_in: chex.Array) -> dict[str, float]:
        """Returns the bounds and their terms, means over the examples.

        Args:
            is_in: see ``model.facets_in_force``.

        Returns:
            ``mixture_bound`` (M), ``mean_field_bound`` (F), ``log_p_x_z``, and
            of each facet ``kl_z/<j>``, ``kl_c/<j>`` and ``gap/<j>``, its part
            of M - F, an unbiased estimate of -log Z_j; in nats. F and the
            gaps are left out where a prior does not have them.
        """
        is_in = np.asarray(is_in)
        log_p_x_z = np.mean(self.log_p_x_z)
        mixture = np.mean(self.mixture, axis=0)
        mean_field = np.mean(self.mean_field, axis=0)
        # Other terms are NaN too where parameters are broken: that must show.
        is_lacking = np.isnan(mean_field) & ~np.isnan(mixture)
        terms = {"mixture_bound": log_p_x_z + mixture @ is_in}
        if not is_lacking.any():
            terms["mean_field_bound"] = log_p_x_z + mean_field @ is_in
        terms["log_p_x_z"] = log_p_x_z
        for j in range(len(self.resp)):
            terms[f"kl_z/{j}"] = np.mean(self.kl_z[:, j])
            terms[f"kl_c/{j}"] = np.mean(self.kl_c[:, j])
            if not is_lacking[j]:
                terms[f"gap/{j}"] = mixture[j] - mean_field[j]
        return {name: float(value) for name, value in terms.items()}


def of_pass(forward: Forward, terms: elbo.ElboTerms) -> Predictions:
    """Gathers the predictions for a batch, of a pass at one sample of z."""
    latents = tuple(q.mean for q in forward.posteriors)
    found = vade.sampled_assignments(
        [
            mixture.components_distribution.log_prob(z[None, :, None])
            for mixture, z in zip(forward.mixtures, latents, strict=True)
        ],
        [mixture.mixture_distribution.logits for mixture in forward.mixtures],
    )
    return Predictions(
        resp=tuple(jnp.exp(facet.log_resp) for facet in found.facets),
        latents=latents,
        log_p_x_z=terms.log_p_x_z,
        kl_z=jnp.stack([f.kl_z for f in terms.facets], axis=-1),
        kl_c=jnp.stack([f.kl_c for f in terms.facets], axis=-1),
        mixture=terms.mixture,
        mean_field=terms.mean_field,
    )
