# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of every net, against NumPy transcriptions of PyTorch's rules."""

import functools

import hypothesis
import jax
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import strategies as st
from scipy import stats

from mfcvae_jax.ladder import block
from mfcvae_jax.settings import Activation

_NUMPY = {
    Activation.RELU: lambda x: np.maximum(x, 0),
    Activation.LEAKY_RELU: lambda x: np.where(x > 0, x, 0.01 * x),
    Activation.ELU: lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}


@functools.partial(jax.jit, static_argnames="train")
def _batch_norm(variables, x, train):
    return block.BatchNorm().apply(variables, x, train, mutable=["batch_stats"])


def _pytorch_batch_norm(variables, x, train):
    """What ``torch.nn.BatchNorm1d`` documents, with momentum 0.1."""
    params, running = variables["params"], variables["batch_stats"]
    axes = tuple(range(x.ndim - 1))
    mean, var = running["mean"], running["var"]
    after = running
    if train:
        mean, var = x.mean(axes), x.var(axes)
        n = x[..., 0].size
        unbiased = x.var(axes, ddof=1) if n > 1 else 0 * var
        after = {
            "mean": 0.9 * running["mean"] + 0.1 * mean,
            "var": 0.9 * running["var"] + 0.1 * unbiased,
        }
    normal = (x - mean) / np.sqrt(var + 1e-5)
    return params["scale"] * normal + params["bias"], after


def _random_batch_norm(rng, n_channels):
    return {
        "params": {
            "scale": rng.uniform(0.5, 2, n_channels),
            "bias": rng.normal(size=n_channels),
        },
        "batch_stats": {
            "mean": rng.normal(size=n_channels),
            "var": rng.uniform(0.5, 2, n_channels),
        },
    }


class BatchNormTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        shape=((8, 3), (2, 3), (1, 3), (4, 5, 6, 2)), train=(True, False)
    )
    def test_equals_pytorch_s_rule(self, shape, train):
        rng = np.random.default_rng(0)
        variables = _random_batch_norm(rng, shape[-1])
        x = 3 + 2 * rng.normal(size=shape)
        ours, updated = _batch_norm(variables, x, train)
        theirs, after = _pytorch_batch_norm(variables, x, train)
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
        for name in ("mean", "var"):
            np.testing.assert_allclose(
                updated["batch_stats"][name], after[name], rtol=1e-12
            )

    def test_running_variance_is_the_unbiased_one_in_the_long_run(self):
        x = np.array([[-1.0], [1.0]])  # variance 1 biased, 2 unbiased
        variables = _random_batch_norm(np.random.default_rng(1), 1)
        for _ in range(200):
            _, updated = _batch_norm(variables, x, True)
            variables = {**variables, **jax.device_get(updated)}
        np.testing.assert_allclose(variables["batch_stats"]["var"], [2.0])
        np.testing.assert_allclose(
            variables["batch_stats"]["mean"], [0.0], atol=1e-8
        )

    @hypothesis.settings(max_examples=30)
    @hypothesis.given(
        seed=st.integers(0, 2**32 - 1),
        shift=st.floats(-1e3, 1e3),
        factor=st.floats(0.1, 1e3),
    )
    def test_output_in_training_ignores_shift_and_factor_of_the_input(
        self, seed, shift, factor
    ):
        rng = np.random.default_rng(seed)
        variables = _random_batch_norm(rng, 3)
        x = rng.normal(size=(8, 3))
        # Away from the 1e-5 that is added to the variance.
        x *= 10 / x.std(axis=0)
        before, _ = _batch_norm(variables, x, True)
        after, _ = _batch_norm(variables, shift + factor * x, True)
        np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-4)

    def test_starting_values_are_kept_while_initialising(self):
        x = 5 + np.random.default_rng(2).normal(size=(4, 2))
        variables = jax.jit(
            functools.partial(block.BatchNorm().init, train=True)
        )(jax.random.key(0), x)
        wanted = {
            "params": {"scale": np.ones(2), "bias": np.zeros(2)},
            "batch_stats": {"mean": np.zeros(2), "var": np.ones(2)},
        }
        jax.tree.map(np.testing.assert_array_equal, variables, wanted)

    def test_evaluation_leaves_other_examples_out(self):
        rng = np.random.default_rng(3)
        variables = _random_batch_norm(rng, 3)
        x = rng.normal(size=(8, 3))
        together, _ = _batch_norm(variables, x, False)
        alone, _ = _batch_norm(variables, x[:1], False)
        np.testing.assert_allclose(together[:1], alone, rtol=1e-12)


