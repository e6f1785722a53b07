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

from mfcvae_jax.ladder.block import BatchNorm, DenseBlock, Encoder, dense
from mfcvae_jax.settings import SeparateEncoders, SharedEncoder

__all__ = ["JointDecoder", "OneEncoder", "OneEncoderPerFacet"]


class OneEncoder(Encoder):
    """One net, whose features all heads see."""

    def features(self, x, train, wanted):
        """Returns what the heads of the wanted facets see."""
        h = DenseBlock(
            self.net.encoder,
            self.net.activation,
            self.norm if self.net.batch_norm else None,
            name="encoder",
        )(x.reshape(x.shape[0], -1), train)
        return [h for _ in wanted]


class OneEncoderPerFacet(Encoder):
    """A net for each facet."""

    def features(self, x, train, wanted):
        """Returns what the heads of the wanted facets see."""
        x = x.reshape(x.shape[0], -1)
        return [
            DenseBlock(
                self.net.encoders[j],
                self.net.encoder_activation,
                self.norm if self.net.batch_norm else None,
                name=f"encoder_{j}",
            )(x, train)
            for j in wanted
        ]


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
