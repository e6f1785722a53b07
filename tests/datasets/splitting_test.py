# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the fixed random split."""

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.datasets import splitting


def _split(n, seed=1, is_test=None):
    """Splits n images whose only pixel is their index, as is their label."""
    index = np.arange(n, dtype=np.int32)
    return splitting.random_split(
        index.reshape(n, 1, 1, 1), index.reshape(n, 1), seed, is_test
    )


class RandomSplitTest(parameterized.TestCase):
    @parameterized.parameters((5, 1), (10, 2), (12, 2), (13, 3), (4800, 960))
    def test_a_fifth_is_set_aside_and_nothing_is_lost(self, n, n_test):
        train, test = _split(n)
        self.assertLen(test.images, n_test)
        both = np.concatenate([train.labels[:, 0], test.labels[:, 0]])
        self.assertEqual(sorted(both), list(range(n)))
        for split, again in zip((train, test), _split(n), strict=True):
            np.testing.assert_array_equal(split.images[:, 0, 0], split.labels)
            np.testing.assert_array_equal(split.labels, again.labels)

    def test_a_given_split_is_kept_and_its_order_drawn(self):
        index = np.arange(50)
        is_test = index % 3 == 0
        train, test = _split(50, is_test=is_test)
        for split, expected in (
            (train, index[~is_test]),
            (test, index[is_test]),
        ):
            found = split.labels[:, 0]
            np.testing.assert_array_equal(np.sort(found), expected)
            self.assertFalse(np.array_equal(found, expected))

    def test_other_seed_other_split(self):
        one, other = (_split(500, seed)[1].labels for seed in (1, 2))
        # A fifth of a fifth is shared by chance.
        self.assertLess(len(np.intersect1d(one, other)), 40)

    def test_ordered_examples_come_out_mixed(self):
        # The ranks of a shuffled sequence have no correlation with its order;
        # its standard deviation is 1 / sqrt(N).
        for split in _split(4800):
            order = np.arange(len(split.labels))
            found = np.corrcoef(order, split.labels[:, 0])[0, 1]
            self.assertLess(abs(found), 4 / np.sqrt(len(order)))
