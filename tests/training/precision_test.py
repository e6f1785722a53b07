# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What each precision means, read off the traced gradient, and how far it goes.

That a product of float32 factors may be rounded shows on no CPU, so it is
looked for in what is handed to the compiler.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mfcvae_jax import progressive
from mfcvae_jax.datasets import batches
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.settings import Precision
from tests import examples
from tests.training import device_cases

_EXACT = (jax.lax.Precision.HIGHEST,) * 2
_PRODUCTS = ("dot_general", "conv_general_dilated")
# What the bound is made of; the nets have none of these.
_OF_THE_BOUND = ("log", "log1p", "logistic", "reduce_max")


def _equations(jaxpr):
    """All equations, those of inner functions included."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.tree.leaves(
            list(equation.params.values()),
            is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr"),
        ):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from _equations(inner)


def _gradient(net, precision):
    """The gradient as a function, and its arguments."""
    stepper = dataclasses.replace(
        device_cases.make_stepper(net), precision=precision
    )
    variables = examples.variables(stepper.model, np.float32)
    x = batches.as_float(device_cases.images()[:8])
    facets = stepper.model.facets
    noise = draw_noise(jax.random.key(1), facets.latent_dim, 1, len(x))
    full = progressive.full_coefficients(len(facets))
    arguments = (variables["params"], variables["batch_stats"])
    return (
        jax.value_and_grad(stepper.loss, has_aux=True),
        (*arguments, x, noise, full),
    )


def _traced(net, precision):
    function, arguments = _gradient(net, precision)
    return list(_equations(jax.make_jaxpr(function)(*arguments).jaxpr))


def _products(equations):
    return [e for e in equations if e.primitive.name in _PRODUCTS]


def test_float32_rounds_no_product_and_fast_products_those_of_the_nets():
    exact, fast = (
        _products(_traced("dense", precision))
        for precision in (Precision.FLOAT32, Precision.FAST_PRODUCTS)
    )
    for equation in exact:
        assert equation.params["precision"] == _EXACT
    assert len(fast) == len(exact)
    left_exact = [e for e in fast if e.params["precision"] == _EXACT]
    # What is left whitens with the full covariance, over K = 6, D = 2.
    assert 0 < len(left_exact) < len(fast)
    for equation in left_exact:
        for operand in equation.invars:
            assert set(operand.aval.shape) <= {1, 2, 3, 6, 8, 10}
    for equation in fast:
        assert equation.invars[0].aval.dtype == jnp.float32


@pytest.mark.parametrize("net", ["dense", "conv"])
@pytest.mark.slow
def test_bfloat16_is_for_the_nets_and_never_for_the_bound(net):
    traced = _traced(net, Precision.BFLOAT16)
    types = {e.invars[0].aval.dtype for e in _products(traced)}
    assert types == {jnp.dtype("bfloat16"), jnp.dtype("float32")}
    for equation in traced:
        if equation.primitive.name in _OF_THE_BOUND:
            assert equation.invars[0].aval.dtype == jnp.float32, equation
    # Nor for what comes out: metrics, batch statistics and gradient.
    function, arguments = _gradient(net, Precision.BFLOAT16)
    for leaf in jax.tree.leaves(jax.eval_shape(function, *arguments)):
        assert leaf.dtype == jnp.float32


@pytest.mark.parametrize("net", ["dense", "conv"])
@pytest.mark.slow
def test_bfloat16_gradient_is_close(net):
    found = []
    for precision in (Precision.FLOAT32, Precision.BFLOAT16):
        function, arguments = _gradient(net, precision)
        (loss, _), gradient = jax.jit(function)(*arguments)
        leaves = [np.ravel(g) for g in jax.tree.leaves(gradient)]
        found.append((float(loss), np.concatenate(leaves)))
    (loss, gradient), (rounded_loss, rounded) = found
    assert loss != rounded_loss
    np.testing.assert_allclose(rounded_loss, loss, rtol=0.01)
    error = np.linalg.norm(rounded - gradient) / np.linalg.norm(gradient)
    # A bfloat16 has 8 bits, of which every batch norm cancels some.
    assert error < 0.1
