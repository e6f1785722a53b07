# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Swaps and traversals: against decoding by hand."""

import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from mfcvae_jax import model as model_lib
from mfcvae_jax.evaluation import generation
from mfcvae_jax.training import state
from mfcvae_jax.variational import prior
from tests import examples


class GenerationTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings = examples.settings()  # Bernoulli
        cls.model = model_lib.make_model(cls.settings, (8, 8, 1))
        cls.variables = state.initial_variables(cls.model, jax.random.key(1))
        cls.alpha = np.array([0.7, 1.0], np.float32)
        cls.arguments = (
            cls.model,
            cls.settings.likelihood,
            cls.variables,
            cls.alpha,
        )
        cls.pairs = examples.images(12).reshape(6, 2, 8, 8, 1)
        posteriors = cls.model.apply(
            cls.variables, examples.images(12), method=cls.model.encode
        )
        cls.means = [np.asarray(q.mean) for q in posteriors]

    def _decode(self, z):
        logits = self.model.apply(
            self.variables, tuple(z), self.alpha, method=self.model.decode
        )
        return special.expit(np.asarray(logits))

    @parameterized.parameters(0, 1)
    def test_swap_exchanges_one_facet(self, facet):
        swapped = generation.swap_facet(
            *self.arguments, self.pairs, facet=facet
        )
        z = [mean.copy() for mean in self.means]
        z[facet] = z[facet].reshape(6, 2, -1)[:, ::-1].reshape(12, -1)
        np.testing.assert_allclose(
            np.asarray(swapped).reshape(12, 8, 8, 1),
            self._decode(z),
            atol=1e-5,
        )

    def test_swap_with_itself_is_the_reconstruction(self):
        twice = np.repeat(self.pairs[:, :1], 2, axis=1)
        np.testing.assert_allclose(
            generation.swap_facet(*self.arguments, twice, facet=1)[:, 0],
            generation.reconstruct(*self.arguments, self.pairs[:, 0]),
            atol=1e-5,
        )

    @parameterized.parameters(0, 1)
    def test_traversal_moves_one_dimension_and_no_other(self, facet):
        steps = np.array([-1.5, 0.0, 2.0], np.float32)
        found = generation.traverse(
            *self.arguments, self.pairs[0, 0], steps, facet=facet
        )
        mixture = self.model.apply(self.variables, method=self.model.mixtures)[
            facet
        ]
        draws = np.asarray(
            prior.distribution(mixture).sample(
                seed=jax.random.key(0), sample_shape=(20_000,)
            )
        )
        n_dims = self.means[facet].shape[1]
        self.assertEqual(found.shape, (n_dims, 3, 8, 8, 1))
        for d in range(n_dims):
            for t, step in enumerate(steps):
                z = [mean[:1].copy() for mean in self.means]
                z[facet][0, d] = draws[:, d].mean() + step * draws[:, d].std()
                np.testing.assert_allclose(
                    found[d, t], self._decode(z)[0], atol=0.01
                )


if __name__ == "__main__":
    absltest.main()
