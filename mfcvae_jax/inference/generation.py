# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Images from the model: reconstructions, samples, swaps, traversals.

MFCVAE (arXiv:2106.05241), Figs. 5 and 6.
"""

import functools
from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np

from mfcvae_jax.model import MFCVAE
from mfcvae_jax.settings import Likelihood
from mfcvae_jax.variational import likelihood as likelihood_lib
from mfcvae_jax.variational import posterior, prior

__all__ = [
    "decode",
    "reconstruct",
    "sample_clusters",
    "sample_combinations",
    "swap_facet",
    "traverse",
]


@functools.partial(jax.jit, static_argnames=("model", "likelihood"))
def decode(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    alpha: chex.Array,
    z: tuple[chex.Array, ...],
) -> chex.Array:
    """Decodes latents.

    Args:
        model: the module.
        likelihood: form of p(x|z).
        variables: of the model.
        alpha: fade-in of each facet, shape (J,).
        z: one array of shape (..., D_j) per facet.

    Returns:
        E[x|z], shape (..., H, W, C).
    """
    output = model.apply(variables, z, alpha, method=model.decode)
    return likelihood_lib.mean(likelihood, output)


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
    return decode(model, likelihood, variables, alpha, z)


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
    return decode(model, likelihood, variables, alpha, tuple(z))


def sample_combinations(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    alpha: chex.Array,
    key: chex.PRNGKey,
    components: np.ndarray,
    *,
    n_samples: int,
    temperature: float,
    batch_size: int,
) -> np.ndarray:
    """Draws images from combinations of one component of each facet.

    z_j comes from p(z_j|c_j) for every j; shown is E[x|z].

    Args:
        model: the module.
        likelihood: form of p(x|z).
        variables: of the model.
        alpha: fade-in of each facet, shape (J,).
        key: PRNG key.
        components: c, integers, shape (G, J), G >= 1.
        n_samples: n, images per combination.
        temperature: factor on standard deviations; 0 gives component means.
        batch_size: combinations per chunk, which bounds the memory.

    Returns:
        Images, shape (G, n, H, W, C).
    """
    size = min(batch_size, len(components))
    chunks = []
    for index, start in enumerate(range(0, len(components), size)):
        chunk = components[start : start + size]
        padded = np.pad(chunk, ((0, size - len(chunk)), (0, 0)))
        drawn = _sample_chunk(
            model,
            likelihood,
            variables,
            alpha,
            jax.random.fold_in(key, index),
            padded,
            n_samples=n_samples,
            temperature=temperature,
        )
        chunks.append(np.asarray(drawn[: len(chunk)]))
    return np.concatenate(chunks)


@functools.partial(
    jax.jit, static_argnames=("model", "likelihood", "n_samples")
)
def _sample_chunk(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    alpha: chex.Array,
    key: chex.PRNGKey,
    components: chex.Array,
    *,
    n_samples: int,
    temperature: float,
) -> chex.Array:
    """One chunk of ``sample_combinations``."""
    mixtures = cast(
        tuple[prior.Mixture, ...],
        model.apply(variables, method=model.mixtures),
    )
    keys = jax.random.split(key, len(mixtures))
    z = []
    for j, (mixture, facet_key) in enumerate(zip(mixtures, keys, strict=True)):
        picked = prior.Mixture(*(part[components[:, j]] for part in mixture))
        p_z = prior.distribution(picked, temperature).components_distribution
        drawn = p_z.sample(seed=facet_key, sample_shape=(n_samples,))
        z.append(drawn.swapaxes(0, 1))
    return decode(model, likelihood, variables, alpha, tuple(z))


@functools.partial(jax.jit, static_argnames=("model", "likelihood", "facet"))
def swap_facet(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    alpha: chex.Array,
    pairs: chex.Array,
    *,
    facet: int,
) -> chex.Array:
    """Exchanges one facet between the two images of every pair (Fig. 5).

    Args:
        model: the module.
        likelihood: form of p(x|z).
        variables: of the model.
        alpha: fade-in of each facet, shape (J,).
        pairs: images in [0, 1], shape (P, 2, H, W, C).
        facet: j; z_j comes from the other image, modes of q(z|x) throughout.

    Returns:
        E[x|z], shape (P, 2, H, W, C): image i of a pair with z_j of the other.
    """
    flat = pairs.reshape(-1, *pairs.shape[2:])
    posteriors = cast(
        tuple[posterior.Posterior, ...],
        model.apply(variables, flat, method=model.encode),
    )
    z = [q.mean.reshape(*pairs.shape[:2], -1) for q in posteriors]
    z[facet] = z[facet][:, ::-1]
    return decode(model, likelihood, variables, alpha, tuple(z))


@functools.partial(jax.jit, static_argnames=("model", "likelihood", "facet"))
def traverse(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    alpha: chex.Array,
    x: chex.Array,
    steps: chex.Array,
    *,
    facet: int,
) -> chex.Array:
    """Moves one dimension of a facet at a time, from the mode of q(z|x) on.

    Args:
        model: the module.
        likelihood: form of p(x|z).
        variables: of the model.
        alpha: fade-in of each facet, shape (J,).
        x: one image in [0, 1], shape (H, W, C).
        steps: where to, in standard deviations of p(z_j) from its mean, shape
            (T,).
        facet: j.

    Returns:
        E[x|z], shape (D_j, T, H, W, C).
    """
    posteriors = cast(
        tuple[posterior.Posterior, ...],
        model.apply(variables, x[None], method=model.encode),
    )
    mixture = cast(
        tuple[prior.Mixture, ...],
        model.apply(variables, method=model.mixtures),
    )[facet]
    mean, std = prior.moments(mixture)
    places = mean + steps[:, None] * std
    n_dims = places.shape[1]
    z = [
        jnp.broadcast_to(q.mean[0], (n_dims, len(steps), q.mean.shape[1]))
        for q in posteriors
    ]
    every = jnp.arange(n_dims)
    z[facet] = z[facet].at[every, :, every].set(places.T)
    return decode(model, likelihood, variables, alpha, tuple(z))
