# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The dense ladder, against a forward pass written out by hand."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax import model, settings
from mfcvae_jax.ladder import dense
from mfcvae_jax.settings import Activation, Merge

_ACTIVATE = {
    Activation.RELU: lambda x: np.maximum(x, 0),
    Activation.LEAKY_RELU: lambda x: np.where(x > 0, x, 0.01 * x),
    Activation.ELU: lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}


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


def _latent_dim(n_facets):
    return (2, 3, 1, 2)[:n_facets]


def _latents(latent_dim, n=5):
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(n, d)).astype(np.float32) for d in latent_dim)


def _random_variables(module, *args, dtype=np.float64):
    """Normal draws for every parameter, so that none is at a trivial value.

    They are NumPy's: to compile a draw for each takes longer than the test.
    """
    shapes = jax.eval_shape(
        functools.partial(module.init, train=False), jax.random.key(0), *args
    )
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        value = rng.normal(size=leaf.shape)
        is_variance = path[0].key == "batch_stats" and path[-1].key == "var"
        return (np.abs(value) if is_variance else value).astype(dtype)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def _evaluate(module):
    return jax.jit(functools.partial(module.apply, train=False))


class AnyNumberOfFacetsTest(parameterized.TestCase):
    @parameterized.product(n_facets=(1, 2, 4), merge=tuple(Merge))
    def test_builds_and_runs(self, n_facets, merge):
        has_batch_norm = merge is Merge.CONCATENATE
        net = _net(n_facets, merge, has_batch_norm)
        latent_dim = _latent_dim(n_facets)
        k = (2,) * n_facets
        net.check(
            settings.Facets(
                k,
                latent_dim,
                (settings.Covariance.DIAGONAL,) * n_facets,
                (True,) * n_facets,
            )
        )
        encoder = dense.LadderEncoder(net, latent_dim)
        decoder = dense.LadderDecoder(net, (12,))
        z = _latents(latent_dim)
        x = np.random.default_rng(2).random((5, 2, 3, 2)).astype(np.float32)

        alpha = np.ones(n_facets, np.float32)
        encoding = _random_variables(encoder, x, dtype=np.float32)
        decoding = _random_variables(decoder, z, alpha, dtype=np.float32)

        @jax.jit
        def run(encoding, decoding, x, z, alpha):
            kept = {"train": True, "mutable": ["batch_stats"]}
            posteriors, _ = encoder.apply(encoding, x, **kept)
            output, _ = decoder.apply(decoding, z, alpha, **kept)
            return posteriors, output

        posteriors, output = run(encoding, decoding, x, z, alpha)
        self.assertLen(posteriors, n_facets)
        for q, d in zip(posteriors, latent_dim, strict=True):
            self.assertEqual(q.mean.shape, (5, d))
            self.assertEqual(q.log_var.shape, (5, d))
        self.assertEqual(output.shape, (5, 12))
        for leaf in jax.tree.leaves((posteriors, output)):
            self.assertTrue(np.all(np.isfinite(leaf)))
        for variables in (encoding, decoding):
            self.assertEqual("batch_stats" in variables, has_batch_norm)

    def test_empty_stages_are_the_identity(self):
        net = settings.DenseLadder(
            encoder_backbone=((), ()),
            encoder_rungs=((), ()),
            decoder_rungs=((), ()),
            decoder_backbone=((), ()),
            activation=Activation.RELU,
            batch_norm=True,
            merge=Merge.CONCATENATE,
        )
        encoder = dense.LadderEncoder(net, (2, 3))
        decoder = dense.LadderDecoder(net, (4,))
        x = np.random.default_rng(4).normal(size=(3, 2, 2, 1))
        z = _latents((2, 3), n=3)
        alpha = np.array([0.5, 1.0])
        with jax.enable_x64(True):
            encoding = _random_variables(encoder, x)
            decoding = _random_variables(decoder, z, alpha)
            self.assertEqual(set(encoding["params"]), {"heads_0", "heads_1"})
            self.assertEqual(set(decoding["params"]), {"output"})
            posteriors = _evaluate(encoder)(encoding, x)
            output = _evaluate(decoder)(decoding, z, alpha)
        for j, q in enumerate(posteriors):
            head = encoding["params"][f"heads_{j}"]["mean"]
            np.testing.assert_allclose(
                q.mean, x.reshape(3, 4) @ head["kernel"] + head["bias"]
            )
        last = decoding["params"]["output"]
        merged = np.concatenate([0.5 * z[0], z[1]], axis=-1)
        np.testing.assert_allclose(
            output, merged @ last["kernel"] + last["bias"], rtol=1e-6
        )


