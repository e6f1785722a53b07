# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Images from the model: reconstructions, and samples (the paper's Fig. 6)."""

import functools
from typing import Any, cast

import chex
import jax

from mfcvae_jax.model import MFCVAE
from mfcvae_jax.settings import Likelihood
from mfcvae_jax.variational import likelihood as likelihood_lib
from mfcvae_jax.variational import posterior, prior

__all__ = ["reconstruct", "sample_clusters"]


@functools.partial(jax.jit, static_argnames=("model", "likelihood"))
def reconstruct(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    alpha: chex.Array,
    x: chex.Array,
) -> chex.Array:
    """Decodes the modes of q(z|x).

    Args:
        model: the module.
        likelihood: form of p(x|z).
        variables: of the model.
        alpha: fade-in of each facet, shape (J,).
        x: images in [0, 1], shape (B, H, W, C).

    Returns:
        E[x|z] at z = mean of q(z|x), shape (B, H, W, C).
    """
    posteriors = cast(
        tuple[posterior.Posterior, ...],
        model.apply(variables, x, method=model.encode),
    )
    z = tuple(q.mean for q in posteriors)
    output = model.apply(variables, z, alpha, method=model.decode)
    return likelihood_lib.mean(likelihood, output)


@functools.partial(
    jax.jit, static_argnames=("model", "likelihood", "facet", "n_samples")
)
def sample_clusters(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    alpha: chex.Array,
    key: chex.PRNGKey,
    *,
    facet: int,
    n_samples: int,
    temperature: float,
) -> chex.Array:
    """Draws images from every component of one facet.

    z_j comes from p(z_j|c_j), the other facets from their marginals; shown is
    E[x|z]. The temperature scales the standard deviation of every component.

    Args:
        model: the module.
        likelihood: form of p(x|z).
        variables: of the model.
        alpha: fade-in of each facet, shape (J,).
        key: PRNG key.
        facet: j.
        n_samples: n, images per component.
        temperature: factor on standard deviations; 0 gives component means.

    Returns:
        Images, shape (K_j, n, H, W, C).
    """
    mixtures = cast(
        tuple[prior.Mixture, ...],
        model.apply(variables, method=model.mixtures),
    )
    n_components = mixtures[facet].means.shape[0]
    keys = jax.random.split(key, len(mixtures))
    z = []
    for j, (mixture, facet_key) in enumerate(zip(mixtures, keys, strict=True)):
        p_z = prior.distribution(mixture, temperature)
        if j == facet:
            drawn = p_z.components_distribution.sample(
                seed=facet_key, sample_shape=(n_samples,)
            ).swapaxes(0, 1)
        else:
            drawn = p_z.sample(
                seed=facet_key, sample_shape=(n_components, n_samples)
            )
        z.append(drawn)
    output = model.apply(variables, tuple(z), alpha, method=model.decode)
    return likelihood_lib.mean(likelihood, output)
