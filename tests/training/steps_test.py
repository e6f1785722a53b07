# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Training steps, and what trains which facet when."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.training import optimiser, state, steps
from mfcvae_jax.variational import elbo
from tests import examples

_B = 16  # examples per step
_L = 2  # samples per example


@functools.cache
def _stepper():
    """Two facets with all that a step can meet: fixed weights, batch norm."""
    chosen = examples.settings(
        facets={
            "covariance": ("diagonal", "full"),
            "learn_weights": (False, True),
        },
        net={
            **examples.config()["net"],
            "encoder_backbone": ((16,), ()),
            "encoder_rungs": ((12,), ()),
            "decoder_rungs": ((8,), ()),
            "decoder_backbone": ((), (8,)),
            "activation": "elu",
            "batch_norm": True,
        },
    )
    return steps.Stepper(
        model=model_lib.make_model(chosen, (8, 8, 1)),
        likelihood=chosen.likelihood,
        optimiser=optimiser.make_optimiser(1e-3, chosen.facets),
        # The other facet enters after 2 steps and fades in over 3.
        schedule=progressive.Schedule(((2, 2, 5), (0, 0, 0)), 8, 3),
        estimate=elbo.five_terms,
        n_samples=_L,
    )


@functools.cache
def _step():
    return jax.jit(_stepper().step)


@functools.cache
def _loss_gradient():
    return jax.jit(jax.grad(_stepper().loss, has_aux=True))


def _start():
    stepper = _stepper()
    return state.make_state(
        examples.variables(stepper.model), stepper.optimiser, jax.random.key(1)
    )


def _images(n=_B):
    return examples.images(n).astype(np.float64)


def _noise():
    rng = np.random.default_rng(3)
    return tuple(rng.normal(size=(_L, _B, d)) for d in (2, 3))


def _assert_trees_close(ours, theirs, rtol, atol=0.0):
    def compare(path, one, two):
        if jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, two = jax.random.key_data(one), jax.random.key_data(two)
        np.testing.assert_allclose(
            one, two, rtol, atol, err_msg=jax.tree_util.keystr(path)
        )

    jax.tree_util.tree_map_with_path(compare, ours, theirs)


class StepTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @pytest.mark.slow
    def test_same_key_and_step_give_the_same_noise_and_others_other(self):
        start, x = _start(), _images()
        after, first = _step()(start, x)
        self.assertEqual(int(after.step), 1)
        again, same = _step()(start, x)
        _assert_trees_close((after, first), (again, same), 0)
        for other in (
            start._replace(step=start.step + 1),
            start._replace(key=jax.random.key(9)),
        ):
            _, metrics = _step()(other, x)
            self.assertNotEqual(float(metrics.loss), float(first.loss))

    @pytest.mark.slow
    def test_noise_is_that_of_the_key_folded_with_the_step(self):
        start, x = _start()._replace(step=np.int32(3)), _images()
        _, found = _step()(start, x)
        noise = draw_noise(jax.random.fold_in(start.key, 3), (2, 3), _L, _B)
        coefficients = progressive.coefficients(_stepper().schedule, 3)
        _, (wanted, _) = _loss_gradient()(
            start.params, start.batch_stats, x, noise, coefficients
        )
        _assert_trees_close(found, wanted, 1e-9)

    @pytest.mark.slow
    def test_training_raises_the_bound_and_moves_what_it_should(self):
        start = at = _start()
        batches = _images(6 * _B).reshape(6, _B, 8, 8, 1)
        bounds = []
        for n in range(100):
            at, metrics = _step()(at, batches[n % 6])
            bounds.append(metrics.mixture_bound)
        # Both facets are in after the first five steps.
        self.assertGreater(np.mean(bounds[-6:]), np.mean(bounds[6:12]) + 2)
        # Nothing but the mask of the optimiser holds the fixed weights.
        np.testing.assert_array_equal(
            at.params["priors_0"]["logits"], start.params["priors_0"]["logits"]
        )
        for module, name in (("priors_1", "logits"), ("priors_0", "means")):
            moved = at.params[module][name] - start.params[module][name]
            self.assertTrue(np.all(moved != 0), f"{module} {name}")
        for old, new in zip(
            jax.tree.leaves(start.batch_stats),
            jax.tree.leaves(at.batch_stats),
            strict=True,
        ):
            self.assertTrue(np.any(old != new))


class LossTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    def _gradient(self, step, weight=0.0, **changes):
        """Gradient and metrics at a step, at a pretraining weight."""
        schedule = _stepper().schedule._replace(
            pretrain_weight_z=weight, pretrain_weight_c=weight, **changes
        )
        coefficients = progressive.coefficients(schedule, step)
        start = _start()
        gradient, (metrics, _) = _loss_gradient()(
            start.params, start.batch_stats, _images(), _noise(), coefficients
        )
        return gradient, metrics, coefficients

    def _zero_leaves(self, gradient):
        return {
            jax.tree_util.keystr(path, simple=True, separator="/")
            for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)
            if not np.any(leaf)
        }

    def test_waiting_facet_is_trained_by_nothing(self):
        gradient, _, _ = self._gradient(step=0)
        parts = ("priors_0/", *(f"encoder/{n}_0/" for n in ("heads", "rung")))
        everything = self._zero_leaves(jax.tree.map(np.zeros_like, gradient))
        self.assertEqual(
            self._zero_leaves(gradient),
            {
                path
                for path in everything
                if path.startswith((*parts, "decoder/rung_0/"))
            },
        )

    def test_pretraining_weights_train_it_but_for_its_decoder_rung(self):
        gradient, _, _ = self._gradient(step=0, weight=0.5)
        zero = self._zero_leaves(gradient)
        self.assertNotEmpty(zero)
        for path in zero:
            self.assertTrue(path.startswith("decoder/rung_0/"), path)

    @pytest.mark.slow
    def test_everything_is_trained_once_the_fade_in_has_begun(self):
        gradient, _, _ = self._gradient(step=3)
        self.assertEqual(self._zero_leaves(gradient), set())

    def test_facet_that_warms_up_is_an_autoencoder(self):
        gradient, metrics, _ = self._gradient(3, starts=((2, 4, 5), (0, 0, 0)))
        # Without noise and KL, nothing depends on variances and the prior.
        self.assertEqual(
            {path.rpartition("/")[0] for path in self._zero_leaves(gradient)},
            {"priors_0", "encoder/heads_0/log_var"},
        )
        np.testing.assert_allclose(
            metrics.loss, metrics.kl_z[1] + metrics.kl_c[1] - metrics.log_p_x_z
        )

    @pytest.mark.slow
    def test_price_is_paid_in_the_loss_by_the_shallow_facet_alone(self):
        stepper, start = _stepper(), _start()
        schedule = stepper.schedule._replace(price=20.0)
        priced = dataclasses.replace(stepper, schedule=schedule)
        at = progressive.coefficients(schedule, 7)
        args = (start.params, start.batch_stats, _images(), _noise(), at)
        gradient, (metrics, _) = jax.jit(jax.grad(priced.loss, has_aux=True))(
            *args
        )
        free, (wanted, _) = _loss_gradient()(*args)
        share = float(metrics.shared_variance[0])
        self.assertBetween(share, 0.01, 0.99)
        self.assertEqual(float(metrics.shared_variance[1]), 0)
        np.testing.assert_allclose(metrics.loss - wanted.loss, 20 * share)
        self.assertEqual(metrics.mixture_bound, wanted.mixture_bound)
        differs = {
            jax.tree_util.keystr(path, simple=True, separator="/")
            for path, change in jax.tree_util.tree_leaves_with_path(
                jax.tree.map(lambda a, b: np.abs(a - b).max(), gradient, free)
            )
            if change > 1e-9
        }
        own = ("encoder/backbone_0/", "encoder/rung_0/", "encoder/heads_0/")
        self.assertNotEmpty(differs)
        for path in differs:
            self.assertTrue(path.startswith(own), path)

    @parameterized.parameters(0, 3, 7)
    def test_loss_is_weighted_and_the_bound_is_of_the_facets_that_are_in(
        self, step
    ):
        _, metrics, coefficients = self._gradient(step, weight=0.25)
        kl_z, kl_c = np.asarray(metrics.kl_z), np.asarray(metrics.kl_c)
        self.assertTrue(np.all(np.abs(kl_z + kl_c) > 0.1))
        # Waiting, the first facet does not reach the decoder.
        is_in = np.array([step > 0, True])
        bound = metrics.log_p_x_z - (kl_z + kl_c) @ is_in
        # The five terms from several samples lie between the two bounds.
        self.assertGreater(_L, 1)
        self.assertLess(bound, metrics.mixture_bound)
        self.assertGreater(metrics.mixture_bound, metrics.mean_field_bound)
        np.testing.assert_allclose(
            metrics.loss,
            -metrics.log_p_x_z
            + kl_z @ coefficients.weight_z
            + kl_c @ coefficients.weight_c,
        )
        is_active = step == 7
        self.assertEqual(np.isclose(metrics.loss, -bound), is_active)


class SummariseTest(absltest.TestCase):
    def test_averages_over_the_batch_and_keeps_facets_apart(self):
        rng = np.random.default_rng(4)

        def facet():
            fields = rng.normal(size=(4, 5))
            return elbo.FacetTerms(np.zeros((5, 3)), *fields)

        facets = (facet(), facet(), facet())
        mixture, mean_field = rng.normal(size=(2, 5, 3))
        terms = elbo.ElboTerms(rng.normal(size=5), facets, mixture, mean_field)
        weight_z, weight_c, noise = rng.random((3, 3))
        alpha = np.array([0.0, 0.3, 1.0])
        price = np.array([[0, 0, 0], [0, 0, 20.0], [0, 0, 0]])
        shares = np.triu(rng.random((3, 3)), 1)
        with jax.enable_x64(True):
            found = jax.jit(steps.summarise)(
                terms,
                progressive.Coefficients(
                    alpha, weight_z, weight_c, noise, price
                ),
                np.array([0.0, 1.0, 1.0]),
                shares,
            )
        kl_z = np.array([np.mean(f.log_q_z - f.log_p_z_c) for f in facets])
        kl_c = np.array([np.mean(f.log_q_c - f.log_p_c) for f in facets])
        log_p_x_z = np.mean(terms.log_p_x_z)
        np.testing.assert_allclose(found.kl_z, kl_z)
        np.testing.assert_allclose(found.kl_c, kl_c)
        np.testing.assert_allclose(found.log_p_x_z, log_p_x_z)
        for bound, block in (
            (found.mixture_bound, mixture),
            (found.mean_field_bound, mean_field),
        ):
            np.testing.assert_allclose(
                bound, log_p_x_z + block[:, 1:].sum() / len(block)
            )
        np.testing.assert_allclose(
            found.loss,
            weight_z @ kl_z + weight_c @ kl_c - log_p_x_z + 20 * shares[1, 2],
        )
        # What nobody pays for is not told.
        np.testing.assert_array_equal(
            found.shared_variance, [0, shares[1, 2], 0]
        )
