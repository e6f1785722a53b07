# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The noise of a pass, which follows from its key."""

import jax
import numpy as np
from absl.testing import absltest
from scipy import stats

from mfcvae_jax import randomness

_draw = jax.jit(randomness.draw_noise, static_argnums=(1, 2, 3))


class DrawNoiseTest(absltest.TestCase):
    def test_every_facet_has_its_own_standard_normal_noise(self):
        noise = _draw(jax.random.key(2), (3, 2, 3), 20, 100)
        self.assertEqual(
            [n.shape for n in noise], [(20, 100, 3), (20, 100, 2), (20, 100, 3)]
        )
        for drawn in noise:
            result = stats.kstest(np.ravel(drawn), stats.norm.cdf)
            self.assertGreater(result.pvalue, 1e-3)
        self.assertFalse(np.any(noise[0] == noise[2]))

    def test_follows_from_the_key_and_the_place_of_the_facet_alone(self):
        first, again, other = (
            _draw(jax.random.key(seed), (3, 3), 1, 5) for seed in (0, 0, 1)
        )
        jax.tree.map(np.testing.assert_array_equal, first, again)
        for one, two in zip(first, other, strict=True):
            self.assertFalse(np.any(one == two))
        (alone,) = _draw(jax.random.key(0), (3,), 1, 5)
        np.testing.assert_array_equal(alone, first[0])

    def test_no_two_uses_of_a_run_share_their_keys(self):
        keys = {
            tuple(jax.random.key_data(randomness.run_key(seed, use)).tolist())
            for seed in (0, 1)
            for use in randomness.KeyUse
        }
        self.assertLen(keys, 2 * len(randomness.KeyUse))
