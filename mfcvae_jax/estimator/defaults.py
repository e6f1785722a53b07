# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of a run that follow from the data.

What follows is read off `experiments/configs`, with digits, MNIST and SVHN for
examples, and off trials with small tables (docs in ``MultiFacetClustering``).
"""

import math
import numbers
from collections.abc import Mapping
from typing import Any

from mfcvae_jax import settings as settings_lib
from mfcvae_jax.estimator.checks import check_count
from mfcvae_jax.estimator.facet import check_facets, facets_section
from mfcvae_jax.estimator.layout import Layout
from mfcvae_jax.ladder import conv

__all__ = ["make_settings", "n_held_back"]

# Examples per chunk of whatever is predicted.
_EVALUATION_BATCH = 256
# Fewer do not settle a facet of the digits; large sets need a few passes, too.
_STEPS_PER_FACET = 1650
_LEAST_EPOCHS_PER_FACET = 20
# A stage that leaves facets out gets so much of an equal share of the epochs:
# with more, the first facet takes what others should find (docs/choosing.md).
_EARLY_SHARE = 0.4
_FADE_IN_SHARE = 0.2
# Grey images up to so many pixels are the size of the digits.
_SMALL = 256
_SMALLEST_CONV = 16  # pixels
_N_EVALUATIONS = 20
# Of the examples, and at most so many, to choose among starts by.
_HELD_BACK_SHARE, _MOST_HELD_BACK = 0.1, 5000


def n_held_back(n_init: int, n_examples: int) -> int:
    """Returns how many examples score the starts instead of training them."""
    if n_init == 1:
        return 0
    return min(max(int(_HELD_BACK_SHARE * n_examples), 1), _MOST_HELD_BACK)


def make_settings(
    params: Mapping[str, Any],
    layout: Layout,
    n_examples: int,
    *,
    n_devices: int,
    seed: int,
) -> settings_lib.Settings:
    """Completes what the user asked for to the settings of a run.

    Args:
        params: the parameters of ``MultiFacetClustering``.
        layout: of the examples.
        n_examples: N, in X.
        n_devices: over which a batch must be split evenly.
        seed: of the run.

    Raises:
        ValueError: if a parameter is not allowed.
    """
    facets = check_facets(params["facets"])
    check_count("n_init", params["n_init"])
    n_init = int(params["n_init"])
    n_examples -= n_held_back(n_init, n_examples)
    section = facets_section(facets, n_examples)
    most = max(section.n_components)
    if most > n_examples:
        raise ValueError(
            f"a facet has n_components={most}, more than the {n_examples} "
            "examples to train on: give it fewer components, or more examples"
        )
    check_count("batch_size", params["batch_size"])
    batch = min(int(params["batch_size"]), n_examples)
    batch = max(batch - batch % n_devices, 1)
    net = _net(params["net"], layout, section)
    steps_per_epoch = n_examples // batch
    stage_epochs = _stage_epochs(params["epochs"], len(facets), steps_per_epoch)
    n_epochs = sum(stage_epochs)
    last_steps = min(stage_epochs[1:], default=0) * steps_per_epoch
    return settings_lib.Settings(
        seed=seed,
        n_seeds=1,
        precision=settings_lib.Precision.FLOAT32,
        data=settings_lib.Data(name="in_memory"),
        facets=section,
        net=net,
        likelihood=_likelihood(params["likelihood"], layout, net),
        prior_init=settings_lib.PriorInit(settings_lib.MeansInit.GMM, 0.01),
        progressive=settings_lib.Progressive(
            stage_epochs=stage_epochs,
            fade_in_steps=max(round(_FADE_IN_SHARE * last_steps), 1),
            fade_in=settings_lib.Fade.LINEAR,
            pretrain_weight_z=0.0,
            pretrain_weight_c=0.0,
        ),
        train=settings_lib.Training(
            batch_size=batch,
            learning_rate=_learning_rate(params["learning_rate"], layout, net),
            n_samples=1,
            # F in closed form gives better clusters than M, but can leave the
            # facets that come last few of them (docs/estimators.md).
            estimator="closed_form"
            if len(facets) == 1 and facets[0].is_gaussian
            else "five_terms",
            data_dependent_init=True,
            # Enough to hide the return to Python; an interrupt waits for one.
            steps_per_dispatch=25,
        ),
        evaluate=settings_lib.Evaluation(
            every_epochs=math.ceil(n_epochs / _N_EVALUATIONS),
            batch_size=_EVALUATION_BATCH,
            importance_samples=0,
        ),
        # The end alone is saved, and what starts are chosen by.
        checkpoint=settings_lib.Checkpoints(
            every_epochs=n_epochs, keep=min(n_init, 2)
        ),
        figures=settings_lib.Figures(temperature=1.0),
        n_init=n_init,
    )


def _stage_epochs(
    epochs: Any, n_facets: int, steps_per_epoch: int
) -> tuple[int, ...]:
    """Length of each stage, deepest facet first."""
    if isinstance(epochs, str) and epochs == "auto":
        each = math.ceil(_STEPS_PER_FACET / steps_per_epoch)
        return _divide(max(each, _LEAST_EPOCHS_PER_FACET) * n_facets, n_facets)
    if isinstance(epochs, tuple | list):
        for stage in epochs:
            check_count("every entry of epochs", stage)
        if len(epochs) != n_facets:
            raise ValueError(
                f"epochs={epochs!r} must have an entry for each of the "
                f"{n_facets} facets, deepest first, or be a single number"
            )
        return tuple(map(int, epochs))
    check_count("epochs", epochs)
    if epochs < n_facets:
        raise ValueError(
            f"epochs={epochs} is too few: each of the {n_facets} facets needs "
            "one of its own at least"
        )
    return _divide(int(epochs), n_facets)


def _divide(n_epochs: int, n_stages: int) -> tuple[int, ...]:
    """Divides epochs among the stages; most are for the last."""
    early = max(round(_EARLY_SHARE * n_epochs / n_stages), 1)
    return (early,) * (n_stages - 1) + (n_epochs - early * (n_stages - 1),)


def _net(
    net: Any, layout: Layout, facets: settings_lib.Facets
) -> settings_lib.Net:
    if type(net) in settings_lib.KINDS["net"].values():
        net.check(facets)
        return net
    if not isinstance(net, str) or net not in ("auto", "dense", "conv"):
        raise ValueError(
            "net must be 'auto', 'dense', 'conv' or a net of "
            f"mfcvae_jax.settings such as DenseLadder(...), got {net!r}"
        )
    height, width, n_colours = layout.image_shape
    is_large = height * width > 1024 or n_colours > 1
    if net == "conv" or (
        net == "auto" and is_large and _takes(len(facets), layout)
    ):
        conv.check_image(len(facets), layout.image_shape)
        return settings_lib.ConvLadder(
            activation=settings_lib.Activation.ELU,
            weight_norm=True,
            output_norm=True,
            official_init=False,
        )
    first, deeper = (128, 256) if _is_small(layout) else (500, 2000)
    n_upper = len(facets) - 1
    # A single facet is as deep as the deepest of several.
    trunk = (
        ((first,),) + ((deeper,),) * n_upper if n_upper else ((first, deeper),)
    )
    rungs = tuple((widths[-1],) for widths in trunk)
    return settings_lib.DenseLadder(
        encoder_backbone=trunk,
        encoder_rungs=((),) * len(facets),
        decoder_rungs=rungs,
        decoder_backbone=((first,),) * len(facets),
        activation=settings_lib.Activation.RELU,
        batch_norm=False,
        merge=settings_lib.Merge.CONCATENATE,
    )


def _takes(n_facets: int, layout: Layout) -> bool:
    """Whether the convolutional ladder takes images of that shape."""
    if min(layout.image_shape[:2]) < _SMALLEST_CONV:
        return False
    try:
        conv.check_image(n_facets, layout.image_shape)
    except ValueError:
        return False
    return True


def _is_small(layout: Layout) -> bool:
    return math.prod(layout.image_shape) <= _SMALL


def _likelihood(
    likelihood: Any, layout: Layout, net: settings_lib.Net
) -> settings_lib.Likelihood:
    if type(likelihood) in settings_lib.KINDS["likelihood"].values():
        return likelihood
    known = ("auto", "bernoulli", "gaussian")
    if not isinstance(likelihood, str) or likelihood not in known:
        raise ValueError(
            "likelihood must be 'auto', 'bernoulli', 'gaussian', or a "
            "Bernoulli() or Gaussian(std, output) of mfcvae_jax.settings, got "
            f"{likelihood!r}"
        )
    if likelihood == "bernoulli":
        if layout.is_table:
            raise ValueError(
                "likelihood='bernoulli' is for images in [0, 1], and X is a "
                "table, whose columns are standardised: use 'gaussian', or "
                "reshape X to images"
            )
        return settings_lib.Bernoulli()
    if layout.is_table:
        return settings_lib.Gaussian(0.5, settings_lib.OutputUnits.LINEAR)
    is_conv = isinstance(net, settings_lib.ConvLadder)
    is_grey = layout.image_shape[-1] == 1
    is_like_mnist = is_grey and not is_conv and not _is_small(layout)
    if likelihood == "auto" and is_like_mnist:
        return settings_lib.Bernoulli()
    return settings_lib.Gaussian(
        0.3 if is_conv else 0.15 if is_grey else 0.2,
        settings_lib.OutputUnits.SIGMOID,
    )


def _learning_rate(
    learning_rate: Any, layout: Layout, net: settings_lib.Net
) -> float:
    if isinstance(learning_rate, str) and learning_rate == "auto":
        is_conv = isinstance(net, settings_lib.ConvLadder)
        return 5e-4 if is_conv or not _is_small(layout) else 1e-3
    if (
        isinstance(learning_rate, bool)
        or not isinstance(learning_rate, numbers.Real)
        or not 0 < float(learning_rate) < math.inf
    ):
        raise ValueError(
            "learning_rate must be 'auto' or a positive finite number, got "
            f"{learning_rate!r}"
        )
    return float(learning_rate)
