# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training state: its parts, and the noise that follows from its key."""

import functools

import jax
import numpy as np
import optax
from absl.testing import absltest, parameterized
from scipy import stats

from mfcvae_jax import model as model_lib
from mfcvae_jax.training import state
from tests import examples

_draw = jax.jit(state.draw_noise, static_argnums=(1, 2, 3))


@functools.cache
def _model(batch_norm=True):
    """One small facet, quick to compile."""
    chosen = examples.settings(
        facets={
            "n_components": (4,),
            "latent_dim": (2,),
            "covariance": ("full",),
            "learn_weights": (True,),
        },
        net={
            **examples.config()["net"],
            "encoder_backbone": ((16,),),
            "encoder_rungs": ((),),
            "decoder_rungs": ((),),
            "decoder_backbone": ((),),
            "batch_norm": batch_norm,
        },
        progressive={"stage_epochs": (1,)},
    )
    return model_lib.make_model(chosen, (8, 8, 1))


@functools.cache
def _initial(seed):
    return state.initial_variables(_model(), jax.random.key(seed))


class NoiseTest(parameterized.TestCase):
    def test_has_one_array_per_facet(self):
        noise = jax.eval_shape(
            lambda key: state.draw_noise(key, (2, 3, 2), 4, 5),
            jax.random.key(0),
        )
        self.assertEqual(
            [n.shape for n in noise], [(4, 5, 2), (4, 5, 3), (4, 5, 2)]
        )

    def test_same_key_gives_the_same_noise_and_another_key_another(self):
        first, again, other = (
            _draw(jax.random.key(seed), (3, 3), 1, 5) for seed in (0, 0, 1)
        )
        jax.tree.map(np.testing.assert_array_equal, first, again)
        for one, two in zip(first, other, strict=True):
            self.assertFalse(np.any(one == two))

    def test_facets_of_equal_size_get_noise_of_their_own(self):
        first, second = _draw(jax.random.key(0), (3, 3), 1, 5)
        self.assertFalse(np.any(first == second))

    def test_a_facet_s_noise_does_not_depend_on_the_others(self):
        alone = _draw(jax.random.key(0), (3,), 1, 5)[0]
        np.testing.assert_array_equal(
            alone, _draw(jax.random.key(0), (3, 3), 1, 5)[0]
        )

    def test_is_standard_normal(self):
        noise = _draw(jax.random.key(2), (3, 2), 20, 100)
        for drawn in noise:
            result = stats.kstest(np.ravel(drawn), stats.norm.cdf)
            self.assertGreater(result.pvalue, 1e-3)


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

    def test_layers_have_draws_of_their_own(self):
        params = _initial(0)["params"]
        heads = params["encoder"]["heads_0"]
        self.assertFalse(
            np.any(heads["mean"]["kernel"] == heads["log_var"]["kernel"])
        )

    def test_layers_start_within_pytorch_s_bounds(self):
        params = _initial(0)["params"]
        for layer, fan_in in (
            (params["encoder"]["backbone_0"]["dense_0"], 64),
            (params["encoder"]["heads_0"]["mean"], 16),
            (params["decoder"]["output"], 2),
        ):
            self.assertEqual(layer["kernel"].shape[0], fan_in)
            for value in layer.values():
                largest = np.max(np.abs(value))
                self.assertLessEqual(largest, fan_in**-0.5)
                self.assertGreater(largest, 0.5 * fan_in**-0.5)

    def test_batch_statistics_start_at_mean_0_and_variance_1(self):
        ((name, found),) = _initial(0)["batch_stats"]["encoder"].items()
        self.assertEqual(name, "backbone_0")
        np.testing.assert_array_equal(
            found["batch_norm_0"]["mean"], np.zeros(16)
        )
        np.testing.assert_array_equal(found["batch_norm_0"]["var"], np.ones(16))

    def test_batch_statistics_are_there_even_without_batch_norm(self):
        found = jax.eval_shape(
            functools.partial(
                state.initial_variables, _model(batch_norm=False)
            ),
            jax.random.key(0),
        )
        self.assertEqual(found["batch_stats"], {})


class MakeStateTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.variables = {
            "params": {"w": np.ones((2, 3), np.float32)},
            "batch_stats": {"mean": np.zeros(3, np.float32)},
        }
        self.state = state.make_state(
            self.variables, optax.adam(1e-3), jax.random.key(5)
        )

    def test_starts_before_the_first_step(self):
        self.assertEqual(int(self.state.step), 0)
        self.assertEqual([int(n) for n in self.state.progressive], [0, 0])
        moments = self.state.opt_state[0]
        self.assertEqual(int(moments.count), 0)
        for moment in (moments.mu, moments.nu):
            np.testing.assert_array_equal(moment["w"], np.zeros((2, 3)))

    def test_keeps_variables_and_key(self):
        self.assertEqual(self.state.variables.keys(), {"params", "batch_stats"})
        for name, tree in self.variables.items():
            jax.tree.map(
                np.testing.assert_array_equal, self.state.variables[name], tree
            )
        np.testing.assert_array_equal(
            jax.random.key_data(self.state.key),
            jax.random.key_data(jax.random.key(5)),
        )

    def test_is_all_data_so_that_it_passes_through_jit(self):
        back = jax.jit(lambda s: s)(self.state)
        self.assertEqual(
            jax.tree.structure(back), jax.tree.structure(self.state)
        )
        self.assertIsInstance(back, state.TrainState)


if __name__ == "__main__":
    absltest.main()
