# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What every net is built from: dense blocks, batch norm, the two heads.

A layer is linear, then activation, then batch norm. Layers start from PyTorch's
default draws, uniform in +-1/sqrt(fan_in) for weights and biases alike, because
the published nets do.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from mfcvae_jax.settings import Activation
from mfcvae_jax.variational.posterior import Posterior

__all__ = [
    "BatchNorm",
    "DenseBlock",
    "Encoder",
    "Heads",
    "activate",
    "block_of",
    "dense",
]


def activate(activation: Activation, x: chex.Array) -> chex.Array:
    """Applies a non-linearity elementwise."""
    return getattr(nn, activation.value)(x)


def dense(width: int, fan_in: int, name: str | None = None) -> nn.Dense:
    """Makes a linear layer that starts from PyTorch's default draw."""

    def draw(key, shape, dtype=jnp.float32):
        limit = fan_in**-0.5
        return jax.random.uniform(key, shape, dtype, -limit, limit)

    return nn.Dense(width, kernel_init=draw, bias_init=draw, name=name)


# Of one batch in a running average.
BATCH_SHARE = 0.1
# Added to variances, as in PyTorch.
_EPSILON = 1e-5


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last, as PyTorch has it.

    Normalises with the biased variance of the batch, but lets the unbiased one
    into the running average; ``flax.linen.BatchNorm`` uses the biased one for
    both, with which published running variances could not be continued.
    Statistics are computed in float32 at least, whatever the activations are.

    Attributes:
        axis_name: of the mapped axis that the batch is spread over, if it is;
            the statistics are those of the whole batch.
    """

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> chex.Array:
        """Normalises activations, shape (..., C).

        In training it takes the statistics of this batch, and records them;
        else it takes those that were recorded.
        """
        dtype, shape = x.dtype, x.shape[-1:]
        x = x.astype(jnp.promote_types(dtype, jnp.float32))
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape)
        if not train:
            rate = jax.lax.rsqrt(running_var.value + _EPSILON)
            x = (x - running_mean.value) * rate * scale + bias
            return x.astype(dtype)
        x, mean, var = _normalise(x, scale, bias, self.axis_name)
        if not self.is_initializing():
            n = x.size // shape[0]
            if self.axis_name is not None:
                n *= jax.lax.axis_size(self.axis_name)
            unbiased = var * n / max(n - 1, 1)
            of_batch = ((running_mean, mean), (running_var, unbiased))
            for running, found in of_batch:
                kept = (1 - BATCH_SHARE) * running.value
                running.value = kept + BATCH_SHARE * found
        return x.astype(dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalise(x, scale, bias, axis_name):
    """Normalises with the statistics of the batch; returns these, too.

    The derivative is written out, since XLA:CPU takes seven times as long for
    what automatic differentiation makes of the formula. The statistics that
    are returned have none.
    """
    return _normalise_forward(x, scale, bias, axis_name)[0]


def _normalise_forward(x, scale, bias, axis_name):
    mean = _batch_mean(x, axis_name)
    var = _batch_mean(jnp.square(x - mean), axis_name)
    rate = jax.lax.rsqrt(var + _EPSILON)
    y = (x - mean) * rate * scale + bias
    return (y, mean, var), (x, mean, rate, scale)


def _normalise_backward(axis_name, saved, slopes):
    x, mean, rate, scale = saved
    slope, _, _ = slopes
    white = (x - mean) * rate
    n = x.size // x.shape[-1]
    along_white = _batch_mean(slope * white)
    along_one = _batch_mean(slope)
    of_scale, of_bias = n * along_white, n * along_one
    if axis_name is not None:
        along_white, along_one = jax.lax.pmean(
            (along_white, along_one), axis_name
        )
    of_x = scale * rate * (slope - along_one - white * along_white)
    return of_x, of_scale, of_bias


_normalise.defvjp(_normalise_forward, _normalise_backward)


def _batch_mean(x, axis_name=None):
    """Mean over all axes but the last, of the whole batch, shape (C,)."""
    mean = jnp.mean(x, axis=tuple(range(x.ndim - 1)))
    return mean if axis_name is None else jax.lax.pmean(mean, axis_name)


class DenseBlock(nn.Module):
    """Hidden layers in a row; with no widths, the identity.

    Attributes:
        widths: units of each layer.
        activation: non-linearity after every layer.
        norm: makes the ``BatchNorm`` after every activation; None for none.
    """

    widths: tuple[int, ...]
    activation: Activation
    norm: Callable[..., nn.Module] | None

    @nn.compact
    def __call__(self, h: chex.Array, train: bool) -> chex.Array:
        """Applies the layers, (B, fan_in) -> (B, widths[-1])."""
        for i, width in enumerate(self.widths):
            h = dense(width, h.shape[-1], name=f"dense_{i}")(h)
            h = activate(self.activation, h)
            if self.norm is not None:
                h = self.norm(name=f"batch_norm_{i}")(h, train)
        return h


def block_of(
    owner: Any,
    widths: tuple[int, ...],
    name: str,
    activation: Activation | None = None,
) -> DenseBlock:
    """Makes a block of an encoder or decoder as the settings of its net say."""
    net = owner.net
    norm = owner.norm if net.batch_norm else None
    return DenseBlock(widths, activation or net.activation, norm, name=name)


class Heads(nn.Module):
    """The two linear heads of a facet, from features to q(z_j|x).

    Attributes:
        latent_dim: D_j.
    """

    latent_dim: int

    @nn.compact
    def __call__(self, h: chex.Array) -> Posterior:
        """Returns q(z_j|x), from features of shape (B, fan_in)."""
        return Posterior(
            mean=dense(self.latent_dim, h.shape[-1], name="mean")(h),
            log_var=dense(self.latent_dim, h.shape[-1], name="log_var")(h),
        )


class Encoder(nn.Module):
    """x -> q(z_j|x) for every facet: features of each, then its two heads.

    Every encoder is one of these, with ``features`` of its own.

    Attributes:
        net: its settings.
        latent_dim: D_j of each facet.
        norm: makes a ``BatchNorm``.
    """

    net: Any
    latent_dim: tuple[int, ...]
    norm: Callable[..., nn.Module] = BatchNorm

    @nn.compact
    def __call__(
        self,
        x: chex.Array,
        train: bool,
        facets: tuple[int, ...] | None = None,
    ) -> tuple[Posterior, ...]:
        """Returns q(z_j|x) of each of the wanted facets, shallowest first.

        Args:
            x: images, shape (B, H, W, C).
            train: see ``BatchNorm``.
            facets: of which it is wanted; None for all. Layers that only other
                facets use do not run.
        """
        n_facets = len(self.latent_dim)
        wanted = range(n_facets) if facets is None else sorted(facets)
        found = self.features(x, train, wanted)
        return tuple(
            Heads(self.latent_dim[j], name=f"heads_{j}")(h)
            for j, h in zip(wanted, found, strict=True)
        )

    def features(
        self, x: chex.Array, train: bool, wanted: Sequence[int]
    ) -> list[chex.Array]:
        """Returns what the heads of the wanted facets see, (B, fan_in) each."""
        raise NotImplementedError
