# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The two nets without a ladder, ablations of the paper (App. E.1).

Either one encoder is shared by the heads of all facets, or every facet has an
encoder of its own. Both have one decoder, which is fed all z_j side by side.
"""

import jax.numpy as jnp

from mfcvae_jax.ladder.block import Encoder, block_of
from mfcvae_jax.ladder.dense import LadderDecoder
from mfcvae_jax.settings import SeparateEncoders

__all__ = ["JointDecoder", "OneEncoder", "OneEncoderPerFacet"]


class OneEncoder(Encoder):
    """One net, whose features all heads see."""

    def features(self, x, train, wanted):
        """Returns what the heads of the wanted facets see."""
        x = x.reshape(x.shape[0], -1)
        h = block_of(self, self.net.encoder, "encoder")(x, train)
        return [h for _ in wanted]


class OneEncoderPerFacet(Encoder):
    """A net for each facet."""

    def features(self, x, train, wanted):
        """Returns what the heads of the wanted facets see."""
        net, x = self.net, x.reshape(x.shape[0], -1)
        return [
            block_of(
                self, net.encoders[j], f"encoder_{j}", net.encoder_activation
            )(x, train)
            for j in wanted
        ]


class JointDecoder(LadderDecoder):
    """All z_j side by side, with no ladder above the last layer.

    As in the official code, the fade-in multiplies z_j where every facet has an
    encoder of its own, and nothing where they share one.
    """

    def hidden(self, z, alpha, train):
        """Returns what the last layer is fed."""
        if isinstance(self.net, SeparateEncoders):
            z = tuple(alpha[j] * z_j for j, z_j in enumerate(z))
        h = jnp.concatenate(z, axis=-1)
        return block_of(self, self.net.decoder, "decoder")(h, train)
