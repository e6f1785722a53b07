# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Data-dependent initialisation against the official one and its own aim."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mfcvae_jax import model as model_lib
from mfcvae_jax import official
from mfcvae_jax.ladder import conv
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.training import data_init, state
from tests import examples, fixtures
from tests.training import device_cases

pytestmark = pytest.mark.slow


def _standardised(model, x):
    """New variables of a model, and the noise of their batch."""
    key, noise_key, redraw_key = jax.random.split(jax.random.key(0), 3)
    noise = draw_noise(noise_key, model.facets.latent_dim, 1, len(x))
    found = data_init.data_dependent_init(model, key, x, noise, redraw_key)
    return found, noise


@pytest.mark.parametrize("name", ["F7", "F7b"])
def test_every_layer_equals_the_official_one(name):
    fixture = fixtures.load(name)
    settings = fixture.settings()
    model = model_lib.make_model(settings, fixture.image_shape)
    with jax.enable_x64(True):
        before = official.variables_from_state_dict(
            {
                key: np.asarray(value, np.float64)
                for key, value in fixture.under("before/").items()
            },
            settings,
            fixture.image_shape,
        )
        found = data_init.standardise_layers(
            model, before, *fixture.batch("", jnp.float64)
        )
        ours = fixture.in_official_layout(found, "before/")
    after = fixture.entries("after/", "after_sub/", "after_stride/")
    for key, value in ours.items():
        truth, stride = after[key]
        np.testing.assert_allclose(
            value[::stride], truth, rtol=1e-9, atol=1e-12, err_msg=key
        )


def test_heads_and_output_have_the_wanted_spread_on_the_batch():
    x = examples.images(64)
    model = model_lib.make_model(examples.settings(), (8, 8, 1))
    found, noise = _standardised(model, x)
    forward = model.apply(found, x, noise, jnp.ones(2), train=False)
    for q in forward.posteriors:
        for head in q:
            np.testing.assert_allclose(np.mean(head), 0, atol=1e-5)
            np.testing.assert_allclose(np.std(head), 0.1, rtol=0.01)
    np.testing.assert_allclose(np.std(forward.output), 0.1, rtol=0.01)


@pytest.mark.parametrize("official_init", [True, False])
def test_every_channel_of_every_convolution_has_the_wanted_spread(
    official_init,
):
    model = device_cases.make_stepper("conv").model
    net = dataclasses.replace(model.net, official_init=official_init)
    model = model.clone(net=net)
    x = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
    found, noise = _standardised(model, x)
    spread = {}

    def look(call, args, kwargs, context):
        output = call(*args, **kwargs)
        if isinstance(context.module, conv.Convolution):
            path = "/".join(context.module.path)
            spread[path] = np.std(output, axis=(0, 1, 2))
        return output

    with nn.intercept_methods(look):
        model.apply(
            found, x, noise, np.ones(1), train=True, mutable="batch_stats"
        )
    assert len(spread) == 4
    for path, std in spread.items():
        if not official_init or path.startswith("decoder"):
            # 1e-5 is added to a variance that is small at first.
            np.testing.assert_allclose(std, 0.1, rtol=0.01, err_msg=path)
        else:
            assert np.max(np.abs(std - 0.1)) > 0.02, path
    (in_training, _), (q,) = (
        model.apply(found, x, method="encode", train=True, mutable=True),
        model.apply(found, x, method="encode", train=False),
    )
    spread_in_training = np.std(in_training[0].mean)
    if official_init:
        assert np.std(q.mean) < 0.1 * spread_in_training
    else:
        # But for the variance of a batch, unbiased or not.
        np.testing.assert_allclose(
            q.mean, in_training[0].mean, atol=0.05 * spread_in_training
        )


def test_priors_are_left_alone():
    model = model_lib.make_model(examples.settings(), (8, 8, 1))
    start = state.initial_variables(model, jax.random.key(0))["params"]
    redrawn = data_init.redraw(start, jax.random.key(1))
    for prior in ("priors_0", "priors_1"):
        jax.tree.map(
            np.testing.assert_array_equal, redrawn[prior], start[prior]
        )
    kernel = redrawn["encoder"]["backbone_0"]["dense_0"]["kernel"]
    np.testing.assert_allclose(
        np.std(kernel), np.sqrt(2 / kernel.shape[0]), rtol=0.05
    )
