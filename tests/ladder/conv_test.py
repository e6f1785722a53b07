# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The convolutional ladder, against a forward pass written out by hand."""

import dataclasses
import functools
import math
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mfcvae_jax.ladder import conv, convolution
from mfcvae_jax.settings import Activation, ConvLadder
from tests import oracles
from tests.ladder import nets

_NET = ConvLadder(
    activation=Activation.ELU,
    weight_norm=True,
    output_norm=True,
    official_init=False,
)


def _narrow():
    """The same ladder with few channels, to be quick."""
    return mock.patch.object(conv, "CHANNELS", 2)


def _batch_norm(variables, block, i, h):
    """Activation and batch norm i of a block, in evaluation."""
    name = f"batch_norm_{i}"
    h, _ = nets.batch_norm(
        variables["params"][block][name],
        variables["batch_stats"][block][name],
        nets.ACTIVATE[_NET.activation](h),
    )
    return h


def _layer(variables, block, i, h, stride, is_transposed=False):
    """Convolution i of a block with activation and batch norm."""
    params = variables["params"][block][f"convolution_{i}"]
    if is_transposed:
        h = convolution.convolve_transposed(h, params["kernel"], stride)
    else:
        v = params["direction"]
        norms = [np.linalg.norm(v[..., o]) for o in range(v.shape[-1])]
        h = convolution.convolve(h, v / norms * params["gain"], stride)
    return _batch_norm(variables, block, i, h + params["bias"])


class PublishedNetsTest(parameterized.TestCase):
    """Sizes at the published width; no array is made."""

    @parameterized.parameters(
        (0, 3136, 16384), (1, 1024, 16384), (2, 512, 8192)
    )
    def test_widths_of_what_the_dense_layers_see(self, j, heads, rung):
        shape = (32, 32, 3)
        self.assertEqual(math.prod(conv.features(j, shape)), heads)
        self.assertEqual(math.prod(conv.decoder_rung(j, shape)), rung)

    def test_kernels_of_three_facets(self):
        """As (height, width, channels in, channels out) of a convolution."""
        z = tuple(jnp.zeros((1, d)) for d in (2, 3, 1))
        decoder = conv.ConvDecoder(_NET, (32, 32, 3))
        encoder = conv.ConvEncoder(_NET, (2, 3, 1))
        for name, variables, wanted in (
            (
                "kernel",
                nets.shapes(decoder, z, jnp.ones(3), train=False),
                {
                    "backbone_2": [(4, 4, 512, 512), (3, 3, 256, 512)],
                    "backbone_1": [(4, 4, 128, 512), (3, 3, 64, 128)],
                    "backbone_0": [(4, 4, 3, 128)],
                },
            ),
            (
                "direction",
                nets.shapes(encoder, jnp.zeros((1, 32, 32, 3)), train=False),
                {
                    "backbone_0": [(4, 4, 3, 64)],
                    "rung_0": [(4, 4, 64, 64), (4, 4, 64, 64)],
                    "backbone_1": [(4, 4, 64, 128)],
                    "rung_1": [(4, 4, 128, 128), (4, 4, 128, 256)],
                    "backbone_2": [(4, 4, 128, 256)],
                    "rung_2": [(4, 4, 256, 256), (4, 4, 256, 512)],
                },
            ),
        ):
            for block, kernels in wanted.items():
                layers = variables["params"][block].values()
                found = [each[name].shape for each in layers if name in each]
                self.assertEqual(found, kernels)


class SizesTest(parameterized.TestCase):
    @parameterized.parameters(
        (1, (8, 8, 1)), (2, (28, 20, 1)), (3, (32, 32, 3)), (4, (64, 96, 2))
    )
    def test_heads_and_output_have_the_sizes_that_are_foretold(
        self, n_facets, shape
    ):
        conv.check_image(n_facets, shape)
        encoder = conv.ConvEncoder(_NET, (3,) * n_facets)
        decoder = conv.ConvDecoder(_NET, shape)
        with _narrow():
            output, _ = jax.eval_shape(
                functools.partial(decoder.init_with_output, train=False),
                jax.random.key(0),
                tuple(jnp.zeros((2, 3)) for _ in range(n_facets)),
                jnp.ones(n_facets),
            )
            params = nets.shapes(encoder, np.ones((2, *shape)), train=False)
            for j in range(n_facets):
                head = params["params"][f"heads_{j}"]["mean"]["kernel"]
                width = math.prod(conv.features(j, shape))
                self.assertEqual(head.shape, (width, 3))
        self.assertEqual(output.shape, (2, *shape))

    @parameterized.parameters(
        (2, (30, 32, 3), "height must be a multiple of 4, got 30"),
        (1, (28, 27, 1), "width must be a multiple of 2, got 27"),
        (4, (32, 32, 3), "too small for 4 .*rung 3 leaves 0 x 0"),
        (1, (4, 4, 1), "too small for 1 .*rung 0 leaves 0 x 0"),
        (2, (32, 4, 1), "too small for 2 .*rung 0 leaves 7 x 0"),
    )
    def test_image_that_does_not_fit_is_refused(self, n, shape, message):
        with self.assertRaisesRegex(ValueError, message):
            conv.check_image(n, shape)


