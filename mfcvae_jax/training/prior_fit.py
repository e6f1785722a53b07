# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The fit of a prior that ends the warm-up of a facet; not in the paper.

A facet that has warmed up encodes without a price, so its encodings show what
it sees. scikit-learn's GaussianMixture, of the form of covariance that the
facet has, is fitted to them: weights, means and covariances. q(z|x) is about
its mean with a variance of its own, so the mean of that over the examples is
added to every covariance.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn import mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.training import prior_init, runs
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.variational import prior
from mfcvae_jax.variational.posterior import Posterior

__all__ = ["Fit", "fit", "fit_priors"]

_N_EXAMPLES = 20_000
# Added to each variance of the mixture, as a part of the mean variance.
_RIDGE = 1e-4


class Fit(NamedTuple):
    """A fitted mixture.

    Attributes:
        params: values of ``logits``, ``means`` and ``raw_var`` or ``raw_tril``,
            see ``prior.MixturePrior``.
        log_likelihood: of the means of q(z|x) under the mixture, before their
            variance is added, in nats per example.
        n_iterations: of EM, in the start that was taken.
    """

    params: dict[str, np.ndarray]
    log_likelihood: float
    n_iterations: int


def fit(
    q: Posterior,
    n_components: int,
    covariance: Covariance,
    n_init: int,
    seed: int,
) -> Fit:
    """Fits a mixture to the encodings of a facet.

    Args:
        q: q(z_j|x) of N >= K examples, arrays of shape (N, D).
        n_components: K.
        covariance: form of the covariances.
        n_init: k-means starts, of which the likeliest mixture is taken.
        seed: of the starts.

    Returns:
        The mixture.
    """
    means = np.asarray(q.mean, np.float64)
    own = np.exp(np.asarray(q.log_var, np.float64)).mean(axis=0)
    form = "diag" if covariance is Covariance.DIAGONAL else covariance.value
    model = mixture.GaussianMixture(
        n_components,
        covariance_type=form,
        n_init=n_init,
        random_state=seed,
        reg_covar=_RIDGE * max(means.var(axis=0).mean(), 1e-12),
    )
    prior_init.fit_quietly(model, means)
    params = {"logits": np.log(model.weights_), "means": model.means_}
    if form in ("full", "tied"):
        tril = np.linalg.cholesky(model.covariances_ + np.diag(own))
        tril = tril.reshape(-1, *tril.shape[-2:])  # tied: one for all
        std = np.diagonal(tril, axis1=-2, axis2=-1)
        raw = _raw(std)[..., None] * np.eye(len(own))
        params["raw_tril"] = np.tril(tril, -1) + raw
    elif form == "spherical":
        params["raw_var"] = _raw(model.covariances_ + own.mean())[:, None]
    else:
        params["raw_var"] = _raw(model.covariances_ + own)
    return Fit(params, float(model.score(means)), int(model.n_iter_))


def fit_priors(
    run: runs.Run, state: TrainState, facets: tuple[int, ...]
) -> tuple[TrainState, dict[str, float]]:
    """Fits the priors of facets at the end of their warm-up.

    The optimiser starts afresh: a new term comes into the loss, and the moments
    that Adam has gathered are those of the old one.

    Args:
        run: of one seed, which all follows from, with the state.
        state: at the end of the warm-up.
        facets: which have warmed up.

    Returns:
        The state with new priors; and what is recorded of the fits, by name.
    """
    settings, images = run.settings, run.dataset.train.images
    if len(images) > _N_EXAMPLES:
        rng = np.random.RandomState(settings.seed)
        rows = rng.choice(len(images), _N_EXAMPLES, replace=False)
        images = images[np.sort(rows)]
    posteriors = runs.in_force(run, state).posteriors(images)
    params, found = dict(state.params), {}
    for j in facets:
        fitted = fit(
            posteriors[j],
            settings.facets.n_components[j],
            settings.facets.covariance[j],
            settings.prior_init.n_init,
            settings.seed,
        )
        old = dict(params[f"priors_{j}"])
        if not settings.facets.learn_weights[j]:
            fitted.params["logits"] = old["logits"]
        params[f"priors_{j}"] = old | {
            name: jnp.asarray(value, old[name].dtype)
            for name, value in fitted.params.items()
        }
        found[f"log_likelihood/{j}"] = fitted.log_likelihood
        found[f"iterations/{j}"] = fitted.n_iterations
    opt_state = run.stepper.optimiser.init(params)
    return state._replace(params=params, opt_state=opt_state), found


def _raw(value: np.ndarray) -> np.ndarray:
    return np.asarray(jax.device_get(prior.positive_inverse(value)))
