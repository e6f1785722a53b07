# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser, against Adam in NumPy."""

import jax
import numpy as np
import optax
from absl.testing import absltest, parameterized

from mfcvae_jax import model as model_lib
from mfcvae_jax.settings import Covariance, Facets
from mfcvae_jax.training import optimiser
from tests import examples


def _facets(*learn_weights):
    n = len(learn_weights)
    return Facets(
        n_components=(3,) * n,
        latent_dim=(2,) * n,
        covariance=(Covariance.DIAGONAL,) * n,
        learn_weights=learn_weights,
    )


def _params(rng, n_facets):
    """A layer, whose name must not matter, and the priors."""
    params = {"encoder": {"logits": rng.normal(size=(2, 3))}}
    for j in range(n_facets):
        params[f"priors_{j}"] = {
            "logits": rng.normal(size=3),
            "means": rng.normal(size=(3, 2)),
        }
    return params


def _steps(adam, params, gradients):
    """Parameters after each gradient."""

    @jax.jit
    def step(params, opt_state, gradient):
        updates, opt_state = adam.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    opt_state = adam.init(params)
    after = []
    for gradient in gradients:
        params, opt_state = step(params, opt_state, gradient)
        after.append(params)
    return after


def _numpy_adam(value, gradients, rate):
    """Kingma and Ba (arXiv:1412.6980), Algorithm 1, for one array."""
    first, second = np.zeros_like(value), np.zeros_like(value)
    for t, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9**t), second / (1 - 0.999**t)
        value = value - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return value


class OptimiserTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
        rng = np.random.default_rng(0)
        self.params = _params(rng, 2)
        # Of all sizes, down to where the 1e-8 in the denominator matters.
        self.gradients = [
            jax.tree.map(
                lambda leaf: (
                    rng.normal(size=leaf.shape)
                    * 10.0 ** rng.uniform(-9, 2, leaf.shape)
                ),
                self.params,
            )
            for _ in range(4)
        ]

    @parameterized.parameters((True, True), (False, True), (False, False))
    def test_step_is_adam_s_but_for_fixed_mixing_weights(self, *learn_weights):
        adam = optimiser.make_optimiser(5e-4, _facets(*learn_weights))
        after = _steps(adam, self.params, self.gradients)[-1]
        fixed = [
            (f"priors_{j}", "logits")
            for j, is_learnt in enumerate(learn_weights)
            if not is_learnt
        ]
        for module, leaves in self.params.items():
            for name, value in leaves.items():
                wanted = _numpy_adam(
                    value, [g[module][name] for g in self.gradients], 5e-4
                )
                rtol = 1e-11
                if (module, name) in fixed:  # not by one bit
                    wanted, rtol = value, 0.0
                np.testing.assert_allclose(
                    after[module][name],
                    wanted,
                    rtol,
                    err_msg=f"{module}/{name}",
                )

    def test_parameters_of_the_model_have_the_names_it_looks_for(self):
        chosen = examples.settings(
            facets={"learn_weights": (False, True)},
            net={
                "kind": "shared_encoder",
                "encoder": (),
                "decoder": (),
                "activation": "relu",
                "batch_norm": False,
            },
        )
        model = model_lib.make_model(chosen, (8, 8, 1))
        params = jax.tree.map(np.ones_like, examples.variables(model)["params"])
        adam = optimiser.make_optimiser(0.1, chosen.facets)
        (after,) = _steps(adam, params, [params])
        unmoved = [
            jax.tree_util.keystr(path, simple=True, separator="/")
            for path, leaf in jax.tree_util.tree_leaves_with_path(after)
            if np.all(leaf == 1)
        ]
        self.assertEqual(unmoved, ["priors_0/logits"])


if __name__ == "__main__":
    absltest.main()
