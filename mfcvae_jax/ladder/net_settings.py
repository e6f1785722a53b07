# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the nets; those of type ``PerFacet`` have an entry a facet."""

import dataclasses
import enum
from typing import TYPE_CHECKING

from mfcvae_jax.section import Count, Section, require

if TYPE_CHECKING:
    from mfcvae_jax.settings import Facets

__all__ = [
    "Activation",
    "ConvLadder",
    "DenseLadder",
    "Merge",
    "Precision",
    "SeparateEncoders",
    "SharedEncoder",
]

Widths = tuple[Count, ...]
PerFacet = tuple[Widths, ...]


class Activation(enum.Enum):
    """Non-linearity after every hidden layer."""

    RELU = "relu"
    LEAKY_RELU = "leaky_relu"  # slope 0.01
    ELU = "elu"  # alpha 1


class Merge(enum.Enum):
    """How a decoder rung joins the backbone from above."""

    GATED_ADD = "gated_add"  # upper + 0.1 * rung
    CONCATENATE = "concatenate"  # rung first, then upper


class Precision(enum.Enum):
    """Of the nets in training; parameters and bounds always are float32."""

    FLOAT32 = "float32"
    # Products of TF32 factors on a GPU, of bfloat16 ones on a TPU, summed in
    # float32; on a CPU, no different from float32.
    FAST_PRODUCTS = "fast_products"
    BFLOAT16 = "bfloat16"  # activations too


@dataclasses.dataclass(frozen=True)
class _Net(Section, name="net"):
    """What the settings of all nets share."""

    def check(self, facets: "Facets") -> None:
        """Raises ValueError unless the net fits the facets."""
        for field in dataclasses.fields(self):
            if field.type is PerFacet:
                value = getattr(self, field.name)
                require(
                    len(value) == len(facets),
                    f"net.{field.name} needs one entry per facet "
                    f"({len(facets)}, from facets.n_components), got "
                    f"{len(value)}: {value}",
                )


@dataclasses.dataclass(frozen=True)
class DenseLadder(_Net):
    """The dense variational ladder (the paper's Fig. 3 and App. D.2).

    Every entry of a tuple lists the widths of one facet's hidden layers; an
    empty entry is the identity.

    Attributes:
        encoder_backbone: the trunk below the branching point of each facet.
        encoder_rungs: from the trunk to the facet's two heads.
        decoder_rungs: from z_j to the merge with the trunk.
        decoder_backbone: the trunk from the merge downwards.
        activation: non-linearity after every hidden layer.
        batch_norm: batch normalisation after every activation.
        merge: how a decoder rung joins the trunk.
    """

    encoder_backbone: PerFacet
    encoder_rungs: PerFacet
    decoder_rungs: PerFacet
    decoder_backbone: PerFacet
    activation: Activation
    batch_norm: bool
    merge: Merge

    def check(self, facets: "Facets") -> None:
        """Raises ValueError unless the ladder fits the facets."""
        super().check(facets)
        if self.merge is not Merge.GATED_ADD:
            return
        for j in range(len(facets) - 1):
            rung = (facets.latent_dim[j], *self.decoder_rungs[j])[-1]
            upper = (
                facets.latent_dim[j + 1],
                *self.decoder_rungs[j + 1],
                *self.decoder_backbone[j + 1],
            )[-1]
            require(
                rung == upper,
                f"net.merge='gated_add' adds the rung of facet {j} (last width "
                f"{rung}, from net.decoder_rungs[{j}]) to the trunk from above "
                f"(width {upper}, from net.decoder_backbone[{j + 1}]): make "
                "the widths equal or use net.merge='concatenate'",
            )


@dataclasses.dataclass(frozen=True)
class ConvLadder(_Net):
    """The convolutional variational ladder (the paper's App. D.2).

    The sizes and channels of its layers follow from the images and the number
    of facets, see ``ladder.conv``; batch norm follows every activation.

    Attributes:
        activation: non-linearity after every hidden layer.
        weight_norm: weight normalisation of the encoder's convolutions.
        output_norm: whether the decoder's last layer, too, ends in activation
            and batch norm, before the likelihood's output units.
        official_init: whether data-dependent initialisation is that of the
            official code, see ``training.data_init``, or does what it means.
    """

    activation: Activation
    weight_norm: bool
    output_norm: bool
    official_init: bool


@dataclasses.dataclass(frozen=True)
class SharedEncoder(_Net):
    """No ladder: one encoder feeds the heads of all facets (App. E.1).

    Attributes:
        encoder: widths of the hidden layers of the one encoder.
        decoder: widths of the decoder, which is fed all z_j side by side.
        activation: non-linearity after every hidden layer.
        batch_norm: batch normalisation after every activation.
    """

    encoder: Widths
    decoder: Widths
    activation: Activation
    batch_norm: bool


@dataclasses.dataclass(frozen=True)
class SeparateEncoders(_Net):
    """No ladder: an encoder of its own for every facet (App. E.1).

    Attributes:
        encoders: widths of the hidden layers, one entry a facet.
        decoder: widths of the decoder, which is fed all z_j side by side.
        activation: non-linearity after every hidden layer.
        batch_norm: batch normalisation after every activation.
        encoder_activation: that of the encoders; without it, ``activation``.
            The official code keeps relu there.
    """

    encoders: PerFacet
    decoder: Widths
    activation: Activation
    batch_norm: bool
    encoder_activation: Activation = None  # type: ignore[assignment]

    def __post_init__(self):
        if self.encoder_activation is None:
            object.__setattr__(self, "encoder_activation", self.activation)
        super().__post_init__()
