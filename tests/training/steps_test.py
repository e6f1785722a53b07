# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Training steps, what trains which facet when, and Adam in NumPy."""

import dataclasses
import functools

import jax
import numpy as np
import optax
import pytest

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.training import runs, state, steps
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
    return dataclasses.replace(
        runs.make_stepper(chosen, (8, 8, 1), steps_per_epoch=1),
        # The other facet enters after 2 steps and fades in over 3.
        schedule=progressive.Schedule(((2, 2, 5), (0, 0, 0)), 8, 3),
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


@pytest.fixture(autouse=True)
def _doubles():
    with jax.enable_x64(True):
        yield


@pytest.mark.slow
def test_noise_is_that_of_the_key_folded_with_the_step():
    start, x = _start()._replace(step=np.int32(3)), _images()
    after, found = _step()(start, x)
    assert int(after.step) == 4
    key = jax.random.fold_in(jax.random.key(1), 3)
    noise = draw_noise(key, (2, 3), _L, _B)
    coefficients = progressive.coefficients(_stepper().schedule, 3)
    _, (wanted, _) = _loss_gradient()(
        start.params, start.batch_stats, x, noise, coefficients
    )
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-9)


@pytest.mark.slow
def test_training_raises_the_bound_and_moves_what_it_should():
    start = at = _start()
    batches = _images(6 * _B).reshape(6, _B, 8, 8, 1)
    bounds = []
    for n in range(100):
        at, metrics = _step()(at, batches[n % 6])
        bounds.append(metrics.mixture_bound)
    # Both facets are in after the first five steps.
    assert np.mean(bounds[-6:]) > np.mean(bounds[6:12]) + 2
    moved = jax.tree.map(lambda old, new: old != new, start, at)
    # Nothing but the mask of the optimiser holds the fixed weights.
    assert not np.any(moved.params["priors_0"]["logits"])
    assert np.all(moved.params["priors_1"]["logits"])
    assert np.all(moved.params["priors_0"]["means"])
    assert all(map(np.any, jax.tree.leaves(moved.batch_stats)))


def _gradient(step, weight=0.0, **changes):
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


