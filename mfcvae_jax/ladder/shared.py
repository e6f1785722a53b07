# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The two nets without a ladder, ablations of the paper (App. E.1).

Either one encoder is shared by the heads of all facets, or every facet has an
encoder of its own. Both have one decoder, which is fed all z_j side by side.
"""

import math
from collections.abc import Callable

import chex
import flax.linen as nn
import jax.numpy as jnp

from mfcvae_jax.ladder.block import BatchNorm, DenseBlock, Heads, dense
from mfcvae_jax.settings import SeparateEncoders, SharedEncoder
from mfcvae_jax.variational.posterior import Posterior

__all__ = ["JointDecoder", "OneEncoder", "OneEncoderPerFacet"]


class OneEncoder(nn.Module):
    """x -> q(z_j|x) through one encoder; see ``LadderEncoder``."""

    net: SharedEncoder
    latent_dim: tuple[int, ...]
    norm: Callable[..., nn.Module] = BatchNorm

    @nn.compact
    def __call__(
        self,
        x: chex.Array,
        train: bool,
        facets: tuple[int, ...] | None = None,
    ) -> tuple[Posterior, ...]:
        """Encodes images of shape (B, H, W, C); see ``LadderEncoder``."""
        h = DenseBlock(
            self.net.encoder,
            self.net.activation,
            self.norm if self.net.batch_norm else None,
            name="encoder",
        )(x.reshape(x.shape[0], -1), train)
        wanted = range(len(self.latent_dim)) if facets is None else facets
        return tuple(
            Heads(self.latent_dim[j], name=f"heads_{j}")(h) for j in wanted
        )


class OneEncoderPerFacet(nn.Module):
    """x -> q(z_j|x) through one encoder each; see ``LadderEncoder``."""

    net: SeparateEncoders
    latent_dim: tuple[int, ...]
    norm: Callable[..., nn.Module] = BatchNorm

    @nn.compact
    def __call__(
        self,
        x: chex.Array,
        train: bool,
        facets: tuple[int, ...] | None = None,
    ) -> tuple[Posterior, ...]:
        """Encodes images of shape (B, H, W, C); see ``LadderEncoder``."""
        x = x.reshape(x.shape[0], -1)
        posteriors = []
        for j in range(len(self.latent_dim)) if facets is None else facets:
            h = DenseBlock(
                self.net.encoders[j],
                self.net.encoder_activation,
                self.norm if self.net.batch_norm else None,
                name=f"encoder_{j}",
            )(x, train)
            posteriors.append(Heads(self.latent_dim[j], name=f"heads_{j}")(h))
        return tuple(posteriors)


class JointDecoder(nn.Module):
    """All z_j side by side -> the last layer; see ``LadderDecoder``."""

    net: SharedEncoder | SeparateEncoders
    image_shape: tuple[int, ...]
    norm: Callable[..., nn.Module] = BatchNorm

    @nn.compact
    def __call__(
        self, z: tuple[chex.Array, ...], alpha: chex.Array, train: bool
    ) -> chex.Array:
        """Decodes a batch; see ``LadderDecoder``.

        As in the official code, the fade-in multiplies z_j where every facet
        has an encoder of its own, and nothing where they share one.
        """
        if isinstance(self.net, SeparateEncoders):
            z = tuple(alpha[j] * z_j for j, z_j in enumerate(z))
        h = DenseBlock(
            self.net.decoder,
            self.net.activation,
            self.norm if self.net.batch_norm else None,
            name="decoder",
        )(jnp.concatenate(z, axis=-1), train)
        n_outputs = math.prod(self.image_shape)
        output = dense(n_outputs, h.shape[-1], name="output")(h)
        return output.reshape(-1, *self.image_shape)
