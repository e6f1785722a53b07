# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How many clusters a trained facet needs, without labels.

Not in the paper, which leaves K open (Sec. 6). A facet is trained with more
components than it should need, and then they are taken away one by one. Of the
mixture bound M, only E log p(z_j) depends on the prior of facet j, so with the
nets left as they are, samples of q(z_j|x) tell what each removal costs:

* the component goes whose absence costs the least bound;
* the others are fitted anew to the samples, by EM;
* of all numbers of components, the one with the best bound is kept, less the
  price of its parameters and less the entropy of the assignments: per example,
  the integrated completed likelihood (ICL) of Biernacki, Celeux and Govaert,
  IEEE PAMI 22(7), 2000.

Without the entropy this would be BIC. BIC asks how many Gaussians a density
needs; ICL asks how many clusters can be told apart.
"""

import warnings
from typing import NamedTuple

import distrax
import numpy as np
import threadpoolctl
from scipy import special
from sklearn import exceptions
from sklearn.mixture import GaussianMixture

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational.elliptical import Gaussians

__all__ = ["N_EXAMPLES", "Evidence", "check", "prune"]

# So many examples tell enough; a caller samples q(z|x) of no more.
N_EXAMPLES = 20_000

_N_EM = 20
# Added to variances, relative to that of all samples: no component may shrink
# to a point.
_LEAST_VARIANCE = 1e-4


class Evidence(NamedTuple):
    """What every number of components is worth; one entry for each.

    Attributes:
        n_components: from all down to 1, shape (K,).
        log_p_z: mean of log p(z), nats per example, shape (K,): the part of M
            that the number of components changes.
        entropy: mean entropy of p(c|z), nats per example, shape (K,).
        criterion: log_p_z less entropy and less log(N) / 2N for every free
            parameter, nats per example, shape (K,).
    """

    n_components: np.ndarray
    log_p_z: np.ndarray
    entropy: np.ndarray
    criterion: np.ndarray

    @property
    def n_kept(self) -> int:
        """The number with the best criterion."""
        return int(self.n_components[np.argmax(self.criterion)])


def check(mixture: distrax.MixtureSameFamily) -> None:
    """Raises ValueError unless the components can be fitted anew."""
    family = mixture.components_distribution
    if not isinstance(family, Gaussians):
        raise ValueError(
            f"the number of clusters is found for Gaussian components only, "
            f"and these are {family.name}"
        )


# More threads only wait for each other at products so small.
@threadpoolctl.threadpool_limits.wrap(limits=1)
def prune(
    mixture: distrax.MixtureSameFamily, z: np.ndarray
) -> tuple[distrax.MixtureSameFamily, Evidence]:
    """Takes components away, and keeps the number with the best criterion.

    Args:
        mixture: prior of a trained facet, K Gaussians.
        z: a sample of q(z|x) for each training example, shape (N, D), N > K.

    Returns:
        The mixture that is left, and the evidence.

    Raises:
        ValueError: if the components are no Gaussians.
    """
    check(mixture)
    z = np.asarray(z, np.float64)
    current = _as_scikit_learn(mixture, z)
    models, found = [], []
    for k in range(len(current.means_), 0, -1):
        resp = current.predict_proba(z)
        entropy = special.entr(resp).sum(axis=1).mean()
        criterion = -current.bic(z) / (2 * len(z)) - entropy
        models.append(current)
        found.append((k, current.score(z), entropy, criterion))
        if k > 1:
            # Mean of log p(z) without each component, the others as they are.
            rest = np.log(np.maximum(1.0 - resp, 1e-12)).mean(axis=0)
            cost = np.log(np.maximum(1.0 - current.weights_, 1e-12)) - rest
            current = _without(current, int(np.argmin(cost)), z)
    evidence = Evidence(*map(np.array, zip(*found, strict=True)))
    best = int(np.argmax(evidence.criterion))
    covariance = mixture.components_distribution.covariance
    return _as_mixture(models[best], covariance), evidence


def _without(
    model: GaussianMixture, component: int, z: np.ndarray
) -> GaussianMixture:
    """Drops a component, and fits the others to the samples."""
    kept = np.arange(len(model.weights_)) != component
    smaller = GaussianMixture(
        int(kept.sum()),
        covariance_type=model.covariance_type,
        reg_covar=model.reg_covar,
        max_iter=_N_EM,
        weights_init=model.weights_[kept] / model.weights_[kept].sum(),
        means_init=model.means_[kept],
        precisions_init=model.precisions_
        if model.covariance_type == "tied"
        else model.precisions_[kept],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return smaller.fit(z)


def _as_scikit_learn(
    mixture: distrax.MixtureSameFamily, z: np.ndarray
) -> GaussianMixture:
    """The same mixture as scikit-learn has it; nothing is fitted."""
    family = mixture.components_distribution
    form = family.covariance
    scale = np.asarray(family.scale, np.float64)
    model = GaussianMixture(
        len(scale),
        covariance_type="diag" if form is Covariance.DIAGONAL else form.value,
        reg_covar=_LEAST_VARIANCE * z.var(axis=0).mean(),
    )
    weights = np.asarray(mixture.mixture_distribution.probs, np.float64)
    model.weights_ = weights / weights.sum()
    model.means_ = np.asarray(family.loc, np.float64)
    if form is Covariance.TIED:
        scale = scale[0]
    if form is Covariance.SPHERICAL:
        scale = scale[:, 0]
    if family.is_full:
        factor = np.linalg.inv(scale).swapaxes(-2, -1)
        model.covariances_ = scale @ scale.swapaxes(-2, -1)
        model.precisions_ = factor @ factor.swapaxes(-2, -1)
    else:
        factor = 1.0 / scale
        model.covariances_ = scale**2
        model.precisions_ = factor**2
    model.precisions_cholesky_ = factor
    return model


def _as_mixture(
    model: GaussianMixture, covariance: Covariance
) -> distrax.MixtureSameFamily:
    means, found = np.asarray(model.means_), np.asarray(model.covariances_)
    k, d = means.shape
    if covariance in (Covariance.FULL, Covariance.TIED):
        scale = np.broadcast_to(np.linalg.cholesky(found), (k, d, d))
    else:
        scale = np.broadcast_to(np.sqrt(found).reshape(k, -1), (k, d))
    return distrax.MixtureSameFamily(
        distrax.Categorical(logits=np.log(model.weights_)),
        Gaussians(means, scale, covariance),
    )