def _paths(tree, is_in):
    """The paths of the leaves of which something is true."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if is_in(leaf)
    }


def _zero_leaves(gradient):
    return _paths(gradient, lambda leaf: not np.any(leaf))


def test_waiting_facet_is_trained_by_nothing():
    gradient, _, _ = _gradient(step=0)
    its_own = (
        *("priors_0/", "encoder/heads_0/", "encoder/rung_0/"),
        "decoder/rung_0/",
    )
    assert _zero_leaves(gradient) == {
        path
        for path in _paths(gradient, lambda leaf: True)
        if path.startswith(its_own)
    }


def test_pretraining_weights_train_it_but_for_its_decoder_rung():
    gradient, _, _ = _gradient(step=0, weight=0.5)
    zero = _zero_leaves(gradient)
    assert zero
    for path in zero:
        assert path.startswith("decoder/rung_0/")


@pytest.mark.slow
def test_everything_is_trained_once_the_fade_in_has_begun():
    gradient, _, _ = _gradient(step=3)
    assert _zero_leaves(gradient) == set()


def test_facet_that_warms_up_is_an_autoencoder():
    gradient, metrics, _ = _gradient(3, starts=((2, 4, 5), (0, 0, 0)))
    # Without noise and KL, nothing depends on variances and the prior.
    modules = {path.rpartition("/")[0] for path in _zero_leaves(gradient)}
    assert modules == {"priors_0", "encoder/heads_0/log_var"}
    np.testing.assert_allclose(
        metrics.loss, metrics.kl_z[1] + metrics.kl_c[1] - metrics.log_p_x_z
    )


@pytest.mark.slow
def test_price_is_paid_in_the_loss_by_the_shallow_facet_alone():
    stepper, start = _stepper(), _start()
    schedule = stepper.schedule._replace(price=20.0)
    priced = dataclasses.replace(stepper, schedule=schedule)
    at = progressive.coefficients(schedule, 7)
    args = (start.params, start.batch_stats, _images(), _noise(), at)
    gradient, (metrics, _) = jax.jit(jax.grad(priced.loss, has_aux=True))(*args)
    free, (wanted, _) = _loss_gradient()(*args)
    share, none = metrics.shared_variance
    assert 0.01 < share < 0.99
    assert none == 0
    np.testing.assert_allclose(metrics.loss - wanted.loss, 20 * share)
    assert metrics.mixture_bound == wanted.mixture_bound
    change = jax.tree.map(lambda a, b: np.abs(a - b).max(), gradient, free)
    differs = _paths(change, lambda leaf: leaf > 1e-9)
    assert differs
    own = ("encoder/backbone_0/", "encoder/rung_0/", "encoder/heads_0/")
    for path in differs:
        assert path.startswith(own)


@pytest.mark.parametrize("step", [0, 3, 7])
def test_loss_is_weighted_and_the_bound_is_of_the_facets_that_are_in(step):
    _, metrics, coefficients = _gradient(step, weight=0.25)
    kl_z, kl_c = np.asarray(metrics.kl_z), np.asarray(metrics.kl_c)
    assert np.all(np.abs(kl_z + kl_c) > 0.1)
    # Waiting, the first facet does not reach the decoder.
    is_in = np.array([step > 0, True])
    bound = metrics.log_p_x_z - (kl_z + kl_c) @ is_in
    # The five terms from several samples lie between the two bounds.
    assert _L > 1
    assert bound < metrics.mixture_bound
    assert metrics.mixture_bound > metrics.mean_field_bound
    np.testing.assert_allclose(
        metrics.loss,
        -metrics.log_p_x_z
        + kl_z @ coefficients.weight_z
        + kl_c @ coefficients.weight_c,
    )
    is_active = step == 7
    assert np.isclose(metrics.loss, -bound) == is_active


def test_averages_over_the_batch_and_keeps_facets_apart():
    rng = np.random.default_rng(4)
    facets = tuple(
        elbo.FacetTerms(np.zeros((5, 3)), *rng.normal(size=(4, 5)))
        for _ in range(3)
    )
    mixture, mean_field = rng.normal(size=(2, 5, 3))
    terms = elbo.ElboTerms(rng.normal(size=5), facets, mixture, mean_field)
    weight_z, weight_c, noise = rng.random((3, 3))
    alpha = np.array([0.0, 0.3, 1.0])
    price = np.array([[0, 0, 0], [0, 0, 20.0], [0, 0, 0]])
    shares = np.triu(rng.random((3, 3)), 1)
    coefficients = progressive.Coefficients(
        alpha, weight_z, weight_c, noise, price
    )
    is_in = np.array([0.0, 1.0, 1.0])
    found = jax.jit(steps.summarise)(terms, coefficients, is_in, shares)
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
    np.testing.assert_array_equal(found.shared_variance, [0, shares[1, 2], 0])


def _numpy_adam(value, gradients, rate):
    """Kingma and Ba (arXiv:1412.6980), Algorithm 1, for one array."""
    first, second = np.zeros_like(value), np.zeros_like(value)
    for t, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9**t), second / (1 - 0.999**t)
        value = value - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return value


@pytest.mark.parametrize(
    "learn_weights", [(True, True), (False, True), (False, False)]
)
@pytest.mark.slow
def test_step_is_adam_s_but_for_fixed_mixing_weights(learn_weights):
    chosen = examples.settings(
        facets={"learn_weights": learn_weights},
        net={
            "kind": "shared_encoder",
            "encoder": (),
            "decoder": (),
            "activation": "relu",
            "batch_norm": False,
        },
    )
    start = examples.variables(model_lib.make_model(chosen, (2, 1, 1)))
    # A layer's name must not matter.
    start = {**start["params"], "layer": {"logits": np.ones(3)}}
    # Of all sizes, down to where the 1e-8 in the denominator matters.
    rng = np.random.default_rng(0)

    def draw(leaf):
        size = 10.0 ** rng.uniform(-9, 2, leaf.shape)
        return rng.normal(size=leaf.shape) * size

    gradients = [jax.tree.map(draw, start) for _ in range(4)]
    adam = steps.make_optimiser(5e-4, chosen.facets)

    @jax.jit
    def step(params, opt_state, gradient):
        updates, opt_state = adam.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    params, opt_state = start, adam.init(start)
    for gradient in gradients:
        params, opt_state = step(params, opt_state, gradient)
    fixed = {f"priors_{j}/logits" for j in (0, 1) if not learn_weights[j]}
    unmoved = set()

    def compare(path, found, before, *of_steps):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if np.array_equal(found, before):
            unmoved.add(name)
        else:
            wanted = _numpy_adam(before, of_steps, 5e-4)
            np.testing.assert_allclose(found, wanted, 1e-11, err_msg=name)

    jax.tree_util.tree_map_with_path(compare, params, start, *gradients)
    assert unmoved == fixed
