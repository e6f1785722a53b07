# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training state: its starting values."""

import functools

import jax
import numpy as np
import optax
import pytest
from flax import traverse_util

from mfcvae_jax import model as model_lib
from mfcvae_jax.training import state
from tests import examples
from tests.training import device_cases


@pytest.fixture(scope="module")
def initial():
    """Initial variables of a net with batch norm, by seed."""
    model = device_cases.make_stepper("small").model
    return lambda seed: state.initial_variables(model, jax.random.key(seed))


def test_same_key_gives_the_same_values_and_another_key_others(initial):
    first, again, other = initial(0), initial(0), initial(1)
    jax.tree.map(np.testing.assert_array_equal, again, first)

    def assert_differs(ours, theirs):
        # All but the constants that batch norm starts from.
        if np.ptp(ours) > 0:
            assert not np.any(np.asarray(ours) == theirs)

    for net in ("encoder", "decoder"):
        jax.tree.map(assert_differs, first["params"][net], other["params"][net])
    heads = first["params"]["encoder"]["heads_0"]
    assert not np.any(heads["mean"]["kernel"] == heads["log_var"]["kernel"])


def test_layers_start_within_pytorch_s_bounds(initial):
    params = initial(0)["params"]
    for layer, fan_in in (
        (params["encoder"]["backbone_0"]["dense_0"], 64),
        (params["encoder"]["heads_0"]["mean"], 8),
        (params["decoder"]["output"], 16),
    ):
        assert layer["kernel"].shape[0] == fan_in
        for value in layer.values():
            largest = np.max(np.abs(value))
            assert 0.5 * fan_in**-0.5 < largest <= fan_in**-0.5


def test_batch_statistics_start_at_mean_0_and_variance_1(initial):
    found = traverse_util.flatten_dict(initial(0)["batch_stats"])
    assert len(found) == 2 * 4  # of the encoder and the decoder, two each
    for path, value in found.items():
        assert np.all(value == {"mean": 0, "var": 1}[path[-1]])


def test_batch_statistics_are_there_even_without_batch_norm():
    model = model_lib.make_model(examples.settings(), (8, 8, 1))
    make = functools.partial(state.initial_variables, model)
    found = jax.eval_shape(make, jax.random.key(0))
    assert found["batch_stats"] == {}


def test_starts_before_the_first_step_with_the_variables_and_the_key():
    variables = {
        "params": {"w": np.ones((2, 3), np.float32)},
        "batch_stats": {"mean": np.zeros(3, np.float32)},
    }
    key = jax.random.key(5)
    made = state.make_state(variables, optax.adam(1e-3), key)
    # All of it is data, so that it passes through jit.
    made = jax.jit(lambda s: s)(made)
    assert isinstance(made, state.TrainState)
    assert int(made.step) == 0
    moments = made.opt_state[0]
    assert int(moments.count) == 0
    for moment in (moments.mu, moments.nu):
        np.testing.assert_array_equal(moment["w"], np.zeros((2, 3)))
    jax.tree.map(np.testing.assert_array_equal, made.variables, variables)
    np.testing.assert_array_equal(made.key, jax.random.key_data(key))
