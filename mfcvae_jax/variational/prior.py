# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""p(z_j, c_j): the mixture that is the prior of one facet.

MFCVAE (arXiv:2106.05241), Eq. 1: c ~ Cat(pi), z|c ~ p(z|c), in the paper a
Gaussian. The unconstrained parameters live in the module ``MixturePrior``,
which gives a ``distrax.MixtureSameFamily``; everything else takes that. Its
``components_distribution`` has the batch shape (K,) and the event shape (D,).
Another family of components implements ``components`` (docs/extending.md).
"""

import functools
from collections.abc import Sequence
from typing import Any

import chex
import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp

from mfcvae_jax.settings import Covariance, GaussianPrior
from mfcvae_jax.variational.elliptical import Elliptical, Gaussians

__all__ = [
    "MixturePrior",
    "components",
    "draw",
    "positive",
    "positive_inverse",
    "tempered",
    "unconstrained",
]

_SHARPNESS = 10.0
_LINEAR_FROM = 20.0


def positive(raw: chex.Array) -> chex.Array:
    """Maps the real line to positive numbers by softplus of sharpness 10.

    log(1 + exp(10 raw)) / 10, and raw itself where 10 raw > 20, which is
    PyTorch's convention and the one published weights were trained with.
    """
    sharp = _SHARPNESS * raw
    return jnp.where(
        sharp > _LINEAR_FROM, raw, jax.nn.softplus(sharp) / _SHARPNESS
    )


def positive_inverse(value: chex.Array) -> chex.Array:
    """Inverts ``positive``: log(exp(10 value) - 1) / 10."""
    value = jnp.asarray(value)
    return value + jnp.log(-jnp.expm1(-_SHARPNESS * value)) / _SHARPNESS


class MixturePrior(nn.Module):
    """Unconstrained parameters of one facet's mixture.

    ``logits`` (K,) of p(c), and what the family of the components asks for: of
    an elliptical one ``means`` (K, D) and a scale, see the methods. All
    components start at mean 0 with weight 1/K; ``training.prior_init`` moves
    the means.

    Attributes:
        n_components: K.
        latent_dim: D.
        covariance: form of the covariances.
        initial_variance: variance of every component at the start.
        family: settings of the family.
    """

    n_components: int
    latent_dim: int
    covariance: Covariance
    initial_variance: float
    family: Any = GaussianPrior()

    @nn.compact
    def __call__(self) -> distrax.MixtureSameFamily:
        """Returns the mixture."""
        logits = self.param("logits", nn.initializers.zeros, self._shape[:1])
        return distrax.MixtureSameFamily(
            distrax.Categorical(logits=logits), components(self.family, self)
        )

    def means(self) -> chex.Array:
        """Returns the parameter ``means``, shape (K, D)."""
        return self.param("means", nn.initializers.zeros, self._shape)

    def scale(self) -> chex.Array:
        """Returns square roots of scale matrices, as ``Elliptical`` has them.

        From the parameter ``raw_var``, variances before ``positive``: (K, D),
        or (K, 1) if spherical; or from ``raw_tril``, lower Cholesky factors
        whose diagonal goes through ``positive``: (K, D, D), or (1, D, D) if
        tied.
        """
        k, d = self._shape
        if self.covariance in (Covariance.DIAGONAL, Covariance.SPHERICAL):
            n_free = d if self.covariance is Covariance.DIAGONAL else 1
            start = positive_inverse(self.initial_variance)
            raw_var = self.param(
                "raw_var", nn.initializers.constant(start), (k, n_free)
            )
            return jnp.broadcast_to(jnp.sqrt(positive(raw_var)), (k, d))
        n_free = k if self.covariance is Covariance.FULL else 1
        start = positive_inverse(jnp.sqrt(self.initial_variance))
        raw_tril = self.param(
            "raw_tril", lambda _: jnp.tile(start * jnp.eye(d), (n_free, 1, 1))
        )
        diagonal = positive(jnp.diagonal(raw_tril, axis1=-2, axis2=-1))
        tril = jnp.tril(raw_tril, -1) + diagonal[..., None] * jnp.eye(d)
        return jnp.broadcast_to(tril, (k, d, d))

    @property
    def _shape(self) -> tuple[int, int]:
        return self.n_components, self.latent_dim


@functools.singledispatch
def components(family: Any, module: MixturePrior) -> distrax.Distribution:
    """Makes the components p(z|c) of a family.

    Args:
        family: its settings, by whose type the implementation is found.
        module: the prior; ``module.means()``, ``module.scale()`` and
            ``module.param`` give the parameters.

    Returns:
        A distribution of batch shape (K,) and event shape (D,) with
        ``log_prob``, ``sample``, ``mean``, ``variance`` and ``__getitem__``;
        with ``expected_log_prob`` (see ``Gaussians``) if it is known.
    """
    raise TypeError(
        f"{type(family).__name__} is no family of components: register one "
        "with prior.components.register"
    )


@components.register
def _gaussians(family: GaussianPrior, module: MixturePrior) -> Gaussians:
    return Gaussians(module.means(), module.scale(), module.covariance)


def tempered(
    family: distrax.Distribution, temperature: float
) -> distrax.Distribution:
    """Scales components about their means by a factor; 0 leaves the means."""
    scale = jnp.asarray(temperature)
    shift = (1 - scale) * family.mean()
    return distrax.Transformed(
        family, distrax.Block(distrax.ScalarAffine(shift, scale), 1)
    )


def draw(
    key: chex.PRNGKey,
    mixtures: Sequence[distrax.MixtureSameFamily],
    picked: chex.Array,
    temperature: float,
    n_samples: int,
) -> list[chex.Array]:
    """Draws z_j ~ p(z_j|c_j) of every facet, length J, shape (G, n, D_j) each.

    Args:
        key: PRNG key.
        mixtures: p(z_j, c_j) of each facet.
        picked: c, integers, shape (G, J).
        temperature: see ``tempered``.
        n_samples: n.
    """
    z = []
    keys = jax.random.split(key, len(mixtures))
    for j, mixture in enumerate(mixtures):
        family = mixture.components_distribution[picked[:, j]]
        drawn = tempered(family, temperature).sample(
            seed=keys[j], sample_shape=(n_samples,)
        )
        z.append(drawn.swapaxes(0, 1))
    return z


def unconstrained(
    mixture: distrax.MixtureSameFamily,
) -> dict[str, chex.Array]:
    """Inverts ``MixturePrior``: the parameters that give K Gaussians."""
    family: Elliptical = mixture.components_distribution
    logits, scale = mixture.mixture_distribution.logits, family.scale
    params = {"logits": logits, "means": family.loc}
    if not family.is_full:
        n_free = None if family.covariance is Covariance.DIAGONAL else 1
        return params | {"raw_var": positive_inverse(scale[:, :n_free] ** 2)}
    if family.covariance is Covariance.TIED:
        scale = scale[:1]
    diagonal = jnp.diagonal(scale, axis1=-2, axis2=-1)
    raw = positive_inverse(diagonal)[..., None] * jnp.eye(diagonal.shape[-1])
    return params | {"raw_tril": jnp.tril(scale, -1) + raw}
