# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training state: its starting values."""

import functools

import jax
import numpy as np
import optax
from absl.testing import absltest

from mfcvae_jax import model as model_lib
from mfcvae_jax.training import state
from tests import examples


@functools.cache
def _model(batch_norm=True):
    """Facets of one layer each, quick to compile."""
    layers = {
        "encoder_backbone": ((16,), ()),
        "decoder_rungs": ((), ()),
        "decoder_backbone": ((), ()),
        "batch_norm": batch_norm,
        "merge": "concatenate",
    }
    chosen = examples.settings(net={**examples.config()["net"], **layers})
    return model_lib.make_model(chosen, (8, 8, 1))


@functools.cache
def _initial(seed):
    return state.initial_variables(_model(), jax.random.key(seed))


class InitialVariablesTest(absltest.TestCase):
    def test_same_key_gives_the_same_values_and_another_key_others(self):
        first, other = _initial(0), _initial(1)
        again = state.initial_variables(_model(), jax.random.key(0))
        jax.tree.map(np.testing.assert_array_equal, again, first)
        for net in ("encoder", "decoder"):
            for ours, theirs in zip(
                jax.tree.leaves(first["params"][net]),
                jax.tree.leaves(other["params"][net]),
                strict=True,
            ):
                # All but the constants that batch norm starts from.
                if np.ptp(ours) > 0:
                    self.assertFalse(np.any(np.asarray(ours) == theirs))
        heads = first["params"]["encoder"]["heads_0"]
        self.assertFalse(
            np.any(heads["mean"]["kernel"] == heads["log_var"]["kernel"])
        )

    def test_layers_start_within_pytorch_s_bounds(self):
        params = _initial(0)["params"]
        for layer, fan_in in (
            (params["encoder"]["backbone_0"]["dense_0"], 64),
            (params["encoder"]["heads_0"]["mean"], 16),
            (params["decoder"]["output"], 5),
        ):
            self.assertEqual(layer["kernel"].shape[0], fan_in)
            for value in layer.values():
                largest = np.max(np.abs(value))
                self.assertLessEqual(largest, fan_in**-0.5)
                self.assertGreater(largest, 0.5 * fan_in**-0.5)

    def test_batch_statistics_start_at_mean_0_and_variance_1(self):
        wanted = {"mean": np.zeros(16), "var": np.ones(16)}
        jax.tree.map(
            np.testing.assert_array_equal,
            _initial(0)["batch_stats"],
            {"encoder": {"backbone_0": {"batch_norm_0": wanted}}},
        )

    def test_batch_statistics_are_there_even_without_batch_norm(self):
        model = _model(batch_norm=False)
        found = jax.eval_shape(
            functools.partial(state.initial_variables, model), jax.random.key(0)
        )
        self.assertEqual(found["batch_stats"], {})


class MakeStateTest(absltest.TestCase):
    def test_starts_before_the_first_step_with_the_variables_and_the_key(self):
        variables = {
            "params": {"w": np.ones((2, 3), np.float32)},
            "batch_stats": {"mean": np.zeros(3, np.float32)},
        }
        key = jax.random.key(5)
        made = state.make_state(variables, optax.adam(1e-3), key)
        # All of it is data, so that it passes through jit.
        made = jax.jit(lambda s: s)(made)
        self.assertIsInstance(made, state.TrainState)
        self.assertEqual(int(made.step), 0)
        moments = made.opt_state[0]
        self.assertEqual(int(moments.count), 0)
        for moment in (moments.mu, moments.nu):
            np.testing.assert_array_equal(moment["w"], np.zeros((2, 3)))
        jax.tree.map(np.testing.assert_array_equal, made.variables, variables)
        plain = state.with_key_data(made)
        np.testing.assert_array_equal(plain.key, jax.random.key_data(key))
        self.assertEqual(state.with_typed_key(plain).key, key)
