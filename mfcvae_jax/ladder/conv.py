# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The convolutional variational ladder, for any number of facets J >= 1.

MFCVAE (arXiv:2106.05241), Fig. 3 and App. D.2. It is published for J = 2 and 3,
and this rule is read off those two, with C = 64:

* the encoder's backbone j halves the image, which leaves H / 2^(j+1), and has
  2^j C channels;
* the encoder's rung j halves twice more, the second time with twice the
  channels. Rung 0 keeps its C channels, and its second convolution its size but
  for one pixel;
* the decoder's rung j is a dense layer to the size of the encoder's backbone j
  and the channels R_j of the encoder's rung j: C, 4 C, 8 C, ...;
* the decoder's backbone j > 0 takes rung j and what comes from above side by
  side, rung first, doubles the image with 2 R_(j-1) channels and mixes these
  down to R_(j-1); backbone 0 doubles it to the image.

Kernels are 4 x 4 where the size halves or doubles, and all pad by one pixel.
Images are (B, H, W, channels) throughout.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from mfcvae_jax.ladder import convolution
from mfcvae_jax.ladder.block import BatchNorm, DenseBlock, Encoder, activate
from mfcvae_jax.settings import Activation, ConvLadder

__all__ = [
    "CHANNELS",
    "ConvBlock",
    "ConvDecoder",
    "ConvEncoder",
    "Convolution",
    "Layer",
    "check_image",
    "decoder_backbone",
    "decoder_rung",
    "encoder_backbone",
    "encoder_rung",
    "features",
]

# C: of the first layer.
CHANNELS = 64


class Layer(NamedTuple):
    """A convolution or transposed convolution.

    Attributes:
        channels: of its output.
        width: of its kernel, in pixels.
        stride: by which it shrinks or enlarges the image.
    """

    channels: int
    width: int
    stride: int


def encoder_backbone(j: int) -> tuple[Layer, ...]:
    """Returns the layers that lead to the branching point of facet j."""
    return (Layer(CHANNELS * 2**j, 4, 2),)


def encoder_rung(j: int) -> tuple[Layer, ...]:
    """Returns the layers from the branching point to the heads of facet j."""
    (trunk,) = encoder_backbone(j)
    if j == 0:
        return (trunk, trunk._replace(stride=1))
    return (trunk, trunk._replace(channels=2 * trunk.channels))


def decoder_rung(
    j: int, image_shape: tuple[int, int, int]
) -> tuple[int, int, int]:
    """Returns the shape (H, W, C) that the decoder's rung j gives its z_j."""
    height, width, _ = image_shape
    size = 2 ** (j + 1)
    return height // size, width // size, encoder_rung(j)[-1].channels


def decoder_backbone(j: int, n_colours: int) -> tuple[Layer, ...]:
    """Returns the transposed convolutions of facet j, given the image's C."""
    if j == 0:
        return (Layer(n_colours, 4, 2),)
    below = encoder_rung(j - 1)[-1].channels
    return (Layer(2 * below, 4, 2), Layer(below, 3, 1))


