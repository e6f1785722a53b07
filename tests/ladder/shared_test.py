# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The nets without a ladder, against forward passes written out by hand."""

import functools

import jax
import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.ladder import shared
from mfcvae_jax.settings import Activation, SeparateEncoders, SharedEncoder

_LATENT_DIM = (2, 3)


def _shared_net(encoder=(6, 5), decoder=(7, 4)):
    return SharedEncoder(encoder, decoder, Activation.RELU, batch_norm=False)


def _separate_net(encoders=((6,), (4, 5)), decoder=(7, 4)):
    return SeparateEncoders(
        encoders, decoder, Activation.RELU, batch_norm=False
    )


def _random_params(module, *args):
    """Normal draws for every parameter."""
    shapes = jax.eval_shape(
        functools.partial(module.init, train=False), jax.random.key(0), *args
    )
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), shapes)


def _apply(module):
    return jax.jit(functools.partial(module.apply, train=False))


def _linear(params, h):
    return h @ params["kernel"] + params["bias"]


def _block(params, h):
    for i in range(len(params)):
        h = np.maximum(_linear(params[f"dense_{i}"], h), 0)
    return h


class EncodersTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
        self.x = np.random.default_rng(2).random((3, 2, 2, 1))

    def _assert_heads(self, params, posteriors, features):
        for j, q in enumerate(posteriors):
            for name in ("mean", "log_var"):
                np.testing.assert_allclose(
                    getattr(q, name),
                    _linear(params[f"heads_{j}"][name], features[j]),
                    rtol=1e-9,
                    err_msg=f"facet {j} {name}",
                )

    @parameterized.parameters(((),), ((6, 5),))
    def test_one_encoder_feeds_the_heads_of_all_facets(self, widths):
        module = shared.OneEncoder(_shared_net(encoder=widths), _LATENT_DIM)
        variables = _random_params(module, self.x)
        posteriors = _apply(module)(variables, self.x)
        params = variables["params"]
        h = _block(params.get("encoder", {}), self.x.reshape(3, 4))
        self._assert_heads(params, posteriors, (h, h))

    def test_each_facet_may_have_an_encoder_of_its_own(self):
        module = shared.OneEncoderPerFacet(_separate_net(), _LATENT_DIM)
        variables = _random_params(module, self.x)
        posteriors = _apply(module)(variables, self.x)
        params = variables["params"]
        self._assert_heads(
            params,
            posteriors,
            [
                _block(params[f"encoder_{j}"], self.x.reshape(3, 4))
                for j in range(2)
            ],
        )

    @parameterized.parameters(1, 2, 4)
    def test_any_number_of_facets(self, n_facets):
        latent_dim = (2, 3, 1, 2)[:n_facets]
        for module in (
            shared.OneEncoder(_shared_net(), latent_dim),
            shared.OneEncoderPerFacet(
                _separate_net(encoders=((4,),) * n_facets), latent_dim
            ),
        ):
            posteriors, _ = jax.eval_shape(
                functools.partial(module.init_with_output, train=True),
                jax.random.key(0),
                self.x,
            )
            self.assertEqual(
                [q.mean.shape for q in posteriors],
                [(3, d) for d in latent_dim],
            )


class DecoderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(3)
        self.z = tuple(rng.normal(size=(3, d)) for d in _LATENT_DIM)
        self.alpha = np.array([0.3, 0.8])

    @parameterized.named_parameters(
        ("nothing_after_a_shared_encoder", _shared_net(), (1.0, 1.0)),
        ("z_after_separate_encoders", _separate_net(), (0.3, 0.8)),
    )
    def test_fade_in_multiplies(self, net, factors):
        module = shared.JointDecoder(net, (5,))
        with jax.enable_x64(True):
            variables = _random_params(module, self.z, self.alpha)
            output = _apply(module)(variables, self.z, self.alpha)
        params = variables["params"]
        h = np.concatenate(
            [factor * z_j for factor, z_j in zip(factors, self.z, strict=True)],
            axis=-1,
        )
        np.testing.assert_allclose(
            output,
            _linear(params["output"], _block(params["decoder"], h)),
            rtol=1e-9,
        )

    @parameterized.parameters(0, 1)
    def test_alpha_0_cuts_a_facet_off_only_after_separate_encoders(self, facet):
        off = np.ones(2, np.float32)
        off[facet] = 0
        z = tuple(z_j.astype(np.float32) for z_j in self.z)
        moved = list(z)
        moved[facet] = -3 * z[facet] + 1
        for net, is_cut in ((_separate_net(), True), (_shared_net(), False)):
            module = shared.JointDecoder(net, (5,))
            variables = jax.tree.map(np.float32, _random_params(module, z, off))
            apply = _apply(module)
            before, after = (
                apply(variables, z, off),
                apply(variables, tuple(moved), off),
            )
            self.assertEqual(np.array_equal(before, after), is_cut, str(net))
            ones = np.ones(2, np.float32)
            self.assertFalse(
                np.array_equal(
                    apply(variables, z, ones),
                    apply(variables, tuple(moved), ones),
                )
            )

    def test_without_widths_the_output_is_linear_in_z(self):
        module = shared.JointDecoder(_shared_net(decoder=()), (5,))
        with jax.enable_x64(True):
            variables = _random_params(module, self.z, self.alpha)
            output = _apply(module)(variables, self.z, self.alpha)
        self.assertEqual(set(variables["params"]), {"output"})
        np.testing.assert_allclose(
            output,
            _linear(
                variables["params"]["output"], np.concatenate(self.z, axis=-1)
            ),
        )


if __name__ == "__main__":
    absltest.main()
