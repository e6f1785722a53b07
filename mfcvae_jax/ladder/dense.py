# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The dense variational ladder, for any number of facets J >= 1.

MFCVAE (arXiv:2106.05241), Fig. 3 and App. D.2. The encoder's trunk (backbone)
runs from x upwards; rung j branches off after stage j and ends in the heads of
facet j. The decoder's trunk starts at facet J-1 and runs downwards; at each
facet below, the rung of z_j is merged into it.
"""

import math
from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax.numpy as jnp

from mfcvae_jax.ladder.block import BatchNorm, Encoder, block_of, dense
from mfcvae_jax.settings import Merge

__all__ = ["LadderDecoder", "LadderEncoder"]

_GATE = 0.1


class LadderEncoder(Encoder):
    """The trunk runs upwards, and each facet has a rung."""

    def features(self, x, train, wanted):
        """Returns what the heads of the wanted facets see."""
        h = x.reshape(x.shape[0], -1)
        found = []
        for j in range(max(wanted) + 1):
            widths = self.net.encoder_backbone[j]
            h = block_of(self, widths, f"backbone_{j}")(h, train)
            if j in wanted:
                rung = block_of(self, self.net.encoder_rungs[j], f"rung_{j}")
                found.append(rung(h, train))
        return found


class LadderDecoder(nn.Module):
    """z_1..z_J -> the last layer, from which the likelihood reads p(x|z).

    Attributes:
        net: its settings.
        image_shape: (H, W, C).
        norm: makes a ``BatchNorm``.
    """

    net: Any
    image_shape: tuple[int, ...]
    norm: Callable[..., nn.Module] = BatchNorm

    @nn.compact
    def __call__(
        self, z: tuple[chex.Array, ...], alpha: chex.Array, train: bool
    ) -> chex.Array:
        """Decodes a batch, to shape (B, H, W, C).

        Args:
            z: one array of shape (B, D_j) per facet.
            alpha: factor on each facet's rung, in [0, 1], shape (J,).
            train: see ``BatchNorm``.
        """
        h = self.hidden(z, alpha, train)
        n_outputs = math.prod(self.image_shape)
        output = dense(n_outputs, h.shape[-1], name="output")(h)
        return output.reshape(-1, *self.image_shape)

    def hidden(self, z, alpha, train):
        """Returns what the last layer is fed."""
        h: chex.Array = None
        for j in reversed(range(len(z))):
            rung = block_of(self, self.net.decoder_rungs[j], f"rung_{j}")
            faded = alpha[j] * rung(z[j], train)
            merged = faded if h is None else self._merge(faded, h)
            widths = self.net.decoder_backbone[j]
            h = block_of(self, widths, f"backbone_{j}")(merged, train)
        return h

    def _merge(self, rung: chex.Array, upper: chex.Array) -> chex.Array:
        if self.net.merge is Merge.GATED_ADD:
            return upper + _GATE * rung
        return jnp.concatenate([rung, upper], axis=-1)