def features(j: int, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns the shape (H, W, C) of what the heads of facet j are fed.

    A size of 0 or less means that the image is too small.
    """
    height, width, _ = image_shape
    backbones = map(encoder_backbone, range(j + 1))
    for layer in itertools.chain(*backbones, encoder_rung(j)):
        height, width = (
            convolution.output_size(size, layer.width, layer.stride)
            for size in (height, width)
        )
    return height, width, layer.channels


def check_image(n_facets: int, image_shape: tuple[int, int, int]) -> None:
    """Raises ValueError unless images can go through the ladder and back."""
    for name, size in zip(("height", "width"), image_shape[:2], strict=True):
        if size % 2**n_facets:
            raise ValueError(
                f"net.kind='conv_ladder' halves images once per facet, so "
                f"with {n_facets} facets their {name} must be a multiple of "
                f"{2**n_facets}, got {size} (image shape {image_shape}): take "
                "fewer facets or resize the images"
            )
    for j in range(n_facets):
        height, width, _ = features(j, image_shape)
        if min(height, width) < 1:
            raise ValueError(
                f"images of shape {image_shape} are too small for {n_facets} "
                f"facets of net.kind='conv_ladder': the encoder's rung {j} "
                f"leaves {max(height, 0)} x {max(width, 0)} pixels of them: "
                "take fewer facets or larger images"
            )


class Convolution(nn.Module):
    """A convolution or its transpose, with a bias.

    With weight normalisation the kernel is gain * direction / norm, one
    gain per output channel and the norm over all other axes. It starts from
    PyTorch's default draws, as ``block.dense`` does. The fan-in of a transposed
    convolution is, as there, that of the convolution it transposes.

    Attributes:
        layer: channels, width and stride.
        is_transposed: whether it enlarges the image.
        weight_norm: whether its kernel has gain and direction.
    """

    layer: Layer
    is_transposed: bool = False
    weight_norm: bool = False

    @nn.compact
    def __call__(self, x: chex.Array) -> chex.Array:
        """Applies the layer to images of shape (B, H, W, channels)."""
        channels, width, stride = self.layer
        # Both kinds keep the layout of a convolution: see convolution.py.
        shape = (width, width, x.shape[-1], channels)
        if self.is_transposed:
            shape = (width, width, channels, x.shape[-1])
        limit = math.prod(shape[:-1]) ** -0.5

        def draw(key, shape):
            return jax.random.uniform(key, shape, minval=-limit, maxval=limit)

        if self.weight_norm:
            direction = self.param("direction", draw, shape)
            gain = self.param("gain", lambda key: _norm(direction))
            kernel = direction * (gain / _norm(direction))
        else:
            kernel = self.param("kernel", draw, shape)
        bias = self.param("bias", draw, (channels,))
        if self.is_transposed:
            return convolution.convolve_transposed(x, kernel, stride) + bias
        return convolution.convolve(x, kernel, stride) + bias


def _norm(direction: chex.Array) -> chex.Array:
    """Norm of a kernel (K, K, I, O) per output channel, shape (O,)."""
    return jnp.sqrt(jnp.sum(jnp.square(direction), axis=(0, 1, 2)))


class ConvBlock(nn.Module):
    """Convolutions in a row, each followed by activation and batch norm.

    If it ``is_bare``, these two are left out.
    """

    layers: tuple[Layer, ...]
    activation: Activation
    is_transposed: bool = False
    weight_norm: bool = False
    is_bare: bool = False
    norm: Callable[..., nn.Module] = BatchNorm

    @nn.compact
    def __call__(self, h: chex.Array, train: bool) -> chex.Array:
        """Applies the layers to images of shape (B, H, W, channels)."""
        for i, layer in enumerate(self.layers):
            kind = layer, self.is_transposed, self.weight_norm
            h = Convolution(*kind, name=f"convolution_{i}")(h)
            if not self.is_bare:
                h = activate(self.activation, h)
                h = self.norm(name=f"batch_norm_{i}")(h, train)
        return h


class ConvEncoder(Encoder):
    """The trunk halves the image for each facet, which has a rung."""

    def features(self, x, train, wanted):
        """Returns what the heads of the wanted facets see."""
        block = functools.partial(
            ConvBlock,
            activation=self.net.activation,
            weight_norm=self.net.weight_norm,
            norm=self.norm,
        )
        found = []
        for j in range(max(wanted) + 1):
            x = block(encoder_backbone(j), name=f"backbone_{j}")(x, train)
            if j in wanted:
                rung = block(encoder_rung(j), name=f"rung_{j}")(x, train)
                found.append(rung.reshape(rung.shape[0], -1))
        return found


class ConvDecoder(nn.Module):
    """z_1..z_J -> the last layer; see ``LadderDecoder``."""

    net: ConvLadder
    image_shape: tuple[int, int, int]
    norm: Callable[..., nn.Module] = BatchNorm

    @nn.compact
    def __call__(
        self, z: tuple[chex.Array, ...], alpha: chex.Array, train: bool
    ) -> chex.Array:
        """Decodes a batch; see ``LadderDecoder``."""
        h: chex.Array = None
        for j in reversed(range(len(z))):
            shape = decoder_rung(j, self.image_shape)
            widths = (math.prod(shape),)
            rung = DenseBlock(
                widths, self.net.activation, self.norm, name=f"rung_{j}"
            )(z[j], train)
            faded = alpha[j] * rung.reshape(-1, *shape)
            h = faded if h is None else jnp.concatenate([faded, h], axis=-1)
            h = ConvBlock(
                decoder_backbone(j, self.image_shape[-1]),
                self.net.activation,
                is_transposed=True,
                is_bare=j == 0 and not self.net.output_norm,
                norm=self.norm,
                name=f"backbone_{j}",
            )(h, train)
        return h
