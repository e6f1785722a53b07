# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The dense ladder, against a forward pass written out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mfcvae_jax import settings
from mfcvae_jax.ladder import dense
from mfcvae_jax.settings import Activation, Merge
from tests import oracles
from tests.ladder import nets


def _net(n_facets, merge=Merge.GATED_ADD, batch_norm=False):
    """A small ladder whose facets differ, with empty and deep entries."""
    return settings.DenseLadder(
        encoder_backbone=((6,), (), (5, 4), (7,))[:n_facets],
        encoder_rungs=((), (3,), (), (4, 2))[:n_facets],
        decoder_rungs=((6,), (8, 5), (4,), ())[:n_facets],
        decoder_backbone=((9,), (6,), (5,), (4,))[:n_facets],
        activation=Activation.ELU,
        batch_norm=batch_norm,
        merge=merge,
    )


def _latents(latent_dim, dtype=np.float64):
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(5, d)).astype(dtype) for d in latent_dim)


class ByHandTest(oracles.DoubleTestCase):
    """Every layer of the two directions in its place."""

    @parameterized.product(n_facets=(1, 2, 4), merge=tuple(Merge))
    def test_forward_pass(self, n_facets, merge):
        net = _net(n_facets, merge)
        latent_dim = (2, 3, 1, 2)[:n_facets]
        x = np.random.default_rng(2).random((5, 2, 3, 2))
        encoder = dense.LadderEncoder(net, latent_dim)
        variables = nets.random_variables(encoder, x)
        params = variables["params"]

        def block(name, h):
            return nets.block(params.get(name, {}), h, net.activation)

        trunk = x.reshape(5, 12)
        posteriors = nets.evaluate(encoder, variables, x)
        self.assertLen(posteriors, n_facets)
        for j, q in enumerate(posteriors):
            trunk = block(f"backbone_{j}", trunk)
            rung = block(f"rung_{j}", trunk)
            for name, head in params[f"heads_{j}"].items():
                self.assert_close(getattr(q, name), nets.linear(head, rung))

        z, alpha = _latents(latent_dim), np.linspace(0.3, 0.9, n_facets)
        decoder = dense.LadderDecoder(net, (2, 3, 2))
        variables = nets.random_variables(decoder, z, alpha)
        params = variables["params"]
        h = None
        for j in reversed(range(n_facets)):
            rung = alpha[j] * block(f"rung_{j}", z[j])
            if h is None:
                h = rung
            elif merge is Merge.GATED_ADD:
                h = h + 0.1 * rung
            else:
                h = np.concatenate([rung, h], axis=-1)
            h = block(f"backbone_{j}", h)
        output = nets.evaluate(decoder, variables, z, alpha)
        self.assertEqual(output.shape, (5, 2, 3, 2))
        self.assert_close(
            output.reshape(5, 12), nets.linear(params["output"], h)
        )


class FadeInTest(oracles.DoubleTestCase):
    @parameterized.parameters(*Merge)
    def test_alpha_0_cuts_a_facet_off_exactly_and_alpha_1_does_not(self, merge):
        decoder = dense.LadderDecoder(_net(3, merge, batch_norm=True), (12,))
        z = _latents((2, 3, 1))
        variables = nets.random_variables(decoder, z, np.ones(3))

        @jax.jit
        @jax.grad
        def slope(z, alpha):
            output, _ = decoder.apply(
                variables, z, alpha, True, mutable=["batch_stats"]
            )
            return jnp.sum(output**3)

        for is_cut in np.eye(3, dtype=bool):
            alpha = np.where(is_cut, 0.0, 1.0)
            slopes = slope(z, alpha)
            self.assertEqual([not np.any(s) for s in slopes], is_cut.tolist())
            moved = tuple(
                1 - 3 * z_j if cut else z_j
                for z_j, cut in zip(z, is_cut, strict=True)
            )
            outputs = (
                nets.evaluate(decoder, variables, z_j, alpha)
                for z_j in (z, moved)
            )
            np.testing.assert_array_equal(*outputs)
