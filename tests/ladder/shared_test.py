# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The nets without a ladder, against forward passes written out by hand."""

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.ladder import shared
from mfcvae_jax.settings import Activation, SeparateEncoders, SharedEncoder
from tests import oracles
from tests.ladder import nets

_LATENT_DIM = (2, 3)


def _shared_net(encoder=(6, 5), decoder=(7, 4)):
    return SharedEncoder(encoder, decoder, Activation.RELU, batch_norm=False)


def _separate_net(encoders=((6,), (4, 5)), activation=None):
    return SeparateEncoders(
        encoders,
        (7, 4),
        Activation.RELU,
        batch_norm=False,
        encoder_activation=activation,
    )


class EncodersTest(oracles.DoubleTestCase):
    @parameterized.named_parameters(
        ("one", _shared_net(), shared.OneEncoder, Activation.RELU),
        ("empty", _shared_net(()), shared.OneEncoder, Activation.RELU),
        (
            "one_a_facet",
            _separate_net(),
            shared.OneEncoderPerFacet,
            Activation.RELU,
        ),
        (
            "with_an_activation_of_their_own",
            _separate_net(activation=Activation.ELU),
            shared.OneEncoderPerFacet,
            Activation.ELU,
        ),
    )
    def test_encoders_feed_the_heads(self, net, make, activation):
        module = make(net, _LATENT_DIM)
        x = np.random.default_rng(2).random((3, 2, 2, 1))
        variables = nets.random_variables(module, x)
        params = variables["params"]
        for j, q in enumerate(nets.evaluate(module, variables, x)):
            encoder = params.get(f"encoder_{j}", params.get("encoder", {}))
            h = nets.block(encoder, x.reshape(3, 4), activation)
            for name, head in params[f"heads_{j}"].items():
                self.assert_close(getattr(q, name), nets.linear(head, h))


class DecoderTest(oracles.DoubleTestCase):
    @parameterized.named_parameters(
        ("nothing_after_a_shared_encoder", _shared_net(), False),
        ("nothing_of_no_layers", _shared_net(decoder=()), False),
        ("z_after_separate_encoders", _separate_net(), True),
    )
    def test_fade_in_multiplies(self, net, is_faded):
        module = shared.JointDecoder(net, (5,))
        rng = np.random.default_rng(3)
        z = [rng.normal(size=(3, d)) for d in _LATENT_DIM]
        variables = nets.random_variables(module, z, np.ones(2))
        params = variables["params"]
        # At 0 it cuts a facet off, exactly.
        for alpha in ((0.3, 0.8), (0.0, 1.0), (1.0, 0.0)):
            factors = alpha if is_faded else (1, 1)
            h = np.concatenate(
                [f * z_j for f, z_j in zip(factors, z, strict=True)], axis=-1
            )
            self.assert_close(
                nets.evaluate(module, variables, z, np.array(alpha)),
                nets.linear(
                    params["output"], nets.block(params.get("decoder", {}), h)
                ),
            )
