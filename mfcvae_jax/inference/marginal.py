# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""log p(x) of held-out images, by importance sampling from q(z|x)."""

import functools
from typing import Any, cast

import chex
import jax
import numpy as np

from mfcvae_jax.datasets import batches
from mfcvae_jax.model import MFCVAE, Forward, elbo_terms, facets_in_force
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.settings import Likelihood
from mfcvae_jax.variational import elbo, importance, posterior, prior

__all__ = ["log_marginal"]


def log_marginal(
    model: MFCVAE,
    likelihood: Likelihood,
    variables: Any,
    images: np.ndarray,
    alpha: chex.Array,
    key: chex.PRNGKey,
    *,
    n_samples: int,
    batch_size: int,
) -> importance.LogMarginal:
    """Estimates log p(x) of every image with n samples of z each.

    That of the model in force: see ``model.facets_in_force``. Memory is that of
    one sample for ``batch_size`` images, whatever the number of samples.

    Args:
        model: the module.
        likelihood: form of p(x|z).
        variables: of the model.
        images: shape (N, H, W, C), uint8 or float in [0, 1].
        alpha: fade-in of each facet, shape (J,).
        key: PRNG key.
        n_samples: S, samples of z per image.
        batch_size: images per chunk.

    Returns:
        Estimates in nats and effective sample sizes, each of shape (N,).
    """
    chunks = [
        jax.tree.map(
            np.asarray,
            _log_marginal_of_chunk(
                model,
                likelihood,
                variables,
                images[start : start + batch_size],
                alpha,
                jax.random.fold_in(key, start),
                n_samples=n_samples,
            ),
        )
        for start in range(0, len(images), batch_size)
    ]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *chunks)


@functools.partial(
    jax.jit, static_argnames=("model", "likelihood", "n_samples")
)
def _log_marginal_of_chunk(
    model, likelihood, variables, images, alpha, key, *, n_samples
):
    x = batches.as_float(images)
    posteriors = cast(
        tuple[posterior.Posterior, ...],
        model.apply(variables, x, method=model.encode),
    )
    mixtures = cast(
        tuple[prior.Mixture, ...],
        model.apply(variables, method=model.mixtures),
    )
    is_in = facets_in_force(model.net, alpha)

    def draw(sample_key):
        noise = draw_noise(sample_key, model.facets.latent_dim, 1, len(x))
        z = tuple(map(posterior.sample, posteriors, noise))
        output = model.apply(variables, z, alpha, method=model.decode)
        terms = elbo_terms(
            likelihood,
            Forward(posteriors, z, output, mixtures),
            x,
            elbo.closed_form,
        )
        # M at a single sample is the logarithm of its importance weight.
        log_w, _ = elbo.bounds(terms, is_in)
        return log_w

    return importance.log_marginal(draw, key, n_samples)
