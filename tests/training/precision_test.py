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
from absl.testing import parameterized

from mfcvae_jax import progressive
from mfcvae_jax.datasets import batches
from mfcvae_jax.settings import Precision
from mfcvae_jax.training import state
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


class PrecisionTest(parameterized.TestCase):
    def _gradient(self, net, precision):
        """The gradient as a function, and its arguments."""
        stepper = dataclasses.replace(
            device_cases.make_stepper(net), precision=precision
        )
        variables = examples.variables(stepper.model, np.float32)
        x = batches.as_float(device_cases.images()[:8])
        noise = state.draw_noise(
            jax.random.key(1), stepper.model.facets.latent_dim, 1, len(x)
        )
        full = progressive.full_coefficients(len(stepper.model.facets))
        arguments = (variables["params"], variables["batch_stats"])
        return (
            jax.value_and_grad(stepper.loss, has_aux=True),
            (*arguments, x, noise, full),
        )

    def _traced(self, net, precision):
        function, arguments = self._gradient(net, precision)
        return list(_equations(jax.make_jaxpr(function)(*arguments).jaxpr))

    def _products(self, net, precision):
        return [
            equation
            for equation in self._traced(net, precision)
            if equation.primitive.name in _PRODUCTS
        ]

    def test_float32_rounds_no_product(self):
        products = self._products("dense", Precision.FLOAT32)
        self.assertNotEmpty(products)
        for equation in products:
            self.assertEqual(equation.params["precision"], _EXACT)

    def test_fast_products_are_those_of_the_nets_alone(self):
        exact = self._products("dense", Precision.FLOAT32)
        fast = self._products("dense", Precision.FAST_PRODUCTS)
        self.assertLen(fast, len(exact))
        left_exact = [e for e in fast if e.params["precision"] == _EXACT]
        # What is left whitens with the full covariance, over K = 6, D = 2.
        self.assertNotEmpty(left_exact)
        self.assertLess(len(left_exact), len(fast))
        for equation in left_exact:
            for operand in equation.invars:
                self.assertLessEqual(
                    set(operand.aval.shape), {1, 2, 3, 6, 8, 10}
                )
        for equation in fast:
            self.assertEqual(equation.invars[0].aval.dtype, jnp.float32)

    @parameterized.parameters("dense", "conv")
    @pytest.mark.slow
    def test_bfloat16_is_for_the_nets_and_never_for_the_bound(self, net):
        traced = self._traced(net, Precision.BFLOAT16)
        types = {
            equation.invars[0].aval.dtype
            for equation in traced
            if equation.primitive.name in _PRODUCTS
        }
        self.assertEqual(types, {jnp.dtype("bfloat16"), jnp.dtype("float32")})
        for equation in traced:
            if equation.primitive.name in _OF_THE_BOUND:
                dtype = equation.invars[0].aval.dtype
                self.assertEqual(dtype, jnp.float32, equation)
        # Nor for what comes out: metrics, batch statistics and gradient.
        function, arguments = self._gradient(net, Precision.BFLOAT16)
        for leaf in jax.tree.leaves(jax.eval_shape(function, *arguments)):
            self.assertEqual(leaf.dtype, jnp.float32)

    @parameterized.parameters("dense", "conv")
    @pytest.mark.slow
    def test_bfloat16_gradient_is_close(self, net):
        found = {}
        for precision in (Precision.FLOAT32, Precision.BFLOAT16):
            function, arguments = self._gradient(net, precision)
            (loss, _), gradient = jax.jit(function)(*arguments)
            leaves = [np.ravel(g) for g in jax.tree.leaves(gradient)]
            found[precision] = float(loss), np.concatenate(leaves)
        loss, gradient = found[Precision.FLOAT32]
        rounded_loss, rounded = found[Precision.BFLOAT16]
        self.assertNotEqual(loss, rounded_loss)
        np.testing.assert_allclose(rounded_loss, loss, rtol=0.01)
        error = np.linalg.norm(rounded - gradient) / np.linalg.norm(gradient)
        # A bfloat16 has 8 bits, of which every batch norm cancels some.
        self.assertLess(error, 0.1)
