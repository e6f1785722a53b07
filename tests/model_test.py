# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The model, against its parts one by one and SciPy."""

import dataclasses
import functools
import math
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import parameterized
from scipy import special

from mfcvae_jax import config as config_lib
from mfcvae_jax import model as model_lib
from mfcvae_jax import settings as settings_lib
from mfcvae_jax import views
from mfcvae_jax.ladder import conv, shared
from mfcvae_jax.variational import elbo
from tests import examples, oracles
from tests.ladder import nets
from tests.scripts import CONFIGS

_SHAPE = (4, 3, 2)
_D = (2, 3)


@functools.cache
def _model():
    chosen = examples.settings(
        facets={"covariance": ("diagonal", "full")},
        net={
            **examples.config()["net"],
            "encoder_backbone": ((7,), (6,)),
            "decoder_rungs": ((4,), (5,)),
            "decoder_backbone": ((5,), (4,)),
            "batch_norm": True,
        },
    )
    return model_lib.make_model(chosen, _SHAPE)


@functools.cache
def _variables():
    return examples.variables(_model())


@functools.cache
def _compiled(method):
    return jax.jit(functools.partial(_model().apply, method=method))


def _apply(*args, method="__call__"):
    return _compiled(method)(_variables(), *args)


def _batch(n_samples, n=4):
    rng = np.random.default_rng(1)
    noise = tuple(rng.normal(size=(n_samples, n, d)) for d in _D)
    return rng.random((n, *_SHAPE)), noise, np.array([0.4, 0.9])


class ModelTest(oracles.DoubleTestCase):
    def test_call_is_encode_then_sample_then_decode(self):
        x, noise, alpha = _batch(3)
        forward = _apply(x, noise, alpha)
        posteriors = _apply(x, method="encode")
        jax.tree.map(np.testing.assert_allclose, forward.posteriors, posteriors)
        for q, z, eps in zip(posteriors, forward.z, noise, strict=True):
            self.assertEqual(q.mean.shape, eps.shape[1:])
            wanted = q.mean + np.sqrt(np.exp(q.log_var)) * eps
            np.testing.assert_allclose(z, wanted)
        self.assertEqual(forward.output.shape, (3, 4, *_SHAPE))
        # Whatever axes lead, each z is decoded by itself.
        for places in (..., 2, (2, 3)):
            z = tuple(z_j[places] for z_j in forward.z)
            np.testing.assert_allclose(
                _apply(z, alpha, method="decode"),
                forward.output[places],
                rtol=1e-12,
            )

    def test_inputs_that_do_not_fit_are_refused(self):
        with self.assertRaisesRegex(ValueError, "shape"):
            _apply(np.zeros((4, 3, 4, 2)), method="encode")
        z = (np.zeros((4, 2)), np.zeros((5, 3)))
        with self.assertRaisesRegex(AssertionError, "prefix"):
            _apply(z, np.ones(2), method="decode")

    def test_prior_has_the_facet_s_own_sizes_and_covariance(self):
        for j, mixture in enumerate(_apply(method="mixtures")):
            k, d = (6, 10)[j], _D[j]
            parts = oracles.parts(mixture)
            self.assertEqual(parts.log_weights.shape, (k,))
            self.assertEqual(parts.means.shape, (k, d))
            self.assertEqual(parts.scale.shape, ((k, d), (k, d, d))[j])


class PublishedNetsTest(parameterized.TestCase):
    @parameterized.parameters(
        # 3,078,304 in the nets: encoder backbones 784-500 and 500-2000, two
        # heads per facet (500-5, 2000-5), decoder rungs 5-500 and 5-2000,
        # backbones 2000-500 and 500-500, output 500-784, all with biases; and
        # 550 in the priors: per facet 25 weights, 25 x 5 means and variances.
        ("mnist", (28, 28, 1), 3_078_304 + 550),
        # The mixing weights are parameters, too, but these are fixed.
        ("svhn", (32, 32, 3), 2_489_027 + 200 + 50),
    )
    def test_number_of_parameters(self, name, image_shape, wanted):
        config = config_lib.load(CONFIGS / f"published/{name}.py").to_dict()
        settings = config_lib.from_config(config)
        model = model_lib.make_model(settings, image_shape)
        params = jax.tree.leaves(model_lib.shapes(model)["params"])
        self.assertEqual(sum(math.prod(p.shape) for p in params), wanted)


