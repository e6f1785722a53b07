# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the digits, grey and tinted."""

import zlib

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn import metrics

from mfcvae_jax.datasets import digits

GREY = digits.load_digits()
TINTED = digits.load_digits_tinted()
SPLITS = ((TINTED.train, GREY.train), (TINTED.test, GREY.test))


def _checksum(array, dtype):
    return zlib.crc32(array.astype(dtype).tobytes())


class TestGrey:
    def test_both_splits_together_are_scikit_learns_digits(self):
        bunch = sklearn_datasets.load_digits()
        rows = np.vstack(
            [
                np.hstack([split.images.reshape(-1, 64) * 16, split.labels])
                for split in (GREY.train, GREY.test)
            ]
        )
        expected = np.hstack([bunch.data, bunch.target[:, np.newaxis]])
        np.testing.assert_array_equal(
            rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)]
        )

    def test_a_fifth_of_every_class_is_for_testing(self):
        train = np.bincount(GREY.train.labels[:, 0])
        test = np.bincount(GREY.test.labels[:, 0])
        np.testing.assert_allclose(test, 0.2 * (train + test), atol=0.5)

    def test_split_is_the_one_our_results_were_measured_on(self):
        # Recorded 2026-11; another split is another data set.
        assert _checksum(GREY.train.labels, "<i4") == 1470883511
        assert _checksum(GREY.test.images, "<f4") == 3157585650


class TestTinted:
    def test_strongest_channel_is_the_grey_digit_exactly(self):
        for tinted, grey in SPLITS:
            np.testing.assert_array_equal(
                tinted.images.max(axis=-1, keepdims=True), grey.images
            )
            np.testing.assert_array_equal(tinted.labels[:, :1], grey.labels)

    def test_hue_is_the_nearest_colour_of_the_mean_pixel(self):
        colours = np.array(list(digits.HUES.values()))
        for tinted, _ in SPLITS:
            mean = tinted.images.mean(axis=(1, 2))
            mean /= mean.max(axis=1, keepdims=True)
            distance = np.linalg.norm(mean[:, np.newaxis] - colours, axis=-1)
            np.testing.assert_array_equal(
                distance.argmin(axis=1), tinted.labels[:, 1]
            )

    def test_hues_are_dealt_evenly_within_every_class(self):
        for tinted, _ in SPLITS:
            table = metrics.cluster.contingency_matrix(*tinted.labels.T)
            assert table.shape == (10, len(digits.HUES))
            assert np.ptp(table, axis=1).max() <= 1

    def test_hues_are_the_ones_our_results_were_measured_on(self):
        # Recorded 2026-11.
        labels = np.concatenate([TINTED.train.labels, TINTED.test.labels])
        assert _checksum(labels, "<i4") == 3379803919
