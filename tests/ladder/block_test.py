# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of every net, against NumPy transcriptions of PyTorch's rules."""

import functools

import jax
import numpy as np
from absl.testing import parameterized
from jax import test_util
from scipy import stats

from mfcvae_jax.ladder import block
from mfcvae_jax.settings import Activation
from tests import oracles
from tests.ladder import nets


@functools.partial(jax.jit, static_argnames="train")
def _batch_norm(variables, x, train):
    return block.BatchNorm().apply(variables, x, train, mutable=["batch_stats"])


class BatchNormTest(oracles.DoubleTestCase):
    @parameterized.product(
        shape=((8, 3), (2, 3), (1, 3), (4, 5, 6, 2)), train=(True, False)
    )
    def test_equals_pytorch_s_rule(self, shape, train):
        x = 3 + 2 * np.random.default_rng(0).normal(size=shape)
        variables = nets.random_variables(block.BatchNorm(), x)
        ours, updated = _batch_norm(variables, x, train)
        theirs, after = nets.batch_norm(
            variables["params"], variables["batch_stats"], x, train
        )
        self.assert_close(ours, theirs)
        jax.tree.map(self.assert_close, updated["batch_stats"], after)

    @parameterized.parameters((8, 3), (2, 3), (4, 5, 6, 2))
    def test_gradients_are_those_of_finite_differences(self, *shape):
        x = 3 + 2 * np.random.default_rng(1).normal(size=shape)
        variables = nets.random_variables(block.BatchNorm(), x)

        def normalise(params, x):
            return _batch_norm(variables | {"params": params}, x, True)[0]

        test_util.check_grads(
            normalise, (variables["params"], x), order=1, modes=["rev"]
        )

    def test_a_batch_in_parts_has_the_gradients_of_the_whole(self):
        x, slope = np.random.default_rng(3).normal(size=(2, 2, 4, 3))
        variables = nets.random_variables(block.BatchNorm(), x)

        def loss(axis_name, params, x, slope):
            norm = block.BatchNorm(axis_name)
            variables_ = variables | {"params": params}
            y, _ = norm.apply(variables_, x, True, mutable=["batch_stats"])
            return (y * slope).sum()

        def gradients(axis_name):
            return jax.grad(functools.partial(loss, axis_name), (0, 1))

        params = variables["params"]
        parts = jax.vmap(gradients("parts"), (None, 0, 0), axis_name="parts")
        of_params, of_x = jax.jit(parts)(params, x, slope)
        theirs, of_whole = jax.jit(gradients(None))(
            params, x.reshape(8, 3), slope.reshape(8, 3)
        )
        self.assert_close(of_x.reshape(8, 3), of_whole)
        jax.tree.map(
            lambda ours, whole: self.assert_close(ours.sum(0), whole),
            of_params,
            theirs,
        )

    def test_starting_values_are_kept_while_initialising(self):
        x = 5 + np.random.default_rng(2).normal(size=(4, 2))
        variables = block.BatchNorm().init(jax.random.key(0), x, train=True)
        wanted = {
            "params": {"scale": np.ones(2), "bias": np.zeros(2)},
            "batch_stats": {"mean": np.zeros(2), "var": np.ones(2)},
        }
        jax.tree.map(np.testing.assert_array_equal, variables, wanted)


class DrawTest(parameterized.TestCase):
    @parameterized.parameters((64, 200), (400, 50), (1, 5000))
    def test_weights_and_biases_are_uniform_in_pytorch_s_bounds(
        self, fan_in, width
    ):
        params = jax.jit(block.dense(width, fan_in).init)(
            jax.random.key(4), np.zeros((1, fan_in), np.float32)
        )["params"]
        limit = 1 / np.sqrt(fan_in)
        self.assertEqual(params["kernel"].shape, (fan_in, width))
        self.assertEqual(params["bias"].shape, (width,))
        for name, drawn in params.items():
            drawn = np.asarray(drawn).ravel()
            self.assertLessEqual(np.max(np.abs(drawn)), limit, name)
            law = stats.uniform(-limit, 2 * limit)
            self.assertGreater(stats.kstest(drawn, law.cdf).pvalue, 1e-3, name)
        if fan_in == 1:  # the two are drawn apart
            both = np.corrcoef(params["kernel"][0], params["bias"])
            self.assertLess(abs(both[0, 1]), 0.1)


class DenseBlockTest(oracles.DoubleTestCase):
    @parameterized.product(
        activation=tuple(Activation), has_batch_norm=(True, False)
    )
    def test_is_linear_then_activation_then_batch_norm(
        self, activation, has_batch_norm
    ):
        norm = block.BatchNorm if has_batch_norm else None
        module = block.DenseBlock((5, 4), activation, norm)
        x = np.random.default_rng(6).normal(size=(6, 3))
        variables = nets.random_variables(module, x)
        params, running = variables["params"], variables.get("batch_stats")
        h = x
        for i in range(2):
            h = nets.ACTIVATE[activation](nets.linear(params[f"dense_{i}"], h))
            if has_batch_norm:
                name = f"batch_norm_{i}"
                h, _ = nets.batch_norm(params[name], running[name], h, True)
        ours, _ = jax.jit(
            lambda v, x: module.apply(v, x, True, mutable=["batch_stats"])
        )(variables, x)
        self.assert_close(ours, h)

    @parameterized.parameters(*Activation)
    def test_activations_are_exact_near_and_far_from_0(self, activation):
        x = np.array([-200.0, -3.0, -1e-3, 0.0, 1e-3, 2.0, 200.0])
        self.assert_close(
            block.activate(activation, x), nets.ACTIVATE[activation](x)
        )