_VIEW = ({"kind": "noise", "std": 1.0},)
_RELU = settings_lib.Activation.RELU
_NETS = {
    "dense": settings_lib.DenseLadder(
        encoder_backbone=((7,), (6,)),
        encoder_rungs=((5,), (4,)),
        decoder_rungs=((24,), (40,)),
        decoder_backbone=((32,), (24,)),
        activation=_RELU,
        batch_norm=True,
        merge=settings_lib.Merge.GATED_ADD,
    ),
    "conv": settings_lib.ConvLadder(
        _RELU, weight_norm=False, output_norm=False, official_init=False
    ),
    "shared": settings_lib.SharedEncoder((7,), (4,), _RELU, batch_norm=True),
    "separate": settings_lib.SeparateEncoders(
        ((7,), (6,)), (4,), _RELU, batch_norm=True
    ),
}


class ViewsTest(oracles.DoubleTestCase):
    """What the encoders see in training, and what batch norm keeps of it."""

    def setUp(self):
        super().setUp()
        self.enter_context(mock.patch.object(conv, "CHANNELS", 2))

    def _model(self, net, *view):
        chosen = dataclasses.replace(
            examples.settings(facets={"view": view}), net=_NETS[net]
        )
        return model_lib.make_model(chosen, (16, 16, 1))

    def _passes(self, net, *view):
        """Posteriors and statistics of a pass with views, and without."""
        model = self._model(net, *view)
        variables = examples.variables(model)
        rng = np.random.default_rng(0)
        x, changed = rng.random((2, 6, 16, 16, 1))
        noise = tuple(np.zeros((1, 6, d)) for d in _D)

        @jax.jit
        def run(x, seen):
            forward, updated = model.apply(
                variables,
                x,
                noise,
                np.ones(2),
                train=True,
                seen=seen,
                mutable=["batch_stats"],
            )
            return forward.posteriors, updated["batch_stats"]["encoder"]

        groups = views.facets_of_views(model.facets.view)
        seen = tuple(changed if steps else x for steps in groups)
        return variables, run(x, seen), run(x, None), run(changed, None)

    @parameterized.parameters(*_NETS)
    @pytest.mark.slow
    def test_each_facet_encodes_its_own_view(self, net):
        _, ours, of_x, of_changed = self._passes(net, (), _VIEW)
        for j, (q, statistics) in enumerate((of_x, of_changed)):
            jax.tree.map(np.testing.assert_allclose, ours[0][j], q[j])
            # Layers of one facet keep the statistics of its pass alone.
            for name in (f"rung_{j}", f"encoder_{j}"):
                jax.tree.map(
                    np.testing.assert_allclose,
                    ours[1].get(name),
                    statistics.get(name),
                )

    @parameterized.parameters(*_NETS)
    def test_facets_that_share_a_view_share_the_pass(self, net):
        """So every layer takes the statistics of one pass alone."""
        _, ours, _, of_changed = self._passes(net, _VIEW, _VIEW)
        jax.tree.map(np.testing.assert_allclose, ours, of_changed)

    def test_a_layer_of_several_passes_takes_the_statistics_of_each(self):
        variables, ours, *_ = self._passes("dense", (), _VIEW)
        encoder = variables["params"]["encoder"]["backbone_0"]
        running = variables["batch_stats"]["encoder"]["backbone_0"]
        running = running["batch_norm_0"]
        for x in np.random.default_rng(0).random((2, 6, 256)):
            h = nets.block({"dense_0": encoder["dense_0"]}, x)
            _, running = nets.batch_norm(
                encoder["batch_norm_0"], running, h, train=True
            )
        jax.tree.map(
            np.testing.assert_allclose,
            ours[1]["backbone_0"]["batch_norm_0"],
            running,
        )

    def test_a_net_from_outside_need_not_know_of_facets_left_out(self):
        """As long as all facets share what they see."""

        class Encoder(shared.OneEncoder):
            def __call__(self, x, train):
                return super().__call__(x, train)

        decoder = model_lib.NETS[settings_lib.SharedEncoder][1]
        with mock.patch.dict(
            model_lib.NETS, {settings_lib.SharedEncoder: (Encoder, decoder)}
        ):
            _, ours, _, of_changed = self._passes("shared", _VIEW, _VIEW)
        jax.tree.map(np.testing.assert_allclose, ours, of_changed)


