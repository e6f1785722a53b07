# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The settings that follow from the data and from what the user asked for."""

import numpy as np
import pytest

from mfcvae_jax import Facet, MultiFacetClustering, views
from mfcvae_jax import config as config_lib
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.estimator.defaults import make_settings
from mfcvae_jax.estimator.layout import layout_of
from tests.estimator.small_fits import FACETS, IMAGES
from tests.scripts import CONFIGS


def defaults(x=IMAGES, facets=FACETS, n_devices=1, n=None, **asked):
    """Settings for x, or for n examples like those of x."""
    params = MultiFacetClustering(facets, **asked).get_params(deep=False)
    return make_settings(
        params, layout_of(x), n or len(x), n_devices=n_devices, seed=0
    )


def noise(*shape):
    return np.random.RandomState(0).uniform(size=(2, *shape))


def test_published_schedule_of_the_digits():
    config = config_lib.load(CONFIGS / "published/digits.py")
    expected = config_lib.from_config(config.to_dict())
    facets = (Facet(10, 8, "diagonal"), Facet(25, 5, "diagonal"))
    x = np.float32(np.concatenate([IMAGES] * 5)[:1438] / 16)
    found = defaults(
        x, facets, epochs=(150, 150), warm_up=0, redundancy_price=0
    )
    for name in ("facets", "likelihood", "prior_init", "precision"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("learning_rate", "estimator", "n_samples"):
        assert getattr(found.train, name) == getattr(expected.train, name)
    assert found.progressive.warm_ups == expected.progressive.warm_ups
    for name in ("stage_epochs", "redundancy_price", "fade_in"):
        ours = getattr(found.progressive, name)
        assert ours == getattr(expected.progressive, name)


def test_the_recipe_is_the_default():
    found = defaults(noise(8, 8, 3), (Facet(), Facet(), Facet()), n=3000)
    # 2700 to train on, so 21 steps an epoch, and 79 epochs a facet.
    assert found.progressive.stage_epochs == (32, 21, 184)
    assert found.progressive.warm_up_epochs == (19, 13, 110)
    assert found.progressive.redundancy_price == 20
    large_table = np.random.RandomState(0).normal(size=(2, 768))
    assert defaults(large_table, n=30_000).train.learning_rate == 5e-4
    assert defaults(large_table, n=3000).train.learning_rate == 1e-3
    larger = defaults(noise(32, 32, 3), n=3000)
    assert larger.progressive.redundancy_price == 61.44
    assert found.train.estimator == "closed_form"
    assert not found.train.data_dependent_init
    assert larger.train.data_dependent_init
    conv = defaults(noise(32, 32, 3), (Facet(),) * 3, n=3000, net="conv")
    assert conv.train.data_dependent_init
    assert found.facets.latent_dim == (16, 1, 1)
    covariances = {form.value for form in found.facets.covariance}
    assert covariances == {"full"}
    (view,) = defaults(IMAGES, (Facet(view=views.Noise(1)),)).facets.view
    assert view == (views.Noise(1.0),)
    assert defaults(IMAGES, (Facet(), Facet())).facets.latent_dim == (16, 2)
    seen = (Facet(), Facet(view=views.Noise(1)))
    assert defaults(IMAGES, seen).facets.latent_dim == (16, 16)


@pytest.mark.parametrize(
    ("shape", "n", "batch_size", "widths", "std"),
    [
        ((8, 8), 300, 64, (128, 256), 0.15),
        ((28, 28), 300, 64, (128, 256), None),
        ((64, 64, 3), 1500, 64, (128, 256), 0.2),
        ((9, 7, 3), 10_000, 128, (128, 256), 0.2),
        ((28, 28), 10_000, 128, (256, 512), None),
        ((32, 32, 3), 10_000, 128, (256, 512), 0.2),
        ((33, 33), 30_000, 256, (500, 2000), None),
        ((40,), 30_000, 256, (128, 256), 0.5),
    ],
)
def test_net_batches_and_likelihood_follow_the_data(
    shape, n, batch_size, widths, std
):
    found = defaults(noise(*shape), n=n)
    assert found.train.batch_size == batch_size
    assert found.net.encoder_backbone == tuple((w,) for w in widths)
    output = "linear" if len(shape) == 1 else "sigmoid"
    assert found.likelihood == (
        settings_lib.Gaussian(std, settings_lib.OutputUnits(output))
        if std
        else settings_lib.Bernoulli()
    )


@pytest.mark.parametrize(
    ("n", "epochs"), [(300, 825), (50_000, 20), (400_000, 4)]
)
def test_one_facet_takes_a_sensible_number_of_steps(n, epochs):
    found = defaults(noise(8), (Facet(4, 2),), n=n)
    assert found.progressive.stage_epochs == (epochs,)
    # It is that of the VaDE configs.
    assert found.train.estimator == "closed_form"


def test_epochs():
    two = (Facet(4, 2),) * 2
    for n_epochs, expected in ((2, (1, 1)), (5, (1, 4)), (80, (16, 64))):
        found = defaults(IMAGES, two, epochs=n_epochs).progressive
        assert found.stage_epochs == expected
    three = defaults(IMAGES, (*two, Facet(4, 2)), epochs=120).progressive
    assert three.stage_epochs == (16, 11, 93)
    (one,) = defaults(IMAGES, two[:1], epochs=7).progressive.stage_epochs
    assert one == 7
    found = defaults(IMAGES, two, epochs=[7, 3]).progressive
    assert found.stage_epochs == (7, 3)
    assert found.fade_in_steps <= 3 * 2


def test_batches_have_an_equal_part_for_each_device():
    few = defaults(IMAGES[:20], batch_size=128)
    assert few.train.batch_size == 20
    found = defaults(IMAGES[:30], n_devices=8)
    assert found.train.batch_size == 24


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"facets": [Facet(301)] * 2}, "n_components=301, more than the 270"),
        ({"epochs": 1}, "too few: each of the 2 facets"),
        ({"epochs": 0}, "epochs must be an integer of at least 1"),
        ({"epochs": 2.5}, "epochs must be an integer"),
        ({"epochs": "many"}, "epochs must be an integer"),
        ({"epochs": (1, 2, 3)}, "an entry for each of the 2 facets"),
        ({"likelihood": "poisson"}, "likelihood must be 'auto'"),
        ({"x": IMAGES[:, 3], "likelihood": "bernoulli"}, "X is a table"),
        ({"net": "resnet"}, "net must be 'auto'"),
        ({"net": "conv"}, "image"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"n_init": True}, "n_init must be an integer of at least 1 or auto"),
        ({"n_init": "2"}, "n_init must be"),
        ({"n_init": None}, "n_init must be"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"learning_rate": "fast"}, "learning_rate must be"),
        ({"warm_up": 1}, "from 0 to less than 1, got 1"),
        ({"warm_up": (0.5, 0.5)}, "warm_up is a share of each stage"),
        ({"redundancy_price": -1}, "redundancy_price must be"),
        ({"redundancy_price": "high"}, "number of nats"),
    ],
)
def test_parameters_that_are_not_allowed(params, expected):
    with pytest.raises(ValueError, match=expected):
        defaults(**params)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"n_components": 0}, "n_components must be"),
        ({"n_components": True}, "n_components must be"),
        ({"n_components": "many"}, "at least 1 or auto, got 'many'"),
        ({"latent_dim": 2.5}, "latent_dim must be"),
        ({"latent_dim": "many"}, "at least 1 or auto, got 'many'"),
        ({"covariance": "round"}, "covariance must be"),
        ({"learn_weights": 1}, "learn_weights must be"),
        ({"view": "affine"}, r"view must .* got 'affine'.*\['affine', 'col"),
        ({"view": [views.Noise(1), None]}, "view must .* got None"),
        ({"view": views.Affine}, "view must .* got <class"),
        (
            {"n_components": "auto", "learn_weights": False},
            "needs learn_weights=True",
        ),
    ],
)
def test_facets_that_are_not_allowed(given, expected):
    with pytest.raises(ValueError, match=f"Facet: .*{expected}"):
        Facet(**given)


def test_a_view_is_kept_as_what_is_applied_in_turn():
    affine, noise = views.Affine(rotation=15), views.Noise(0.1)
    facet = Facet(4, 2, view=affine)
    assert facet == Facet(4, 2, view=(affine,)) != Facet(4, 2)
    assert "view=(Affine(rotation=15.0" in repr(facet)
    facets = [facet, Facet(4, 2), Facet(6, 3, view=[affine, noise])]
    found = defaults(IMAGES, facets).facets
    assert found.view == ((affine,), (), (affine, noise))
