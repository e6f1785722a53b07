# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The noise of a pass, which follows from its key."""

import jax
import numpy as np
from scipy import stats

from mfcvae_jax import randomness

_draw = jax.jit(randomness.draw_noise, static_argnums=(1, 2, 3))


def test_every_facet_has_its_own_standard_normal_noise():
    noise = _draw(jax.random.key(2), (3, 2, 3), 20, 100)
    shapes = [drawn.shape for drawn in noise]
    assert shapes == [(20, 100, 3), (20, 100, 2), (20, 100, 3)]
    for drawn in noise:
        assert stats.kstest(np.ravel(drawn), stats.norm.cdf).pvalue > 1e-3
    assert not np.any(noise[0] == noise[2])


def test_follows_from_the_key_and_the_place_of_the_facet_alone():
    first, again, other = (
        _draw(jax.random.key(seed), (3, 3), 1, 5) for seed in (0, 0, 1)
    )
    jax.tree.map(np.testing.assert_array_equal, first, again)
    for one, two in zip(first, other, strict=True):
        assert not np.any(one == two)
    (alone,) = _draw(jax.random.key(0), (3,), 1, 5)
    np.testing.assert_array_equal(alone, first[0])


def test_no_two_uses_of_a_run_share_their_keys():
    keys = {
        tuple(jax.random.key_data(randomness.run_key(seed, use)).tolist())
        for seed in (0, 1)
        for use in randomness.KeyUse
    }
    assert len(keys) == 2 * len(randomness.KeyUse)
