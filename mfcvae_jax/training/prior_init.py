# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the component means of the priors start.

``gmm`` (published): the training set is encoded by the untrained net with
z = mean, and scikit-learn's diagonal mixture is fitted to each facet; only its
means are used. ``glorot``: Xavier-normal draws.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import threadpoolctl
from absl import logging
from sklearn import exceptions, mixture

from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.settings import MeansInit, Settings

__all__ = [
    "check",
    "check_warm_up",
    "fit_quietly",
    "with_initial_means",
]


def with_initial_means(
    params: dict[str, Any], latents: Sequence[np.ndarray] | None, seed: int
) -> dict[str, Any]:
    """Returns parameters with new ``means`` in every prior that has any.

    Args:
        params: of nets and priors.
        latents: means of q(z_j|x) over the training set, one array (N, D_j) per
            facet, that mixtures are fitted to; None for draws.
        seed: of the run.
    """
    n_facets = sum(name.startswith("priors_") for name in params)
    keys = jax.random.split(run_key(seed, KeyUse.PRIOR), n_facets)
    new = dict(params)
    for j in range(n_facets):
        of_facet = params[f"priors_{j}"]
        if "means" not in of_facet:
            continue
        shape = of_facet["means"].shape
        if latents is None:
            means = jax.nn.initializers.glorot_normal()(keys[j], shape)
        else:
            model = mixture.GaussianMixture(
                shape[0], covariance_type="diag", random_state=seed
            )
            fit_quietly(model, latents[j])
            means = jnp.asarray(model.means_, np.float32)
        new[f"priors_{j}"] = {**of_facet, "means": means}
    return new


def check(settings: Settings, n_examples: int) -> None:
    """Raises ValueError if a fit would have too few examples, N."""
    n_components = max(settings.facets.n_components)
    is_warm = any(settings.progressive.warm_up_epochs)
    is_fitted = settings.prior_init.means is MeansInit.GMM
    if (is_fitted or is_warm) and n_examples < n_components:
        cure = "" if is_warm else " or prior_init.means='glorot'"
        raise ValueError(
            f"{'a warm-up' if is_warm else 'prior_init.means=gmm'} fits "
            f"{n_components} components (facets.n_components) to {n_examples} "
            f"training examples: use fewer components, more data{cure}"
        )


def check_warm_up(facet: int, params: Mapping[str, Any]) -> None:
    """Raises ValueError if a mixture of Gaussians is no value of a prior."""
    if "means" not in params or not {"raw_var", "raw_tril"} & params.keys():
        raise ValueError(
            "progressive.warm_up_epochs has a mixture of means and covariances "
            f"fitted, but the prior of facet {facet} has other parameters: "
            f"{', '.join(sorted(params))}. Leave its stage without a warm-up"
        )


def fit_quietly(model: mixture.GaussianMixture, latents: np.ndarray) -> None:
    """Fits a mixture to latents (N, D); that it does not converge is logged.

    It runs on one thread: the products are so small that more of them wait for
    each other, and take three times as long for MNIST.
    """
    one_thread = threadpoolctl.threadpool_limits(1)
    with one_thread, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", exceptions.ConvergenceWarning)
        model.fit(np.asarray(latents, np.float64))
    for warning in caught:
        logging.info("mixture fit of the prior: %s", warning.message)