class ByHandTest(oracles.DoubleTestCase):
    """J = 2, every layer of the two directions in its place."""

    def setUp(self):
        super().setUp()
        self.enter_context(_narrow())
        self.rng = np.random.default_rng(5)

    def test_encoder(self):
        encoder = conv.ConvEncoder(_NET, (2, 3))
        x = self.rng.random((3, 16, 16, 3))
        variables = nets.random_variables(encoder, x)
        posteriors = nets.evaluate(encoder, variables, x)
        layer = functools.partial(_layer, variables)
        trunk_0 = layer("backbone_0", 0, x, 2)
        trunk_1 = layer("backbone_1", 0, trunk_0, 2)
        rung_0 = layer("rung_0", 1, layer("rung_0", 0, trunk_0, 2), 1)
        rung_1 = layer("rung_1", 1, layer("rung_1", 0, trunk_1, 2), 2)
        for j, rung in enumerate((rung_0, rung_1)):
            head = variables["params"][f"heads_{j}"]["log_var"]
            self.assert_close(
                posteriors[j].log_var, nets.linear(head, rung.reshape(3, -1))
            )

    @parameterized.parameters(True, False)
    def test_decoder(self, output_norm):
        net = dataclasses.replace(_NET, output_norm=output_norm)
        decoder = conv.ConvDecoder(net, (8, 12, 3))
        z = self.rng.normal(size=(3, 2)), self.rng.normal(size=(3, 3))
        alpha = np.array([0.3, 0.8])
        variables = nets.random_variables(decoder, z, alpha)
        output = nets.evaluate(decoder, variables, z, alpha)

        def rung(j, *shape):
            h = nets.linear(variables["params"][f"rung_{j}"]["dense_0"], z[j])
            h = _batch_norm(variables, f"rung_{j}", 0, h)
            return alpha[j] * h.reshape(-1, *shape)

        layer = functools.partial(_layer, variables, is_transposed=True)
        upper = layer("backbone_1", 0, rung(1, 2, 3, 8), 2)
        upper = layer("backbone_1", 1, upper, 1)
        merged = np.concatenate([rung(0, 4, 6, 2), upper], axis=-1)
        if output_norm:
            wanted = layer("backbone_0", 0, merged, 2)
        else:
            last = variables["params"]["backbone_0"]["convolution_0"]
            wanted = last["bias"] + convolution.convolve_transposed(
                merged, last["kernel"], 2
            )
            self.assertNotIn("batch_norm_0", variables["params"]["backbone_0"])
        self.assert_close(output, wanted)


class ConvolutionTest(parameterized.TestCase):
    @parameterized.parameters(True, False)
    def test_starts_from_pytorch_s_draws(self, is_transposed):
        module = conv.Convolution(
            conv.Layer(64, 4, 2), is_transposed, not is_transposed
        )
        params = jax.jit(module.init)(
            jax.random.key(0), jnp.zeros((1, 4, 4, 32))
        )["params"]
        # weight.shape[1] * 16 in PyTorch, whose transposed convolutions have
        # their output channels there.
        fan_in = 16 * (64 if is_transposed else 32)
        name = "kernel" if is_transposed else "direction"
        for drawn in (params[name], params["bias"]):
            self.assertLessEqual(np.max(np.abs(drawn)), fan_in**-0.5)
        np.testing.assert_allclose(
            np.var(params[name]), 1 / (3 * fan_in), rtol=0.05
        )
        if not is_transposed:
            np.testing.assert_allclose(
                params["gain"],
                np.linalg.norm(params["direction"].reshape(-1, 64), axis=0),
                rtol=1e-6,
            )