class ByHandTest(parameterized.TestCase):
    """J = 2, every layer of the two directions in its place."""

    @parameterized.parameters(
        (Merge.GATED_ADD, Activation.RELU),
        (Merge.GATED_ADD, Activation.ELU),
        (Merge.CONCATENATE, Activation.LEAKY_RELU),
    )
    def test_forward_pass(self, merge, activation):
        net = settings.DenseLadder(
            encoder_backbone=((6,), (7,)),
            encoder_rungs=((5,), ()),
            decoder_rungs=((4,), (3,)),
            decoder_backbone=((8,), (4,)),
            activation=activation,
            batch_norm=False,
            merge=merge,
        )
        encoder = dense.LadderEncoder(net, (2, 3))
        decoder = dense.LadderDecoder(net, (12,))
        rng = np.random.default_rng(5)
        x = rng.random((3, 2, 3, 2))
        z_0, z_1 = rng.normal(size=(3, 2)), rng.normal(size=(3, 3))
        alpha = np.array([0.3, 0.8])
        with jax.enable_x64(True):
            encoding = _random_variables(encoder, x)
            decoding = _random_variables(decoder, (z_0, z_1), alpha)
            posteriors = _evaluate(encoder)(encoding, x)
            output = _evaluate(decoder)(decoding, (z_0, z_1), alpha)

        def linear(params, h):
            return h @ params["kernel"] + params["bias"]

        def layer(params, h):
            return _ACTIVATE[activation](linear(params["dense_0"], h))

        e = encoding["params"]
        trunk_0 = layer(e["backbone_0"], x.reshape(3, 12))
        trunk_1 = layer(e["backbone_1"], trunk_0)
        features = (layer(e["rung_0"], trunk_0), trunk_1)
        for j in range(2):
            for name in ("mean", "log_var"):
                np.testing.assert_allclose(
                    getattr(posteriors[j], name),
                    linear(e[f"heads_{j}"][name], features[j]),
                    rtol=1e-9,
                    err_msg=f"facet {j} {name}",
                )
        d = decoding["params"]
        upper = layer(d["backbone_1"], alpha[1] * layer(d["rung_1"], z_1))
        rung = alpha[0] * layer(d["rung_0"], z_0)
        if merge is Merge.GATED_ADD:
            merged = upper + 0.1 * rung
        else:
            merged = np.concatenate([rung, upper], axis=-1)
        bottom = layer(d["backbone_0"], merged)
        np.testing.assert_allclose(
            output, linear(d["output"], bottom), rtol=1e-9
        )


class FadeInTest(parameterized.TestCase):
    @parameterized.parameters(*Merge)
    def test_alpha_0_cuts_a_facet_off_exactly_and_alpha_1_does_not(self, merge):
        decoder = dense.LadderDecoder(_net(3, merge, batch_norm=True), (12,))
        z = _latents(_latent_dim(3))
        ones = np.ones(3, np.float32)
        variables = _random_variables(decoder, z, ones, dtype=np.float32)

        def decode(z, alpha, train):
            kept = ["batch_stats"]
            output, _ = decoder.apply(variables, z, alpha, train, mutable=kept)
            return output

        @jax.jit
        def run(z, alpha):
            """The output, and the slope of a function of it in training."""
            slope = jax.grad(lambda z: jnp.sum(decode(z, alpha, True) ** 3))(z)
            return decode(z, alpha, False), slope

        for facet in range(3):
            moved = list(z)
            moved[facet] = 1 - 3 * z[facet]
            off = ones.copy()
            off[facet] = 0
            before, slope = run(z, off)
            after, _ = run(tuple(moved), off)
            np.testing.assert_array_equal(before, after)
            for j in range(3):
                is_cut = j == facet
                self.assertEqual(not np.any(slope[j]), is_cut, f"facet {j}")
            change = np.asarray(run(z, ones)[0] - run(tuple(moved), ones)[0])
            self.assertGreater(np.max(np.abs(change)), 1e-2)


class PublishedMnistLadderTest(absltest.TestCase):
    def test_has_3078854_parameters_with_its_priors(self):
        # 3,078,304 in the nets: encoder backbones 784-500 and 500-2000, two
        # heads per facet (500-5, 2000-5), decoder rungs 5-500 and 5-2000,
        # backbones 2000-500 and 500-500, output 500-784, all with biases; and
        # 550 in the priors: per facet 25 weights, 25 x 5 means and variances.
        facets = settings.Facets(
            n_components=(25, 25),
            latent_dim=(5, 5),
            covariance=(settings.Covariance.DIAGONAL,) * 2,
            learn_weights=(True, True),
        )
        net = settings.DenseLadder(
            encoder_backbone=((500,), (2000,)),
            encoder_rungs=((), ()),
            decoder_rungs=((500,), (2000,)),
            decoder_backbone=((500,), (500,)),
            activation=Activation.RELU,
            batch_norm=False,
            merge=Merge.GATED_ADD,
        )
        whole = model.MFCVAE(facets, net, 0.01, (28, 28, 1))
        shapes = jax.eval_shape(
            whole.init,
            jax.random.key(0),
            jnp.zeros((1, 28, 28, 1)),
            (jnp.zeros((1, 1, 5)),) * 2,
            jnp.ones(2),
        )
        counts = {
            name: sum(math.prod(p.shape) for p in jax.tree.leaves(tree))
            for name, tree in shapes["params"].items()
        }
        self.assertEqual(counts["priors_0"] + counts["priors_1"], 550)
        self.assertEqual(sum(counts.values()), 3_078_854)


if __name__ == "__main__":
    absltest.main()
