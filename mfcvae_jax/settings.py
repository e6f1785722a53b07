# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Every setting of a run: frozen dataclasses, checked in one place.

``config.from_config`` turns a config file (``experiments/configs/*.py``) into
``Settings`` once. The rest of the library sees neither ConfigDict nor flags.
Facet 0 is the shallowest rung of the ladder, facet J-1 the deepest; settings
that differ by facet are tuples of length J in that order.
"""

import dataclasses
import enum
import math
import operator
from typing import Annotated, Any, get_args, get_origin

__all__ = [
    "KINDS",
    "Activation",
    "Bernoulli",
    "Checkpoints",
    "ConvLadder",
    "Covariance",
    "Data",
    "DenseLadder",
    "Evaluation",
    "Facets",
    "Fade",
    "Figures",
    "Gaussian",
    "MeansInit",
    "Merge",
    "OutputUnits",
    "Precision",
    "PriorInit",
    "Progressive",
    "SeparateEncoders",
    "Settings",
    "SharedEncoder",
    "Training",
]

# What a number may be, in the words of an error.
_RANGES = {
    "at least 0": lambda value: value >= 0,
    "at least 1": lambda value: value >= 1,
    "positive and finite": lambda value: 0 < value < math.inf,
    "in [0, 1]": lambda value: 0 <= value <= 1,
    "in [0, 2**32)": lambda value: 0 <= value < 2**32,
}
Count = Annotated[int, "at least 1"]
Positive = Annotated[float, "positive and finite"]
Weight = Annotated[float, "in [0, 1]"]
Widths = tuple[Count, ...]
PerFacet = tuple[Widths, ...]


class Covariance(enum.Enum):
    """Form of a component's covariance in p(z|c)."""

    DIAGONAL = "diagonal"
    FULL = "full"


class Activation(enum.Enum):
    """Non-linearity after every hidden layer."""

    RELU = "relu"
    LEAKY_RELU = "leaky_relu"  # slope 0.01
    ELU = "elu"  # alpha 1


class Merge(enum.Enum):
    """How a decoder rung joins the backbone from above."""

    GATED_ADD = "gated_add"  # upper + 0.1 * rung
    CONCATENATE = "concatenate"  # rung first, then upper


class OutputUnits(enum.Enum):
    """What turns the decoder's last layer into the mean of a Gaussian."""

    LINEAR = "linear"
    SIGMOID = "sigmoid"


class Fade(enum.Enum):
    """Shape of a facet's fade-in."""

    LINEAR = "linear"
    COSINE = "cosine"


class MeansInit(enum.Enum):
    """Where the component means of the prior start."""

    GMM = "gmm"  # a scikit-learn mixture fitted to the encoded training set
    GLOROT = "glorot"


class Precision(enum.Enum):
    """Of the nets in training; parameters and bounds always are float32."""

    FLOAT32 = "float32"
    # Products of TF32 factors on a GPU, of bfloat16 ones on a TPU, summed in
    # float32; on a CPU, no different from float32.
    FAST_PRODUCTS = "fast_products"
    BFLOAT16 = "bfloat16"  # activations too


@dataclasses.dataclass(frozen=True)
class _Section:
    """Settings whose numbers are in the ranges that their types name."""

    def __init_subclass__(cls, name: str = ""):
        if name:
            cls._path = f"{name}."

    _path = ""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _check_range(self._path + field.name, field.type, value)


# The data sets that are anyone's own.
_FROM_PATH = ("npz", "npy", "folder", "hdf5")


@dataclasses.dataclass(frozen=True)
class Data(_Section, name="data"):
    """Which data set, and where its prepared files lie.

    Attributes:
        name: a name known to ``datasets.reader.load``.
        data_dir: folder of prepared TFDS sets; empty means the default of
            tensorflow_datasets. Embedded data sets need none.
        path: the file of the data set ``npz`` or ``hdf5``, or the folder of
            ``npy`` or ``folder``; no other has one.
        on_device_gb: training images up to so many GB (10^9 bytes) are kept on
            every device; more of them stay in host memory, or in their
            memory-mapped file, and come over in chunks. Results are the same.
    """

    name: str
    data_dir: str = ""
    path: str = ""
    on_device_gb: Annotated[float, "at least 0"] = 4.0

    def __post_init__(self):
        super().__post_init__()
        if self.name in _FROM_PATH:
            _require(
                self.path != "",
                f"data.name={self.name!r} needs the file or folder to read in "
                "data.path",
            )
        else:
            _require(
                self.path == "",
                f"data.path={self.path!r} is read by data.name="
                f"{', '.join(_FROM_PATH)} only, got data.name={self.name!r}",
            )


@dataclasses.dataclass(frozen=True)
class Facets(_Section, name="facets"):
    """The mixture priors, one entry a facet, shallowest first.

    Attributes:
        n_components: K_j, number of mixture components.
        latent_dim: D_j, dimension of z_j.
        covariance: form of Sigma_c.
        learn_weights: whether the mixing weights pi_j are learnt; if not they
            stay uniform.
    """

    n_components: tuple[Count, ...]
    latent_dim: tuple[Count, ...]
    covariance: tuple[Covariance, ...]
    learn_weights: tuple[bool, ...]

    def __post_init__(self):
        super().__post_init__()
        lengths = {
            field.name: len(getattr(self, field.name))
            for field in dataclasses.fields(self)
        }
        _require(
            len(self.n_components) >= 1,
            "facets.n_components is empty: a model needs at least one facet",
        )
        _require(
            len(set(lengths.values())) == 1,
            "all settings under facets need one entry per facet, but their "
            f"lengths differ: {lengths}",
        )

    def __len__(self) -> int:
        return len(self.n_components)


@dataclasses.dataclass(frozen=True)
class _Net(_Section, name="net"):
    """A net, whose settings of the type ``PerFacet`` have an entry a facet."""

    def check(self, facets: Facets) -> None:
        """Raises ValueError unless the net fits the facets."""
        for field in dataclasses.fields(self):
            if field.type is PerFacet:
                value = getattr(self, field.name)
                _require(
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

    def check(self, facets: Facets) -> None:
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
            _require(
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


@dataclasses.dataclass(frozen=True)
class Bernoulli(_Section, name="likelihood"):
    """p(x|z) of grey pixels in [0, 1]: cross entropy from logits."""


@dataclasses.dataclass(frozen=True)
class Gaussian(_Section, name="likelihood"):
    """p(x|z) = N(mean, std^2), pixel by pixel, with a fixed std.

    Attributes:
        std: standard deviation, in units of pixel intensity.
        output: what turns the last layer into the mean.
    """

    std: Positive
    output: OutputUnits


@dataclasses.dataclass(frozen=True)
class PriorInit(_Section, name="prior_init"):
    """Starting values of the mixture priors.

    Attributes:
        means: where the component means come from, of facets without a warm-up.
        variance: of every component, in every direction; likewise.
        n_init: starts of the fit that ends a warm-up; the likeliest is taken.
    """

    means: MeansInit
    variance: Positive
    n_init: Count = 5


@dataclasses.dataclass(frozen=True)
class Progressive(_Section, name="progressive"):
    """Progressive training: facets enter one by one, deepest first.

    Attributes:
        stage_epochs: length of each stage, in epochs, at most one a facet; the
            last brings in facet 0, the one before facet 1, and so on, and the
            first all that are left. One number trains all facets at once.
            Their sum is the length of the run.
        fade_in_steps: optimiser steps over which an entering facet fades in.
        fade_in: shape of the fade-in.
        pretrain_weight_z: weight of KL_z of a facet that is still out.
        pretrain_weight_c: weight of KL_c of a facet that is still out.
        warm_up_epochs: epochs at the start of each stage in which its facets
            warm up, after which their priors are fitted; one a stage. None at
            all is the published schedule.
        redundancy_price: what a facet pays if a deeper one tells all of it, in
            nats; see ``variational.shared_variance``. 0 is published.
    """

    stage_epochs: tuple[Count, ...]
    fade_in_steps: Count
    fade_in: Fade
    pretrain_weight_z: Weight
    pretrain_weight_c: Weight
    warm_up_epochs: tuple[Annotated[int, "at least 0"], ...] = ()
    redundancy_price: Annotated[float, "at least 0"] = 0.0

    def __post_init__(self):
        super().__post_init__()
        _require(
            len(self.warm_ups) == len(self.stage_epochs)
            and all(map(operator.lt, self.warm_ups, self.stage_epochs)),
            "progressive.warm_up_epochs must have a value for each of "
            f"stage_epochs={self.stage_epochs}, less than that, or none at "
            f"all; got {self.warm_up_epochs}",
        )

    @property
    def warm_ups(self) -> tuple[int, ...]:
        """Length of the warm-up of each stage, in epochs."""
        return self.warm_up_epochs or (0,) * len(self.stage_epochs)


@dataclasses.dataclass(frozen=True)
class Training(_Section, name="train"):
    """The optimiser and its steps.

    Attributes:
        batch_size: examples per optimiser step.
        learning_rate: of Adam.
        n_samples: L, Monte Carlo samples of z per example.
        estimator: of the loss, a name known to ``elbo.find_estimator``.
        data_dependent_init: before training, standardise the output of every
            layer on the first ``batch_size`` images in stored order.
        steps_per_dispatch: at most so many optimiser steps run in one compiled
            scan, without a return to Python.
    """

    batch_size: Count
    learning_rate: Positive
    n_samples: Count
    estimator: str
    data_dependent_init: bool
    steps_per_dispatch: Count


@dataclasses.dataclass(frozen=True)
class Evaluation(_Section, name="evaluate"):
    """How the held-out split is scored during training.

    Attributes:
        every_epochs: epochs between evaluations; the last epoch always is one.
        batch_size: examples per chunk.
        importance_samples: S, samples of z per example in the estimate of
            log p(x) that the report of a run gives; 0 for none.
    """

    every_epochs: Count
    batch_size: Count
    importance_samples: Annotated[int, "at least 0"]


@dataclasses.dataclass(frozen=True)
class Checkpoints(_Section, name="checkpoint"):
    """When the state is saved; the end of training always is.

    Attributes:
        every_epochs: epochs between checkpoints.
        keep: number of most recent checkpoints kept, beside the best one.
    """

    every_epochs: Count
    keep: Count


@dataclasses.dataclass(frozen=True)
class Figures(_Section, name="figures"):
    """How samples are drawn.

    Attributes:
        temperature: factor on the standard deviation of p(z|c).
    """

    temperature: Annotated[float, "at least 0"]


Net = ConvLadder | DenseLadder | SharedEncoder | SeparateEncoders
Likelihood = Bernoulli | Gaussian

# A section with a `kind` key becomes the dataclass that the kind names. Others
# may be added: docs/extending.md says what goes with them.
KINDS: dict[str, dict[str, type]] = {
    "net": {
        "conv_ladder": ConvLadder,
        "dense_ladder": DenseLadder,
        "shared_encoder": SharedEncoder,
        "separate_encoders": SeparateEncoders,
    },
    "likelihood": {"bernoulli": Bernoulli, "gaussian": Gaussian},
}


@dataclasses.dataclass(frozen=True)
class Settings(_Section):
    """All settings of a run.

    Attributes:
        seed: of everything random in the run.
        n_seeds: independent runs that are trained at once; the i-th has the
            seed ``seed + i``.
        precision: of the nets in training.
        data: see ``Data``; the other sections likewise.
        facets: the mixture priors.
        net: the encoder and decoder.
        likelihood: p(x|z).
        prior_init: starting values of the priors.
        progressive: stages of progressive training.
        train: optimiser and steps.
        evaluate: scoring during training.
        checkpoint: when the state is saved.
        figures: how samples are drawn.
    """

    seed: Annotated[int, "in [0, 2**32)"]
    n_seeds: Count
    precision: Precision
    data: Data
    facets: Facets
    net: Net
    likelihood: Likelihood
    prior_init: PriorInit
    progressive: Progressive
    train: Training
    evaluate: Evaluation
    checkpoint: Checkpoints
    figures: Figures

    def __post_init__(self):
        super().__post_init__()
        _require(
            self.n_seeds == 1 or self.checkpoint.keep >= 2,
            f"n_seeds={self.n_seeds} needs checkpoint.keep >= 2, got "
            f"{self.checkpoint.keep}: seeds are saved one by one, and if that "
            "is cut short, all go on from the step before",
        )
        stages = self.progressive.stage_epochs
        _require(
            0 < len(stages) <= len(self.facets),
            "progressive.stage_epochs must have from 1 to "
            f"{len(self.facets)} values, at most one a facet; got "
            f"{len(stages)}: {stages}",
        )
        self.net.check(self.facets)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _check_range(name: str, kind: Any, value: Any) -> None:
    """Raises ValueError unless the numbers of a setting are in their range."""
    if get_origin(kind) is Annotated:
        for words in kind.__metadata__:
            _require(
                _RANGES[words](value), f"{name} must be {words}, got {value}"
            )
    elif get_origin(kind) is tuple:
        for i, item in enumerate(value):
            _check_range(f"{name}[{i}]", get_args(kind)[0], item)
