# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""p(z|c) of all components of a facet at once, as one distrax distribution.

The density of an elliptical family depends on z through the squared distance
``|T^-1 (z - mu)|^2`` alone, where T is a square root of the scale matrix. For K
components, that distance is a matrix product, and so is its gradient: several
times faster than what ``distrax.MultivariateNormalTri`` and XLA make of it.
"""

import chex
import distrax
import jax
import jax.numpy as jnp

from mfcvae_jax.settings import Covariance

__all__ = ["Elliptical", "Gaussians"]


class Elliptical(distrax.Distribution):
    """Base of families whose contours are ellipsoids around a location.

    The batch shape is (K,) and the event shape (D,). A family adds
    ``log_prob``, ``_sample_n`` and ``variance``.

    Args:
        loc: centres mu, shape (K, D).
        scale: square roots of the scale matrices: of diagonal ones, shape
            (K, D); or lower Cholesky factors, shape (K, D, D).
        covariance: form of the scale matrices; by the shape if left out.
    """

    def __init__(
        self,
        loc: chex.Array,
        scale: chex.Array,
        covariance: Covariance | None = None,
    ):
        super().__init__()
        self.loc, self.scale = loc, scale
        self.covariance = covariance or (
            Covariance.FULL if self.is_full else Covariance.DIAGONAL
        )

    @property
    def is_full(self) -> bool:
        """Whether ``scale`` holds Cholesky factors."""
        return self.scale.ndim > self.loc.ndim

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of a sample, (D,)."""
        return self.loc.shape[-1:]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the components, (K,)."""
        return self.loc.shape[:-1]

    def __getitem__(self, index) -> "Elliptical":
        """Returns some of the components, by an array or a slice."""
        return jax.tree.map(lambda array: array[index], self)

    def mean(self) -> chex.Array:
        """Returns the means, shape (K, D)."""
        return self.loc

    def square_scale(self) -> chex.Array:
        """Returns the diagonals of the scale matrices, shape (K, D)."""
        square = jnp.square(self.scale)
        return jnp.sum(square, axis=-1) if self.is_full else square

    def log_det(self) -> chex.Array:
        """Returns ``log|T|`` of every component, shape (K,)."""
        diagonal = self.scale
        if self.is_full:
            diagonal = jnp.diagonal(self.scale, axis1=-2, axis2=-1)
        return jnp.sum(jnp.log(diagonal), axis=-1)

    def distances(self, value: chex.Array) -> chex.Array:
        """Returns ``|T^-1 (z - mu)|^2`` for every component, shape (..., K).

        Args:
            value: z, shape (..., 1, D), or (..., K, D) for a z of each
                component.
        """
        centred = value - self.loc  # (..., K, D)
        if self.is_full:
            return jnp.sum(jnp.square(_whiten(self.scale, centred)), axis=-1)
        # As a product of matrices, for its gradient: XLA sums (..., K, D) over
        # the batch five to ten times more slowly on CPUs.
        return jnp.einsum(
            "...kd,kd->...k",
            jnp.square(centred),
            1 / jnp.square(self.scale),
            precision="highest",  # see _product
        )

    def place(self, standard: chex.Array) -> chex.Array:
        """Returns z = mu + T e, from standard draws e, both (..., K, D)."""
        if self.is_full:
            return self.loc + _apply(self.scale, standard)
        return self.loc + self.scale * standard


class Gaussians(Elliptical):
    """K Gaussians: p(z|c) = N(mu_c, T_c T_c'). See ``Elliptical``."""

    def log_prob(self, value: chex.Array) -> chex.Array:
        """Returns log p(z|c) of every component, in nats, shape (..., K).

        Args:
            value: z, see ``distances``.
        """
        log_2_pi = self.event_shape[0] * jnp.log(2 * jnp.pi)
        return -0.5 * (self.distances(value) + log_2_pi) - self.log_det()

    def expected_log_prob(
        self, mean: chex.Array, var: chex.Array
    ) -> chex.Array:
        """Returns E log p(z|c) under a diagonal Gaussian q(z|x), exactly.

        log p(z|c) at the mean of q, less tr(Sigma_c^-1 S) / 2, where S is the
        covariance of q: the log density is quadratic in z. In nats, shape
        (..., K). Not in the paper.

        Args:
            mean: of q(z|x), shape (..., D).
            var: variances of q(z|x), shape (..., D).
        """
        # The diagonals of Sigma_c^-1, shape (K, D).
        if self.is_full:
            precision = jnp.sum(jnp.square(_inverse(self.scale)), axis=-2)
        else:
            precision = 1 / jnp.square(self.scale)
        trace = jnp.einsum("...d,kd->...k", var, precision, precision="highest")
        return self.log_prob(mean[..., None, :]) - 0.5 * trace

    def variance(self) -> chex.Array:
        """Returns the variances of every dimension, shape (K, D)."""
        return self.square_scale()

    def _sample_n(self, key: chex.PRNGKey, n: int) -> chex.Array:
        shape = (n, *self.loc.shape)
        return self.place(jax.random.normal(key, shape, self.loc.dtype))


@jax.custom_jvp
def _whiten(tril: chex.Array, centred: chex.Array) -> chex.Array:
    """Returns T^-1 c of lower Cholesky factors, (K, D, D) and (..., K, D)."""
    return _solve(tril, _inverse(tril), centred)


@_whiten.defjvp
def _whiten_jvp(primals, tangents):
    """d(T^-1 c) = T^-1 (dc - dT T^-1 c)."""
    (tril, centred), (d_tril, d_centred) = primals, tangents
    inverse = _inverse(tril)
    white = _solve(tril, inverse, centred)
    change = d_centred - _apply(jnp.tril(d_tril), white)
    return white, _solve(tril, inverse, change)


def _solve(
    tril: chex.Array, inverse: chex.Array, vectors: chex.Array
) -> chex.Array:
    """Multiplies by the inverse and refines that once.

    With the refinement, errors are those of a triangular solve; so are those
    of the transpose of this function, which gradients take. Without it,
    gradients of nearly singular factors would be several times worse.
    """
    first = _apply(inverse, vectors)
    return first + _apply(inverse, vectors - _apply(tril, first))


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
    above = jnp.zeros_like(corner.mT)
    return jnp.block([[upper, above], [corner, lower]])


@_inverse.defjvp
def _inverse_jvp(primals, tangents):
    """d(X^-1) = -X^-1 dX X^-1, which spares the way back through the halves."""
    (tril,), (change,) = primals, tangents
    inverse = _inverse(tril)
    return inverse, -_product(_product(inverse, jnp.tril(change)), inverse)


def _apply(matrices: chex.Array, vectors: chex.Array) -> chex.Array:
    return jnp.einsum(
        "kde,...ke->...kd", matrices, vectors, precision="highest"
    )


def _product(left: chex.Array, right: chex.Array) -> chex.Array:
    """In full: TF32, the default on GPUs, would be off by nats."""
    return jnp.matmul(left, right, precision="highest")
