# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs to swap: against enumeration, and what they must never be."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from mfcvae_jax.evaluation import swaps


def _resp(rng, n, sizes):
    return [special.softmax(3 * rng.normal(size=(n, k)), axis=1) for k in sizes]


class ChoosePairsTest(parameterized.TestCase):
    @parameterized.product(seed=(0, 1, 2), sizes=((3, 4), (2, 2), (3, 2, 4)))
    def test_pairs_are_what_they_should_be(self, seed, sizes):
        resp = _resp(np.random.default_rng(seed), 40, sizes)
        pairs = swaps.choose_pairs(resp, 100)
        assigned = np.stack([r.argmax(1) for r in resp], 1)
        confidence = np.min([r.max(1) for r in resp], axis=0)
        self.assertEqual(len(np.unique(pairs)), pairs.size)
        first, second = assigned[pairs[:, 0]], assigned[pairs[:, 1]]
        self.assertTrue((first != second).all())
        seen = {
            frozenset((tuple(a), tuple(b)))
            for a, b in zip(first.tolist(), second.tolist(), strict=True)
        }
        self.assertLen(seen, len(pairs))
        # From the most confident on, within pairs and from pair to pair.
        self.assertTrue(
            (confidence[pairs[:, 0]] >= confidence[pairs[:, 1]]).all()
        )
        self.assertTrue((np.diff(confidence[pairs[:, 0]]) <= 0).all())
        np.testing.assert_array_equal(swaps.choose_pairs(resp, 2), pairs[:2])
        # No pair is left that could have been chosen.
        free = sorted(set(range(40)) - set(pairs.ravel().tolist()))
        for i in free:
            for k in free:
                clusters = frozenset(
                    (tuple(assigned[i].tolist()), tuple(assigned[k].tolist()))
                )
                differs = (assigned[i] != assigned[k]).all()
                self.assertFalse(differs and clusters not in seen, (i, k))

    def test_the_first_pair_is_the_most_confident_there_is(self):
        resp = [
            np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]]),
            np.array([[0.6, 0.4], [0.9, 0.1], [0.05, 0.95], [0.2, 0.8]]),
        ]
        # Confidence 0.6, 0.8, 0.7, 0.6.
        np.testing.assert_array_equal(swaps.choose_pairs(resp, 1), [[1, 2]])

    def test_facet_of_a_single_cluster_has_no_pairs(self):
        rng = np.random.default_rng(0)
        resp = [_resp(rng, 20, (4,))[0], np.tile([0.9, 0.1], (20, 1))]
        self.assertEqual(swaps.choose_pairs(resp, 5).shape, (0, 2))


class IsAsWantedTest(absltest.TestCase):
    def test_every_picture_and_facet(self):
        rng = np.random.default_rng(0)
        of_inputs = rng.integers(0, 3, (50, 2, 3))
        found = rng.integers(0, 3, (50, 2, 3))
        for facet in range(3):
            result = swaps.is_as_wanted(of_inputs, found, facet)
            for p in range(50):
                for i in range(2):
                    for j in range(3):
                        donor = 1 - i if j == facet else i
                        self.assertEqual(
                            result[p, i, j],
                            found[p, i, j] == of_inputs[p, donor, j],
                        )


if __name__ == "__main__":
    absltest.main()
