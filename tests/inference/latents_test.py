# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of q(z|x), against its mean and standard deviation, by SciPy."""

import jax
import numpy as np
from absl.testing import absltest
from scipy import stats

from mfcvae_jax import model as model_lib
from mfcvae_jax.inference import latents
from mfcvae_jax.training import state
from tests import examples

_N, _N_KEYS = 10, 60


class SampledLatentsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = model_lib.make_model(examples.settings(), (8, 8, 1))
        cls.variables = state.initial_variables(cls.model, jax.random.key(0))
        cls.images = examples.images(_N)
        # Chunks of 4, 4 and 2.
        cls.draws = [
            cls._sample(cls.images, jax.random.key(i)) for i in range(_N_KEYS)
        ]

    @classmethod
    def _sample(cls, images, key, batch_size=4):
        return latents.sampled_latents(
            cls.model, cls.variables, images, key, batch_size=batch_size
        )

    def test_standardised_they_are_independent_standard_normals(self):
        posteriors = self.model.apply(
            self.variables, self.images, method=self.model.encode
        )
        for j, q in enumerate(posteriors):
            z = np.stack([drawn[j] for drawn in self.draws])
            self.assertEqual(z.shape, (_N_KEYS, *q.mean.shape))
            noise = (z - q.mean) / np.exp(0.5 * np.asarray(q.log_var))
            self.assertGreater(stats.kstest(noise.ravel(), "norm").pvalue, 1e-3)
            flat = noise.reshape(_N_KEYS, -1)
            error = 1 / np.sqrt(_N_KEYS)
            self.assertLess(np.abs(flat.mean(axis=0)).max(), 4.5 * error)
            self.assertLess(np.abs(flat.std(axis=0) - 1).max(), 4.5 * error)
            # No two examples, dimensions or chunks share their noise.
            shared = np.corrcoef(flat.T) - np.eye(flat.shape[1])
            self.assertLess(np.abs(shared).max(), 4.5 * error)

    def test_same_key_gives_the_same_samples_and_another_others(self):
        again = self._sample(self.images, jax.random.key(0))
        for z, same, other in zip(
            self.draws[0], again, self.draws[1], strict=True
        ):
            np.testing.assert_array_equal(z, same)
            self.assertTrue(np.all(z != other))

    def test_images_of_bytes_are_those_of_fractions(self):
        as_bytes = np.rint(255 * self.images).astype(np.uint8)
        key = jax.random.key(5)
        found = self._sample(as_bytes, key, batch_size=_N)
        wanted = self._sample(
            as_bytes.astype(np.float32) / 255, key, batch_size=_N
        )
        for z, same in zip(found, wanted, strict=True):
            np.testing.assert_allclose(z, same, atol=1e-5)


if __name__ == "__main__":
    absltest.main()
