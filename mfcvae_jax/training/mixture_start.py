# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Mixtures of K components out of finer ones, for EM to start from.

EM that starts from k-means often splits a broad cluster and leaves two close
ones together, and the likelihood hardly tells (docs/recipe.md). A finer mixture
has components within clusters; merged two by two, the cheapest first, they keep
apart what lies apart.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["Mixture", "merged"]

# Weights (K,), means (K, D) and full covariances (K, D, D).
Mixture = tuple[np.ndarray, np.ndarray, np.ndarray]


def merged(fine: Mixture, n_components: int) -> Mixture:
    """Merges components until so many are left; moments are kept.

    The pair that is merged is the one of least (w_i + w_j) log|S_ij|
    - w_i log|S_i| - w_j log|S_j|, S_ij being the covariance of the two
    together: twice a bound on the KL divergence from the mixture before to the
    one after (Runnalls 2007, "Kullback-Leibler approach to Gaussian mixture
    reduction", eq. 21).

    Args:
        fine: mixture of K or more components.
        n_components: K.
    """
    found = [np.copy(part) for part in fine]
    costs = np.stack([_costs(found, i) for i in range(len(found[0]))])
    while len(costs) > n_components:
        i, j = sorted(divmod(int(costs.argmin()), len(costs)))
        together = _together(*(a[[i]] for a in found), *(a[j] for a in found))
        for part, value in zip(found, together, strict=True):
            part[i] = value[0]
        found = [np.delete(part, j, axis=0) for part in found]
        costs = np.delete(np.delete(costs, j, axis=0), j, axis=1)
        costs[i] = costs[:, i] = _costs(found, i)
    weights, means, covariances = found
    return weights, means, covariances


def _together(weights, means, covariances, weight, mean, covariance) -> Mixture:
    """Moments of each of N components together with one other."""
    total = weights + weight
    share = weights / total
    apart = means - mean
    spread = (share * (1 - share))[:, None, None] * (
        apart[:, :, None] * apart[:, None, :]
    )
    share = share[:, None]
    both_means = share * means + (1 - share) * mean
    share = share[..., None]
    both = share * covariances + (1 - share) * covariance
    return total, both_means, both + spread


def _costs(mixture: Sequence[np.ndarray], i: int) -> np.ndarray:
    """The costs of merging each component with the i-th, shape (N,)."""
    weights, _, covariances = mixture
    together, _, both = _together(*mixture, *(a[i] for a in mixture))
    apart = weights * np.linalg.slogdet(covariances).logabsdet
    costs = together * np.linalg.slogdet(both).logabsdet - apart - apart[i]
    costs[i] = np.inf
    return costs
