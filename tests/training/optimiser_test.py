# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser, against Adam in NumPy."""

import jax
import numpy as np
import optax
import pytest

from mfcvae_jax import model as model_lib
from mfcvae_jax.training import optimiser
from tests import examples


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
    adam = optimiser.make_optimiser(5e-4, chosen.facets)

    @jax.jit
    def step(params, opt_state, gradient):
        updates, opt_state = adam.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    with jax.enable_x64(True):
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
