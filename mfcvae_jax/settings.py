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
import operator
from typing import Annotated

from mfcvae_jax import views
from mfcvae_jax.ladder.net_settings import (
    Activation,
    ConvLadder,
    DenseLadder,
    Merge,
    Precision,
    SeparateEncoders,
    SharedEncoder,
)
from mfcvae_jax.section import Count, Positive, Section, Weight, require

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
    "GaussianPrior",
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


class Covariance(enum.Enum):
    """Form of the components' covariances in p(z|c)."""

    DIAGONAL = "diagonal"
    FULL = "full"
    SPHERICAL = "spherical"  # a multiple of the identity for each component
    TIED = "tied"  # one full matrix for all components


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


# The data sets that are anyone's own.
_FROM_PATH = ("npz", "npy", "folder", "hdf5")


@dataclasses.dataclass(frozen=True)
class Data(Section, name="data"):
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
            require(
                self.path != "",
                f"data.name={self.name!r} needs the file or folder to read in "
                "data.path",
            )
        else:
            require(
                self.path == "",
                f"data.path={self.path!r} is read by data.name="
                f"{', '.join(_FROM_PATH)} only, got data.name={self.name!r}",
            )


@dataclasses.dataclass(frozen=True)
class GaussianPrior(Section, name="prior"):
    """Components that are Gaussians."""


@dataclasses.dataclass(frozen=True)
class Facets(Section, name="facets"):
    """The mixture priors, one entry a facet, shallowest first.

    Attributes:
        n_components: K_j, number of mixture components.
        latent_dim: D_j, dimension of z_j.
        covariance: form of Sigma_c.
        learn_weights: whether the mixing weights pi_j are learnt; if not they
            stay uniform.
        prior: family of the components; all are Gaussians if it is left out.
        view: what is applied to x in turn before the facet's encoder sees it in
            training, see ``views``; ``()`` for x itself, and of all facets if
            it is left out.
    """

    n_components: tuple[Count, ...]
    latent_dim: tuple[Count, ...]
    covariance: tuple[Covariance, ...]
    learn_weights: tuple[bool, ...]
    prior: tuple[GaussianPrior, ...] = ()
    view: tuple[tuple[views.View, ...], ...] = ()

    def __post_init__(self):
        for name, default in (("prior", GaussianPrior()), ("view", ())):
            if not getattr(self, name):
                defaults = (default,) * len(self.n_components)
                object.__setattr__(self, name, defaults)
        super().__post_init__()
        lengths = {
            field.name: len(getattr(self, field.name))
            for field in dataclasses.fields(self)
        }
        require(
            len(self.n_components) >= 1,
            "facets.n_components is empty: a model needs at least one facet",
        )
        require(
            len(set(lengths.values())) == 1,
            "all settings under facets need one entry per facet, but their "
            f"lengths differ: {lengths}",
        )

    def __len__(self) -> int:
        return len(self.n_components)


@dataclasses.dataclass(frozen=True)
class Bernoulli(Section, name="likelihood"):
    """p(x|z) of grey pixels in [0, 1]: cross entropy from logits."""


@dataclasses.dataclass(frozen=True)
class Gaussian(Section, name="likelihood"):
    """p(x|z) = N(mean, std^2), pixel by pixel, with a fixed std.

    Attributes:
        std: standard deviation, in units of pixel intensity.
        output: what turns the last layer into the mean.
    """

    std: Positive
    output: OutputUnits


@dataclasses.dataclass(frozen=True)
class PriorInit(Section, name="prior_init"):
    """Starting values of the mixture priors.

    Attributes:
        means: where the component means come from, of facets without a warm-up.
        variance: of every component, in every direction; likewise.
    """

    means: MeansInit
    variance: Positive


@dataclasses.dataclass(frozen=True)
class Progressive(Section, name="progressive"):
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
        require(
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
class Training(Section, name="train"):
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
class Evaluation(Section, name="evaluate"):
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
class Checkpoints(Section, name="checkpoint"):
    """When the state is saved; the end of training always is.

    Attributes:
        every_epochs: epochs between checkpoints.
        keep: number of most recent checkpoints kept, beside the best one.
    """

    every_epochs: Count
    keep: Count


@dataclasses.dataclass(frozen=True)
class Figures(Section, name="figures"):
    """How samples are drawn.

    Attributes:
        temperature: factor on the standard deviation of p(z|c).
    """

    temperature: Annotated[float, "at least 0"]


Net = ConvLadder | DenseLadder | SharedEncoder | SeparateEncoders
Likelihood = Bernoulli | Gaussian

# Settings with a `kind` key become the dataclass that the kind names: the
# sections net and likelihood, the entries of facets.prior, and the parts of
# those of facets.view. Others may be added: docs/extending.md says what goes
# with them.
KINDS: dict[str, dict[str, type]] = {
    "net": {
        "conv_ladder": ConvLadder,
        "dense_ladder": DenseLadder,
        "shared_encoder": SharedEncoder,
        "separate_encoders": SeparateEncoders,
    },
    "likelihood": {"bernoulli": Bernoulli, "gaussian": Gaussian},
    "prior": {"gaussian": GaussianPrior},
    "view": views.KINDS,
}


@dataclasses.dataclass(frozen=True)
class Settings(Section):
    """All settings of a run. The class of each section describes it.

    Attributes:
        seed: of everything random in the run.
        n_seeds: independent runs that are trained at once; the i-th has the
            seed ``seed + i``.
        precision: of the nets in training.
        n_init: starts, of seeds likewise, of which one is kept in the end, by
            its held-out bound; see ``progressive.choices``.
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
    n_init: Count = 1

    def __post_init__(self):
        super().__post_init__()
        require(
            self.n_seeds == 1 or self.n_init == 1,
            f"n_seeds={self.n_seeds} and n_init={self.n_init}: all seeds are "
            "kept, and of several starts one, so set either to 1",
        )
        require(
            self.n_starts == 1 or self.checkpoint.keep >= 2,
            f"{self.n_starts} seeds or starts need checkpoint.keep >= 2, got "
            f"{self.checkpoint.keep}: they are saved one by one, and if that "
            "is cut short, all go on from the step before",
        )
        stages = self.progressive.stage_epochs
        require(
            0 < len(stages) <= len(self.facets),
            "progressive.stage_epochs must have from 1 to "
            f"{len(self.facets)} values, at most one a facet; got "
            f"{len(stages)}: {stages}",
        )
        self.net.check(self.facets)

    @property
    def n_starts(self) -> int:
        """Number of seeds trained at once, whether kept or not."""
        return self.n_seeds * self.n_init

    @property
    def of_each_seed(self) -> tuple["Settings", ...]:
        """Settings of each of them as a run of its own."""
        return tuple(
            dataclasses.replace(self, seed=self.seed + i, n_seeds=1, n_init=1)
            for i in range(self.n_starts)
        )