class ActivateTest(parameterized.TestCase):
    @parameterized.parameters(*Activation)
    def test_equals_its_formula(self, activation):
        x = np.array([-200.0, -3.0, -1e-3, 0.0, 1e-3, 2.0, 200.0])
        with jax.enable_x64(True):
            ours = jax.jit(functools.partial(block.activate, activation))(x)
        np.testing.assert_allclose(ours, _NUMPY[activation](x), rtol=1e-12)


class DrawTest(parameterized.TestCase):
    @parameterized.parameters((64, 200), (400, 50), (1, 5000))
    def test_weights_and_biases_are_uniform_in_pytorch_s_bounds(
        self, fan_in, width
    ):
        layer = block.dense(width, fan_in)
        params = jax.jit(layer.init)(
            jax.random.key(4), np.zeros((1, fan_in), np.float32)
        )["params"]
        limit = 1 / np.sqrt(fan_in)
        self.assertEqual(params["kernel"].shape, (fan_in, width))
        self.assertEqual(params["bias"].shape, (width,))
        for name, drawn in params.items():
            drawn = np.asarray(drawn).ravel()
            self.assertLessEqual(np.max(np.abs(drawn)), limit, name)
            # A variance limit^2/3, to five standard errors of an estimate.
            tolerance = 5 * np.sqrt(0.8 / drawn.size)
            np.testing.assert_allclose(
                np.mean(drawn**2), limit**2 / 3, rtol=tolerance, err_msg=name
            )
            law = stats.uniform(-limit, 2 * limit)
            self.assertGreater(stats.kstest(drawn, law.cdf).pvalue, 1e-3, name)

    def test_bias_is_drawn_apart_from_the_weights(self):
        params = jax.jit(block.dense(50, 1).init)(
            jax.random.key(5), np.zeros((1, 1), np.float32)
        )["params"]
        self.assertLess(
            abs(np.corrcoef(params["kernel"][0], params["bias"])[0, 1]), 0.5
        )


class DenseBlockTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.product(
        activation=tuple(Activation), batch_norm=(True, False)
    )
    def test_is_linear_then_activation_then_batch_norm(
        self, activation, batch_norm
    ):
        rng = np.random.default_rng(6)
        widths = (3, 5, 4)  # of the input and of two layers
        params, batch_stats = {}, {}
        x = rng.normal(size=(6, 3))
        h = x
        for i, (fan_in, width) in enumerate(
            zip(widths[:-1], widths[1:], strict=True)
        ):
            layer = {
                "kernel": rng.normal(size=(fan_in, width)),
                "bias": rng.normal(size=width),
            }
            params[f"dense_{i}"] = layer
            h = _NUMPY[activation](h @ layer["kernel"] + layer["bias"])
            if batch_norm:
                variables = _random_batch_norm(rng, width)
                name = f"batch_norm_{i}"
                params[name] = variables["params"]
                batch_stats[name] = variables["batch_stats"]
                h, _ = _pytorch_batch_norm(variables, h, True)
        module = block.DenseBlock(
            widths[1:], activation, block.BatchNorm if batch_norm else None
        )

        @jax.jit
        def apply(variables, x):
            return module.apply(variables, x, True, mutable=["batch_stats"])

        ours, _ = apply({"params": params, "batch_stats": batch_stats}, x)
        np.testing.assert_allclose(ours, h, rtol=1e-9, atol=1e-11)

    @parameterized.parameters(block.BatchNorm, None)
    def test_without_widths_is_the_identity_and_has_no_parameters(self, norm):
        module = block.DenseBlock((), Activation.RELU, norm)
        x = np.random.default_rng(7).normal(size=(2, 3))
        h, variables = module.init_with_output(jax.random.key(0), x, True)
        np.testing.assert_array_equal(h, x)
        self.assertEmpty(variables)


class HeadsTest(absltest.TestCase):
    def test_mean_and_log_variance_are_two_linear_maps(self):
        rng = np.random.default_rng(8)
        params = {
            name: {
                "kernel": rng.normal(size=(5, 2)),
                "bias": rng.normal(size=2),
            }
            for name in ("mean", "log_var")
        }
        h = rng.normal(size=(3, 5))
        with jax.enable_x64(True):
            q = jax.jit(block.Heads(2).apply)({"params": params}, h)
        for name, layer in params.items():
            np.testing.assert_allclose(
                getattr(q, name),
                h @ layer["kernel"] + layer["bias"],
                rtol=1e-12,
                err_msg=name,
            )


if __name__ == "__main__":
    absltest.main()
