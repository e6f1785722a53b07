# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Swaps and traversals, against decoding by hand, for one to three facets."""

import functools

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import special

from mfcvae_jax import model as model_lib
from mfcvae_jax.inference import generation
from mfcvae_jax.training import state
from tests import examples

_K, _D = (6, 10, 4), (2, 3, 2)
_ALPHA = (0.9, 1.0, 0.7)


def settings(n_facets):
    """Of a net of so many facets; the last one's covariance is full."""
    widths = ((24,), (20,), (16,))[:n_facets]
    return examples.settings(
        facets={
            "n_components": _K[:n_facets],
            "latent_dim": _D[:n_facets],
            "covariance": ("diagonal",) * (n_facets - 1) + ("full",),
            "learn_weights": (True,) * n_facets,
        },
        net={
            **examples.config()["net"],
            "encoder_backbone": widths,
            "encoder_rungs": ((),) * n_facets,
            "decoder_rungs": widths,
            "decoder_backbone": widths,
            "merge": "concatenate",
        },
        progressive={"stage_epochs": (1,) * n_facets},
    )


class _Model:
    """A net of random weights, with priors that are no standard normals."""

    def __init__(self, n_facets):
        chosen = settings(n_facets)
        self.model = model_lib.make_model(chosen, (8, 8, 1))
        self.variables = state.initial_variables(self.model, jax.random.key(0))
        params = self.variables["params"]
        for net in ("encoder", "decoder"):  # larger, so that facets show
            params[net] = jax.tree.map(lambda a: 2 * a, params[net])
        rng = np.random.default_rng(0)
        for j, (k, d) in enumerate(zip(_K, _D, strict=True)):
            if j < n_facets:
                priors = params[f"priors_{j}"]
                priors["means"] = rng.normal(size=(k, d)).astype(np.float32)
                priors["logits"] = rng.normal(size=k).astype(np.float32)
        self.first = (
            self.model,
            chosen.likelihood,
            self.variables,
            np.array(_ALPHA[:n_facets], np.float32),
        )
        self._encode = jax.jit(
            functools.partial(self.model.apply, method="encode")
        )
        self._decode = jax.jit(
            functools.partial(self.model.apply, method="decode")
        )

    def modes(self, x):
        """Means of q(z|x), one array (B, D_j) a facet."""
        return [np.asarray(q.mean) for q in self._encode(self.variables, x)]

    def decoded(self, z):
        """Means of Bernoulli pixels are sigmoids of what is decoded."""
        output = self._decode(self.variables, tuple(z), self.first[-1])
        return special.expit(np.asarray(output))

    def reconstruct(self, x):
        return np.asarray(generation.reconstruct(*self.first, x))

    def swap(self, pairs, facet):
        return np.asarray(
            generation.swap_facet(*self.first, pairs, facet=facet)
        )


_model = functools.cache(_Model)


def _pairs(n):
    return examples.images(2 * n).reshape(n, 2, 8, 8, 1)


def _assert_close(found, wanted):
    np.testing.assert_allclose(found, wanted, atol=1e-5)


class SwapFacetTest(parameterized.TestCase):
    @parameterized.parameters(1, 2)
    def test_equals_exchanging_latents_by_hand(self, n_facets):
        self._check_by_hand(n_facets)

    @pytest.mark.slow
    def test_of_three_facets_one_is_exchanged(self):
        self._check_by_hand(3)

    def _check_by_hand(self, n_facets):
        model, pairs = _model(n_facets), _pairs(3)
        left, right = model.modes(pairs[:, 0]), model.modes(pairs[:, 1])
        for facet in range(n_facets):
            swapped = model.swap(pairs, facet)
            self.assertEqual(swapped.shape, pairs.shape)
            mixed = [list(left), list(right)]
            mixed[0][facet], mixed[1][facet] = right[facet], left[facet]
            for side in range(2):
                _assert_close(swapped[:, side], model.decoded(mixed[side]))

    def test_input_with_itself_is_reconstructed(self):
        model, x = _model(2), examples.images(3)
        for facet in range(2):
            swapped = model.swap(np.stack([x, x], axis=1), facet)
            for side in range(2):
                _assert_close(swapped[:, side], model.reconstruct(x))

    def test_order_of_a_pair_is_the_order_of_what_comes_out(self):
        model, pairs = _model(2), _pairs(3)
        for facet in range(2):
            _assert_close(
                model.swap(pairs[:, ::-1], facet),
                model.swap(pairs, facet)[:, ::-1],
            )

    def test_of_two_facets_either_swap_is_the_other_one_exchanged(self):
        model, pairs = _model(2), _pairs(3)
        _assert_close(model.swap(pairs, 0), model.swap(pairs, 1)[:, ::-1])

    def test_one_facet_is_all_there_is_so_the_inputs_change_places(self):
        model, pairs = _model(1), _pairs(3)
        for side in range(2):
            _assert_close(
                model.swap(pairs, 0)[:, side],
                model.reconstruct(pairs[:, 1 - side]),
            )

    def test_facets_do_something(self):
        model, pairs = _model(2), _pairs(3)
        plain = model.reconstruct(pairs.reshape(-1, 8, 8, 1))
        for facet in range(2):
            change = model.swap(pairs, facet) - plain.reshape(pairs.shape)
            self.assertGreater(np.abs(change).max(), 1e-3)


class TraverseTest(parameterized.TestCase):
    @parameterized.parameters(1, 2)
    def test_moves_one_dimension_to_where_the_prior_is(self, n_facets):
        self._check_by_hand(n_facets)

    @pytest.mark.slow
    def test_moves_the_dimensions_of_any_of_three_facets(self):
        self._check_by_hand(3)

    def _check_by_hand(self, n_facets):
        model, (x,) = _model(n_facets), examples.images(1)
        steps = np.array([-2.0, 0.0, 0.5, 3.0], np.float32)
        for facet in range(n_facets):
            found = generation.traverse(*model.first, x, steps, facet=facet)
            d = _D[facet]
            self.assertEqual(found.shape, (d, len(steps), 8, 8, 1))
            params = model.variables["params"][f"priors_{facet}"]
            weights = special.softmax(params["logits"].astype(np.float64))
            # All components start at the variance of the settings, 0.01.
            mean = weights @ params["means"]
            square = weights @ (params["means"].astype(np.float64) ** 2)
            std = np.sqrt(square - mean**2 + 0.01)
            for i in range(d):
                for t, step in enumerate(steps):
                    z = [z_j.copy() for z_j in model.modes(x[None])]
                    z[facet][:, i] = mean[i] + step * std[i]
                    _assert_close(found[i, t], model.decoded(z)[0])

    def test_step_to_the_mode_itself_is_the_reconstruction(self):
        model, (x,) = _model(2), examples.images(1)
        params = model.variables["params"]["priors_0"]
        weights = special.softmax(params["logits"])
        mean = weights @ params["means"]
        std = np.sqrt(weights @ (params["means"] - mean) ** 2 + 0.01)
        (mode,) = model.modes(x[None])[0]
        steps = np.zeros(4, np.float32)  # as many as above: compiled once
        steps[: _D[0]] = (mode - mean) / std
        found = generation.traverse(*model.first, x, steps, facet=0)
        for i in range(_D[0]):  # the step that is right for dimension i
            _assert_close(found[i, i], model.reconstruct(x[None])[0])


if __name__ == "__main__":
    absltest.main()
