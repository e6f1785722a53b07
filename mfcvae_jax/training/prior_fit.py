# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The fit of a prior that ends the warm-up of a facet; not in the paper.

A facet that has warmed up encodes without a price, so its encodings show what
it sees. scikit-learn's GaussianMixture, of the form of covariance that the
facet has, is fitted to them: weights, means and covariances. EM starts from a
finer mixture of some of them, whose components are merged.

Nothing has trained the variances of q(z|x) so far. Where they are wide beside
the clusters, the noise to come would blur these, so they are brought down to a
tenth of the variance within clusters, by the bias of the encoder's head. Then
their mean over the examples is added to every covariance.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from sklearn import mixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.training import mixture_start, prior_init, runs
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.variational import prior
from mfcvae_jax.variational.posterior import Posterior

__all__ = ["Fit", "fit", "fit_priors"]

_N_EXAMPLES = 20_000
# The start is sought in so many of them, or in 50 for each cluster. A finer
# mixture has four components for each cluster, but no more than one for 15
# encodings (docs/recipe.md).
_N_AT_FIRST = 5_000
_FINER = 4
_N_FOR_ONE = 15
# Of k-means, where no finer mixture is fitted: the likeliest is taken.
_N_STARTS = 5
# Added to each variance of the mixture, as a part of the mean variance.
_RIDGE = 1e-4
# The most that q(z|x) has of the variance within clusters, dimension by
# dimension: more merges clusters that lie close (docs/recipe.md).
_MOST_OF_CLUSTER = 0.1


class Fit(NamedTuple):
    """A fitted mixture.

    Attributes:
        params: values of ``logits``, ``means`` and ``raw_var`` or ``raw_tril``,
            see ``prior.MixturePrior``.
        log_var_shift: to be added to the log variances of q(z|x), shape (D,).
        log_likelihood: of the means of q(z|x) under the mixture, before their
            variance is added, in nats per example.
        n_iterations: of EM on all encodings.
    """

    params: dict[str, np.ndarray]
    log_var_shift: np.ndarray
    log_likelihood: float
    n_iterations: int


def fit(
    q: Posterior, n_components: int, covariance: Covariance, seed: int
) -> Fit:
    """Fits a mixture to the encodings of a facet.

    Args:
        q: q(z_j|x) of N >= K examples, arrays of shape (N, D).
        n_components: K.
        covariance: form of the covariances.
        seed: of the start.
    """
    means = np.asarray(q.mean, np.float64)
    form = "diag" if covariance is Covariance.DIAGONAL else covariance.value
    make = functools.partial(
        mixture.GaussianMixture,
        covariance_type=form,
        reg_covar=_RIDGE * max(means.var(axis=0).mean(), 1e-12),
    )
    n = min(len(means), max(_N_AT_FIRST, 50 * n_components))
    some = means[_drawn(len(means), n, seed)]
    # What is merged has a full covariance. On a line k-means hardly errs, and
    # merged components of a few classes straddle them.
    if form == "full" and means.shape[1] > 1:
        n_fine = min(_FINER * n_components, n // _N_FOR_ONE)
        fine = make(max(n_components, n_fine), random_state=seed)
        prior_init.fit_quietly(fine, some)
        weights, centres, covariances = mixture_start.merged(
            (fine.weights_, fine.means_, fine.covariances_), n_components
        )
        weights /= weights.sum()
        precisions = np.linalg.inv(covariances)
    else:
        model = make(n_components, n_init=_N_STARTS, random_state=seed)
        prior_init.fit_quietly(model, some)
        weights, centres = model.weights_, model.means_
        precisions = model.precisions_
    model = make(
        n_components,
        weights_init=weights,
        means_init=centres,
        precisions_init=precisions,
    )
    prior_init.fit_quietly(model, means)
    own = np.exp(np.asarray(q.log_var, np.float64)).mean(axis=0)
    within = _MOST_OF_CLUSTER * _variance_within(model, form)
    shift = np.minimum(np.log(within / own), 0.0)
    own = own * np.exp(shift)
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
    score = float(model.score(means))
    return Fit(params, shift, score, int(model.n_iter_))


def fit_priors(
    run: runs.Run, state: TrainState, facets: tuple[int, ...]
) -> tuple[TrainState, dict[str, float]]:
    """Fits the priors of facets at the end of their warm-up.

    The optimiser starts afresh: a new term comes into the loss, and the moments
    that Adam has gathered are those of the old one.

    Returns:
        The state with new priors; and what is recorded of the fits, by name.
    """
    settings, images = run.settings, run.dataset.train.images
    if len(images) > _N_EXAMPLES:
        images = images[_drawn(len(images), _N_EXAMPLES, settings.seed)]
    posteriors = runs.in_force(run, state).posteriors(images)
    params, found = dict(state.params), {}
    encoder = dict(params["encoder"])
    for j in facets:
        fitted = fit(
            posteriors[j],
            settings.facets.n_components[j],
            settings.facets.covariance[j],
            settings.seed,
        )
        old = dict(params[f"priors_{j}"])
        if not settings.facets.learn_weights[j]:
            fitted.params["logits"] = old["logits"]
        params[f"priors_{j}"] = old | {
            name: jnp.asarray(value, old[name].dtype)
            for name, value in fitted.params.items()
        }
        # A net from outside may have heads of another kind.
        heads = encoder.get(f"heads_{j}", {})
        if "log_var" in heads:
            shift = jnp.asarray(fitted.log_var_shift, old["means"].dtype)
            bias = heads["log_var"]["bias"] + shift
            log_var = {**heads["log_var"], "bias": bias}
            encoder[f"heads_{j}"] = {**heads, "log_var": log_var}
        found[f"log_likelihood/{j}"] = fitted.log_likelihood
        found[f"iterations/{j}"] = fitted.n_iterations
        logging.info(
            "step %d: the prior of facet %d is fitted: log-likelihood %.2f "
            "nats per example, %d iterations",
            *(int(state.step), j, fitted.log_likelihood, fitted.n_iterations),
        )
    params["encoder"] = encoder
    opt_state = jax.jit(run.stepper.optimiser.init)(params)
    return state._replace(params=params, opt_state=opt_state), found


def _drawn(n_rows: int, n: int, seed: int) -> np.ndarray:
    """Draws n of so many rows, in ascending order."""
    rng = np.random.RandomState(seed)
    return np.sort(rng.choice(n_rows, n, replace=False))


def _variance_within(model: mixture.GaussianMixture, form: str) -> np.ndarray:
    """Mean variance within clusters, dimension by dimension, shape (D,)."""
    found = model.covariances_
    if form in ("full", "tied"):
        found = np.diagonal(found, axis1=-2, axis2=-1)
    if form != "tied":
        found = model.weights_ @ found
    return np.broadcast_to(found, model.means_.shape[1:])


def _raw(value: np.ndarray) -> np.ndarray:
    return np.asarray(jax.device_get(prior.positive_inverse(value)))
