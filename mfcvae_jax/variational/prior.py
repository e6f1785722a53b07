# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""p(z_j, c_j): the mixture of Gaussians that is the prior of one facet.

MFCVAE (arXiv:2106.05241), Eq. 1: c ~ Cat(pi), z|c ~ N(mu_c, Sigma_c). The
parameters are unconstrained and live in the module ``MixturePrior``;
``Mixture`` is the constrained view of them, and everything else takes that.
"""

from typing import NamedTuple

import chex
import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp

from mfcvae_jax.settings import Covariance

__all__ = [
    "Mixture",
    "MixturePrior",
    "component_log_prob",
    "distribution",
    "expected_component_log_prob",
    "moments",
    "positive",
    "positive_inverse",
    "unconstrained",
]

_SHARPNESS = 10.0
_LINEAR_FROM = 20.0


class Mixture(NamedTuple):
    """One facet's mixture of K Gaussians in D dimensions.

    Attributes:
        log_weights: log p(c), normalised, in nats, shape (K,).
        means: shape (K, D).
        scale: square root of the covariance: standard deviations, shape (K, D),
            or lower Cholesky factors, shape (K, D, D).
    """

    log_weights: chex.Array
    means: chex.Array
    scale: chex.Array


def positive(raw: chex.Array) -> chex.Array:
    """Maps the real line to positive numbers by softplus of sharpness 10.

    log(1 + exp(10 raw)) / 10, and raw itself where 10 raw > 20, which is
    PyTorch's convention and the one published weights were trained with.

    Args:
        raw: any shape.

    Returns:
        Positive numbers, the same shape.
    """
    sharp = _SHARPNESS * raw
    return jnp.where(
        sharp > _LINEAR_FROM, raw, jax.nn.softplus(sharp) / _SHARPNESS
    )


def positive_inverse(value: chex.Array) -> chex.Array:
    """Inverts ``positive``: log(exp(10 value) - 1) / 10.

    Args:
        value: positive numbers, any shape.

    Returns:
        Unconstrained numbers, the same shape.
    """
    value = jnp.asarray(value)
    return value + jnp.log(-jnp.expm1(-_SHARPNESS * value)) / _SHARPNESS


class MixturePrior(nn.Module):
    """Unconstrained parameters of one facet's mixture.

    Parameters: ``logits`` (K,) of p(c); ``means`` (K, D); and ``raw_var``
    (K, D), variances before ``positive``, or ``raw_tril`` (K, D, D), lower
    Cholesky factors whose diagonal goes through ``positive``. All components
    start at mean 0 with weight 1/K; ``training.prior_init`` moves the means.

    Attributes:
        n_components: K.
        latent_dim: D.
        covariance: form of the covariances.
        initial_variance: variance of every component at the start.
    """

    n_components: int
    latent_dim: int
    covariance: Covariance
    initial_variance: float

    @nn.compact
    def __call__(self) -> Mixture:
        """Returns the constrained mixture."""
        k, d = self.n_components, self.latent_dim
        logits = self.param("logits", nn.initializers.zeros, (k,))
        means = self.param("means", nn.initializers.zeros, (k, d))
        if self.covariance is Covariance.DIAGONAL:
            start = positive_inverse(self.initial_variance)
            raw_var = self.param(
                "raw_var", nn.initializers.constant(start), (k, d)
            )
            scale = jnp.sqrt(positive(raw_var))
        else:
            start = positive_inverse(jnp.sqrt(self.initial_variance))
            raw_tril = self.param(
                "raw_tril", lambda _: jnp.tile(start * jnp.eye(d), (k, 1, 1))
            )
            diagonal = positive(jnp.diagonal(raw_tril, axis1=-2, axis2=-1))
            scale = jnp.tril(raw_tril, -1) + diagonal[..., None] * jnp.eye(d)
        return Mixture(jax.nn.log_softmax(logits), means, scale)


def distribution(
    mixture: Mixture, temperature: float = 1.0
) -> distrax.MixtureSameFamily:
    """Returns the marginal p(z) as a distrax mixture, event shape (D,).

    Args:
        mixture: parameters of the facet.
        temperature: factor on the standard deviation of every component.

    Returns:
        The mixture; its ``components_distribution`` has batch shape (K,).
    """
    scale = temperature * mixture.scale
    if mixture.scale.ndim == 2:
        components = distrax.MultivariateNormalDiag(mixture.means, scale)
    else:
        components = distrax.MultivariateNormalTri(mixture.means, scale)
    return distrax.MixtureSameFamily(
        distrax.Categorical(logits=mixture.log_weights), components
    )


def component_log_prob(mixture: Mixture, z: chex.Array) -> chex.Array:
    """Returns log p(z|c) for every component.

    Equals ``distribution(mixture).components_distribution.log_prob``, but a
    full covariance costs K inversions and one matrix product instead of a
    triangular solve for every sample and component.

    Args:
        mixture: parameters of the facet.
        z: shape (..., D).

    Returns:
        Log densities in nats, shape (..., K).
    """
    d = mixture.means.shape[-1]
    centred = z[..., None, :] - mixture.means  # (..., K, D)
    if mixture.scale.ndim == 2:
        std = mixture.scale
        # As a product of matrices, for its gradient: XLA sums (..., K, D) over
        # the batch five to ten times more slowly on CPUs.
        square = jnp.einsum(
            "...kd,kd->...k",
            jnp.square(centred),
            1 / jnp.square(std),
            precision="highest",  # see _product
        )  # (..., K)
    else:
        std = jnp.diagonal(mixture.scale, axis1=-2, axis2=-1)
        white = jnp.einsum(
            "kde,...ke->...kd",
            _inverse(mixture.scale),
            centred,
            precision="highest",  # see _product
        )
        square = jnp.sum(jnp.square(white), axis=-1)  # (..., K)
    log_det = jnp.sum(jnp.log(std), axis=-1)  # (K,)
    return -0.5 * (square + d * jnp.log(2 * jnp.pi)) - log_det


def expected_component_log_prob(
    mixture: Mixture, mean: chex.Array, var: chex.Array
) -> chex.Array:
    """Returns E log p(z|c) under a diagonal Gaussian q(z|x), exactly.

    log p(z|c) at the mean of q, less tr(Sigma_c^-1 S) / 2, where S is the
    covariance of q: the log density is quadratic in z. Not in the paper.

    Args:
        mixture: parameters of the facet.
        mean: of q(z|x), shape (..., D).
        var: variances of q(z|x), shape (..., D).

    Returns:
        Expected log densities in nats, shape (..., K).
    """
    # The diagonal of Sigma_c^-1, shape (K, D).
    if mixture.scale.ndim == 2:
        precision = 1 / jnp.square(mixture.scale)
    else:
        precision = jnp.sum(jnp.square(_inverse(mixture.scale)), axis=-2)
    trace = jnp.einsum("...d,kd->...k", var, precision, precision="highest")
    return component_log_prob(mixture, mean) - 0.5 * trace


def moments(mixture: Mixture) -> tuple[chex.Array, chex.Array]:
    """Returns mean and standard deviation of every dimension of p(z_j).

    Args:
        mixture: parameters of the facet.

    Returns:
        Means and standard deviations, each of shape (D,).
    """
    weights = jnp.exp(mixture.log_weights)
    if mixture.scale.ndim == 2:
        variances = jnp.square(mixture.scale)
    else:
        variances = jnp.sum(jnp.square(mixture.scale), axis=-1)
    mean = weights @ mixture.means
    between = weights @ jnp.square(mixture.means - mean)
    return mean, jnp.sqrt(weights @ variances + between)


def unconstrained(mixture: Mixture) -> dict[str, chex.Array]:
    """Inverts ``MixturePrior``: the parameters that give a mixture.

    Args:
        mixture: of K components.

    Returns:
        Values of ``logits``, ``means`` and ``raw_var`` or ``raw_tril``.
    """
    params = {"logits": mixture.log_weights, "means": mixture.means}
    if mixture.scale.ndim == 2:
        return params | {"raw_var": positive_inverse(mixture.scale**2)}
    diagonal = jnp.diagonal(mixture.scale, axis1=-2, axis2=-1)
    raw = positive_inverse(diagonal)[..., None] * jnp.eye(diagonal.shape[-1])
    return params | {"raw_tril": jnp.tril(mixture.scale, -1) + raw}


@jax.custom_jvp
def _inverse(tril: chex.Array) -> chex.Array:
    """Inverts lower Cholesky factors, shape (..., D, D), by halves.

    [[A, 0], [B, C]] has the inverse [[A^-1, 0], [-C^-1 B A^-1, C^-1]]: matrix
    products only. A batched triangular solve is slower on accelerators, and on
    a CPU with few cores two of them at once can wait for each other for ever
    (seen with jaxlib 0.10.2).
    """
    d = tril.shape[-1]
    if d == 1:
        return 1 / tril
    half = d // 2
    upper = _inverse(tril[..., :half, :half])
    lower = _inverse(tril[..., half:, half:])
    corner = -_product(_product(lower, tril[..., half:, :half]), upper)
    return jnp.concatenate(
        [
            jnp.pad(upper, [(0, 0)] * (tril.ndim - 1) + [(0, d - half)]),
            jnp.concatenate([corner, lower], axis=-1),
        ],
        axis=-2,
    )


@_inverse.defjvp
def _inverse_jvp(primals, tangents):
    """d(X^-1) = -X^-1 dX X^-1, which spares the way back through the halves."""
    (tril,), (change,) = primals, tangents
    inverse = _inverse(tril)
    return inverse, -_product(_product(inverse, jnp.tril(change)), inverse)


def _product(left: chex.Array, right: chex.Array) -> chex.Array:
    """In full: TF32, the default on GPUs, would be off by nats."""
    return jnp.matmul(left, right, precision="highest")
