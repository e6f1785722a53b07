# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of a run that follow from the data: docs/api/estimator.md.

It is the recipe of docs/recipe.md, tried on images of 8 x 8 to 32 x 32 pixels
and on small tables.
"""

import bisect
import math
from collections.abc import Callable, Mapping
from typing import Any

from mfcvae_jax import settings as settings_lib
from mfcvae_jax.estimator import checks
from mfcvae_jax.estimator.facet import facets_section
from mfcvae_jax.estimator.layout import Layout
from mfcvae_jax.ladder import conv

__all__ = ["make_settings", "n_held_back", "n_starts"]

# Examples per chunk of whatever is predicted.
_EVALUATION_BATCH = 256
# Steps for each facet, of one that is alone twice the least: fewer do not
# settle a facet of the digits; large sets take their time, within limits.
_LEAST_STEPS, _EPOCHS, _MOST_STEPS = 1650, 20, 4700
# A stage that leaves facets out gets so much of an equal share of the epochs,
# the first and those that follow: with more, its facet takes what others should
# find (docs/choosing.md), and later ones find nets that are trained already.
_FIRST_SHARE, _NEXT_SHARE = 0.4, 0.27
_WARM_UP_SHARE = 0.6
_FADE_IN_SHARE = 0.2
_LEAST_PRICE = 20.0  # nats
# Images of up to so many numbers are the size of the digits.
_SMALL = 256
_FEW, _MANY = 2_000, 20_000  # examples
# Up to few, up to many, and more: small sets need many steps more than exact
# gradients. Widths are those of the first layer and of deeper ones.
_BATCH_SIZES = 64, 128, 256
_WIDTHS = (128, 256), (256, 512), (500, 2000)
# Starts of several facets, for so many examples up to _MANY; with fewer, there
# is nothing to hold back, and with more, one takes long and seeds are alike.
# One facet finds what there is; a better bound does not make it purer.
_STARTS, _ENOUGH = 4, 100
_N_EVALUATIONS = 20
# Of the examples, and at most so many, to choose among starts by.
_HELD_BACK_SHARE, _MOST_HELD_BACK = 0.1, 5000


def n_starts(n_init: Any, n_facets: int, n_examples: int) -> int:
    """Returns how many starts a fit has, or raises ValueError."""
    is_worth_it = n_facets > 1 and _ENOUGH <= n_examples <= _MANY
    return checks.count_or_auto("n_init", n_init, _STARTS if is_worth_it else 1)


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
    """Completes parameters of ``MultiFacetClustering`` to settings of a run.

    Its facets have passed ``check_facets``. A batch splits evenly over
    ``n_devices``.

    Raises:
        ValueError: if a parameter is not allowed.
    """
    facets = params["facets"]
    n_init = n_starts(params["n_init"], len(facets), n_examples)
    n_examples -= n_held_back(n_init, n_examples)
    section = facets_section(facets, n_examples)
    most = max(section.n_components)
    if most > n_examples:
        raise ValueError(
            f"a facet has n_components={most}, more than the {n_examples} "
            "examples to train on: give it fewer components, or more examples"
        )
    size = bisect.bisect_left((_FEW, _MANY), n_examples)
    batch = min(
        checks.count_or_auto(
            "batch_size", params["batch_size"], _BATCH_SIZES[size]
        ),
        n_examples,
    )
    batch = max(batch - batch % n_devices, 1)
    is_small = layout.n_numbers <= _SMALL
    net = _net(params["net"], layout, section, _WIDTHS[0 if is_small else size])
    steps_per_epoch = n_examples // batch
    stage_epochs = _stage_epochs(params["epochs"], len(facets), steps_per_epoch)
    warm_up = _number(
        params["warm_up"],
        # No other family has a fit.
        _WARM_UP_SHARE if all(f.is_gaussian for f in facets) else 0.0,
        lambda share: 0 <= share < 1,
        "warm_up is a share of each stage: it must be 'auto' or a number from "
        "0 to less than 1",
    )
    # Where wide nets see tables of hundreds of columns, 1e-3 can diverge.
    is_conv = isinstance(net, settings_lib.ConvLadder)
    is_slow = is_conv or (layout.is_table and n_examples > _MANY)
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
            warm_up_epochs=tuple(
                min(max(round(warm_up * n), 1), n - 1) if warm_up else 0
                for n in stage_epochs
            ),
            redundancy_price=_number(
                params["redundancy_price"],
                # Larger images gain more nats by saying a thing twice.
                max(_LEAST_PRICE, layout.n_numbers / 50),
                lambda price: 0 <= price < math.inf,
                "redundancy_price must be 'auto' or a finite number of nats, "
                "at least 0",
            ),
        ),
        train=settings_lib.Training(
            batch_size=batch,
            learning_rate=_number(
                params["learning_rate"],
                5e-4 if is_slow else 1e-3,
                lambda rate: 0 < rate < math.inf,
                "learning_rate must be 'auto' or a positive finite number",
            ),
            n_samples=1,
            # F in closed form gives better clusters than M. After priors that
            # were fitted to nothing yet, it can leave the facets that come last
            # few of them (docs/estimators.md).
            estimator="closed_form"
            if warm_up or (len(facets) == 1 and facets[0].is_gaussian)
            else "five_terms",
            # It brings each layer down to 0.1. The deep dense nets of three
            # facets then sort less well (docs/recipe.md).
            data_dependent_init=is_conv or len(facets) < 3,
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


def _number(
    value: Any, auto: float, is_allowed: Callable[[float], bool], words: str
) -> float:
    """A parameter that is "auto" or a number, or ValueError in these words."""
    if checks.is_auto(value):
        return auto
    if not checks.is_number(value) or not is_allowed(float(value)):
        raise ValueError(f"{words}, got {value!r}")
    return float(value)


def _stage_epochs(
    epochs: Any, n_facets: int, steps_per_epoch: int
) -> tuple[int, ...]:
    """Length of each stage, deepest facet first."""
    if isinstance(epochs, tuple | list):
        for stage in epochs:
            checks.check_count("every entry of epochs", stage)
        if len(epochs) != n_facets:
            raise ValueError(
                f"epochs={epochs!r} must have an entry for each of the "
                f"{n_facets} facets, deepest first, or be a single number"
            )
        return tuple(map(int, epochs))
    if checks.is_auto(epochs):
        steps = _EPOCHS * steps_per_epoch
        least = _LEAST_STEPS * (2 if n_facets == 1 else 1)
        each = math.ceil(min(max(steps, least), _MOST_STEPS) / steps_per_epoch)
        epochs = max(each, 2) * n_facets
    checks.check_count("epochs", epochs)
    if epochs < n_facets:
        raise ValueError(
            f"epochs={epochs} is too few: each of the {n_facets} facets needs "
            "one of its own at least"
        )
    early = []
    for stage in range(n_facets - 1):
        share = _NEXT_SHARE if stage else _FIRST_SHARE
        early.append(max(round(share * epochs / n_facets), 1))
    return (*early, int(epochs) - sum(early))


def _net(
    net: Any,
    layout: Layout,
    facets: settings_lib.Facets,
    widths: tuple[int, int],
) -> settings_lib.Net:
    if type(net) in settings_lib.KINDS["net"].values():
        net.check(facets)
        return net
    if not isinstance(net, str) or net not in ("auto", "dense", "conv"):
        raise ValueError(
            "net must be 'auto', 'dense', 'conv' or a net of "
            f"mfcvae_jax.settings such as DenseLadder(...), got {net!r}"
        )
    if net == "conv":
        conv.check_image(len(facets), layout.image_shape)
        return settings_lib.ConvLadder(
            activation=settings_lib.Activation.ELU,
            weight_norm=True,
            output_norm=True,
            official_init=False,
        )
    (first, deeper), n_upper = widths, len(facets) - 1
    # A single facet is as deep as the deepest of several.
    trunk = ((first,),) + ((deeper,),) * n_upper if n_upper else (widths,)
    return settings_lib.DenseLadder(
        encoder_backbone=trunk,
        encoder_rungs=((),) * len(facets),
        decoder_rungs=tuple((layers[-1],) for layers in trunk),
        decoder_backbone=((first,),) * len(facets),
        activation=settings_lib.Activation.RELU,
        batch_norm=False,
        merge=settings_lib.Merge.CONCATENATE,
    )


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
    if layout.is_table:
        if likelihood == "bernoulli":
            raise ValueError(
                "likelihood='bernoulli' is for images in [0, 1], and X is a "
                "table, whose columns are standardised: use 'gaussian', or "
                "reshape X to images"
            )
        return settings_lib.Gaussian(0.5, settings_lib.OutputUnits.LINEAR)
    is_conv = isinstance(net, settings_lib.ConvLadder)
    is_grey = layout.image_shape[-1] == 1
    if likelihood == "auto" and is_grey and not is_conv:
        # Larger ones are like MNIST.
        likelihood = "gaussian" if layout.n_numbers <= _SMALL else "bernoulli"
    if likelihood == "bernoulli":
        return settings_lib.Bernoulli()
    return settings_lib.Gaussian(
        0.3 if is_conv else 0.15 if is_grey else 0.2,
        settings_lib.OutputUnits.SIGMOID,
    )