@jax.jit
def _elbo_terms(forward, x):
    """The published terms of a pass."""
    form = settings_lib.Bernoulli()
    return model_lib.elbo_terms(form, forward, x, elbo.five_terms)


class ElboTermsTest(oracles.DoubleTestCase):
    def test_bound_equals_scipy_s_from_the_same_pass(self):
        x, noise, alpha = _batch(1)
        forward = _apply(x, noise, alpha)
        terms = _elbo_terms(forward, x)
        mean = special.expit(forward.output[0])
        pixels = special.xlogy(x, mean) + special.xlog1py(1 - x, -mean)
        wanted = pixels.sum((1, 2, 3))
        np.testing.assert_allclose(terms.log_p_x_z, wanted, rtol=1e-9)
        best = 0
        for q, z, mixture in zip(
            forward.posteriors, forward.z, forward.mixtures, strict=True
        ):
            p = oracles.parts(mixture)
            moments = np.asarray(q.mean), np.exp(0.5 * q.log_var)
            weights = np.exp(p.log_weights)
            facet = oracles.Facet(weights, p.means, p.scale, *moments)
            # With one sample the block of a facet is log p(z) - log q(z|x).
            joint = oracles.log_joint(mixture, z[0])
            log_p_z = special.logsumexp(joint, axis=-1)
            wanted = wanted + log_p_z - facet.log_q_z(z[0])
            # F - log p(x|z) is the best of Eq. 14, by textbook formulas.
            best = best + facet.eq_14(facet.best_resp())
        mixture_bound, mean_field_bound = jax.jit(elbo.bounds)(
            terms, np.ones(len(terms.facets))
        )
        np.testing.assert_allclose(mixture_bound, wanted, rtol=1e-9)
        np.testing.assert_allclose(
            mean_field_bound - terms.log_p_x_z, best, rtol=1e-9
        )

    def test_several_samples_average_what_single_ones_give(self):
        x, noise, alpha = _batch(3)
        together = _elbo_terms(_apply(x, noise, alpha), x)
        apart = [
            _elbo_terms(_apply(x, one, alpha), x)
            for one in zip(*(np.split(n, 3) for n in noise), strict=True)
        ]
        average = jax.tree.map(lambda *terms: np.mean(terms, axis=0), *apart)
        np.testing.assert_allclose(together.log_p_x_z, average.log_p_x_z)
        for ours, mean in zip(together.facets, average.facets, strict=True):
            np.testing.assert_allclose(ours.log_q_z, mean.log_q_z)
            # With one sample, q(c|x) is p(c|z); with several, the normalised
            # geometric mean of theirs.
            log_resp = special.log_softmax(mean.log_resp, axis=-1)
            self.assert_close(ours.log_resp, log_resp)

    @parameterized.parameters(("dense", [0, 1, 1]), ("shared", [1, 1, 1]))
    def test_a_facet_is_in_force_once_its_fade_in_began(self, net, wanted):
        """A shared encoder's decoder ignores no facet."""
        alpha = np.array([0.0, 1e-9, 1.0])
        found = model_lib.facets_in_force(_NETS[net], alpha)
        np.testing.assert_array_equal(found, wanted)
