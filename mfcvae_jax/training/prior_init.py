# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the component means of the priors start.

``gmm`` (published): the training set is encoded by the untrained net with
z = mean, and scikit-learn's diagonal mixture is fitted to each facet; only its
means are used. ``glorot``: Xavier-normal draws.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from sklearn import exceptions, mixture

from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.settings import MeansInit, Settings

__all__ = ["check", "fit_means", "glorot_means", "with_initial_means"]


def with_initial_means(
    init: MeansInit,
    params: dict[str, Any],
    encode_means: Callable[[], Sequence[np.ndarray]],
    seed: int,
) -> dict[str, Any]:
    """Returns parameters with the starting values of the component means.

    Args:
        init: where the means come from.
        params: of nets and priors.
        encode_means: returns the means of q(z_j|x) over the training set, one
            array (N, D_j) per facet; called for ``gmm`` only.
        seed: of the run.

    Returns:
        The parameters with new ``means`` in every prior.
    """
    n_facets = sum(name.startswith("priors_") for name in params)
    shapes = [params[f"priors_{j}"]["means"].shape for j in range(n_facets)]
    if init is MeansInit.GMM:
        means = [
            fit_means(latents, n_components, seed)
            for latents, (n_components, _) in zip(
                encode_means(), shapes, strict=True
            )
        ]
    else:
        keys = jax.random.split(run_key(seed, KeyUse.PRIOR), n_facets)
        means = [
            glorot_means(key, shape)
            for key, shape in zip(keys, shapes, strict=True)
        ]
    priors = {
        f"priors_{j}": {**params[f"priors_{j}"], "means": jnp.asarray(mean)}
        for j, mean in enumerate(means)
    }
    return {**params, **priors}


def check(settings: Settings, n_examples: int) -> None:
    """Raises ValueError if a fit would have too few examples.

    Args:
        settings: of the run.
        n_examples: N, in the training split.
    """
    if settings.prior_init.means is MeansInit.GMM:
        _require_examples(max(settings.facets.n_components), n_examples)


def fit_means(latents: np.ndarray, n_components: int, seed: int) -> np.ndarray:
    """Fits scikit-learn's diagonal GaussianMixture and returns its means.

    Args:
        latents: shape (N, D).
        n_components: K.
        seed: of the fit's k-means start.

    Returns:
        Means, shape (K, D), float32.

    Raises:
        ValueError: if there are fewer examples than components.
    """
    _require_examples(n_components, len(latents))
    fit = mixture.GaussianMixture(
        n_components, covariance_type="diag", random_state=seed
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", exceptions.ConvergenceWarning)
        fit.fit(np.asarray(latents, np.float64))
    for warning in caught:
        logging.info("mixture fit of the prior: %s", warning.message)
    return fit.means_.astype(np.float32)


def glorot_means(key: chex.PRNGKey, shape: tuple[int, int]) -> chex.Array:
    """Draws Xavier-normal means, N(0, 2 / (K + D)).

    Args:
        key: PRNG key.
        shape: (K, D).

    Returns:
        Means, shape (K, D).
    """
    return jax.nn.initializers.glorot_normal()(key, shape)


def _require_examples(n_components: int, n_examples: int) -> None:
    if n_examples < n_components:
        raise ValueError(
            f"prior_init.means='gmm' fits {n_components} components "
            f"(facets.n_components) to {n_examples} training examples: use "
            "fewer components, more data or prior_init.means='glorot'"
        )
