# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The maths of one facet once more, by SciPy and textbook formulas.

Nothing here shares code with the library: densities are SciPy's, covariances
are inverted as such, and bounds are sums as they stand in the paper.
"""

import dataclasses
from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import special, stats

from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import posterior
from mfcvae_jax.variational.elliptical import Gaussians


class DoubleTestCase(parameterized.TestCase):
    """A test in double precision."""

    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    def assert_close(self, ours, theirs):
        """To nine digits, or twelve places after the point."""
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def mixture(
    log_weights, means, scale, covariance=None
) -> distrax.MixtureSameFamily:
    """The library's mixture of Gaussians of log weights, means and scale."""
    return distrax.MixtureSameFamily(
        distrax.Categorical(logits=jnp.asarray(log_weights, float)),
        Gaussians(jnp.asarray(means), jnp.asarray(scale), covariance),
    )


class Parts(NamedTuple):
    """What the library's mixture of Gaussians is made of."""

    log_weights: np.ndarray  # (K,)
    means: np.ndarray  # (K, D)
    scale: np.ndarray  # (K, D) or (K, D, D)


def parts(of: distrax.MixtureSameFamily) -> Parts:
    """The reverse of ``mixture``."""
    family = of.components_distribution
    return Parts(
        *map(
            np.asarray,
            (of.mixture_distribution.logits, family.loc, family.scale),
        )
    )


def log_joint(of: distrax.MixtureSameFamily, z: np.ndarray) -> np.ndarray:
    """log p(z, c) by SciPy, shape (N, K), of z of shape (N, D)."""
    log_weights, means, scale = parts(of)
    return log_weights + _log_p_z_c(means, _covariances(scale), z)


def _covariances(scale: np.ndarray) -> np.ndarray:
    """Of standard deviations (K, D) or factors (K, D, D), shape (K, D, D)."""
    roots = scale[..., None] * np.eye(scale.shape[-1])
    roots = np.float64(roots if scale.ndim == 2 else scale)
    return roots @ roots.swapaxes(-1, -2)


def _log_p_z_c(
    means: np.ndarray, covariances: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """log p(z|c), shape (..., K), of z of shape (..., D)."""
    laws = map(stats.multivariate_normal, means, covariances)
    columns = [law.logpdf(z).reshape(z.shape[:-1]) for law in laws]
    return np.stack(columns, axis=-1)


@dataclasses.dataclass(frozen=True)
class Facet:
    """A mixture of K Gaussians in D dimensions and q(z|x) of B examples."""

    weights: np.ndarray  # (K,)
    means: np.ndarray  # (K, D)
    scale: np.ndarray  # (K, D) standard deviations or (K, D, D) factors
    q_mean: np.ndarray  # (B, D)
    q_std: np.ndarray  # (B, D)

    @property
    def covariances(self) -> np.ndarray:
        """Shape (K, D, D)."""
        return _covariances(self.scale)

    def ours(self) -> tuple[distrax.MixtureSameFamily, posterior.Posterior]:
        """The same in the types of the library."""
        return (
            mixture(np.log(self.weights), self.means, self.scale),
            posterior.Posterior(self.q_mean, 2 * np.log(self.q_std)),
        )

    def draw(self, rng: np.random.Generator, n_samples: int) -> np.ndarray:
        """Samples of q(z|x), shape (L, B, D)."""
        noise = rng.normal(size=(n_samples, *self.q_mean.shape))
        return self.q_mean + self.q_std * noise

    def log_p_z_c(self, z: np.ndarray) -> np.ndarray:
        """log p(z|c), shape (..., K)."""
        return _log_p_z_c(self.means, self.covariances, z)

    def log_q_z(self, z: np.ndarray) -> np.ndarray:
        """log q(z|x), shape (L, B)."""
        return stats.norm.logpdf(z, self.q_mean, self.q_std).sum(-1)

    def expected_log_p_z_c(self) -> np.ndarray:
        """log p(z|c) at the mean of q(z|x), less tr(Sigma^-1 S) / 2, (B, K)."""
        precisions = np.linalg.inv(self.covariances)
        traces = np.einsum("bd,kdd->bk", self.q_std**2, precisions)
        return self.log_p_z_c(self.q_mean) - 0.5 * traces

    def kl_z_c(self) -> np.ndarray:
        """KL[q(z|x) || p(z|c)], shape (B, K)."""
        entropy = stats.norm.entropy(scale=self.q_std).sum(-1)
        return -entropy[:, None] - self.expected_log_p_z_c()

    def eq_14(self, resp: np.ndarray) -> np.ndarray:
        """One facet's part of Eq. 14 at any q(c|x), (B, K) -> (B,)."""
        return np.array(
            [
                -(r @ kl + stats.entropy(r, self.weights))
                for r, kl in zip(resp, self.kl_z_c(), strict=True)
            ]
        )

    def best_log_resp(self) -> np.ndarray:
        """Where ``eq_14`` has its maximum, as logarithms, shape (B, K)."""
        return special.log_softmax(
            np.log(self.weights) - self.kl_z_c(), axis=-1
        )

    def best_resp(self) -> np.ndarray:
        """The same as probabilities, shape (B, K)."""
        return np.exp(self.best_log_resp())


def random_facet(
    seed: int, k: int, d: int, covariance: Covariance, n: int = 2
) -> Facet:
    """A facet whose components overlap, and q(z|x) of n examples."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.3, 1.5, (k, d))
    if covariance is Covariance.SPHERICAL:
        scale = np.repeat(scale[:, :1], d, axis=1)
    elif covariance is not Covariance.DIAGONAL:
        std = scale
        scale = 0.5 * np.tril(rng.normal(size=(k, d, d)), -1)
        scale[:, range(d), range(d)] = std
    if covariance is Covariance.TIED:
        scale = np.repeat(scale[:1], k, axis=0)
    return Facet(
        weights=rng.dirichlet(np.ones(k)),
        means=rng.normal(size=(k, d)),
        scale=scale,
        q_mean=rng.normal(size=(n, d)),
        q_std=rng.uniform(0.2, 2, (n, d)),
    )
