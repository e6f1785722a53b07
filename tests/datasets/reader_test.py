# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of loading by name and of the check on what came."""

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Labeling, Split

_SPEC = DatasetSpec(
    name="made_up",
    image_shape=(3, 4, 2),
    labelings=(Labeling("kind", 3), Labeling("size", 2)),
)


def _made_up(**train):
    """A sound data set of 5 + 5 images, but for what is given for train."""
    images = np.random.default_rng(0).random((5, 3, 4, 2), np.float32)
    labels = np.array([[0, 0], [1, 1], [2, 0], [0, 1], [1, 0]], np.int32)
    split = Split(images, labels)
    return Dataset(_SPEC, split._replace(**train), split)


class LoadTest(parameterized.TestCase):
    @parameterized.parameters("digits", "digits_tinted")
    def test_loads_what_its_spec_says(self, name):
        dataset = reader.load(name)
        self.assertEqual(dataset.spec, reader.spec_of(name))
        self.assertEqual(dataset.spec.name, name)

    def test_every_name_has_its_own_spec(self):
        names = set(reader.known_names()) - {*("npz", "npy", "folder", "hdf5")}
        self.assertEqual({reader.spec_of(name).name for name in names}, names)

    @parameterized.parameters("npz", "npy", "folder", "hdf5")
    def test_the_spec_of_files_comes_with_their_data(self, name):
        with self.assertRaisesRegex(ValueError, f"'{name}' is depends on its"):
            reader.spec_of(name)

    @parameterized.parameters(reader.load, reader.spec_of)
    def test_unknown_name(self, function):
        with self.assertRaisesRegex(
            ValueError,
            "'minst'.*known are digits, digits_tinted, mnist, .*, npz.*"
            "Did you mean 'mnist'",
        ):
            function("minst")

    def test_name_unlike_any_other_gets_no_guess(self):
        with self.assertRaises(ValueError) as caught:
            reader.load("qqq")
        self.assertNotIn("Did you mean", str(caught.exception))


class CheckTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            np.full((5, 3, 4, 2), np.nan, np.float32),
            "'made_up', split 'train': 120 pixel values in 5 images are NaN",
        ),
        (np.zeros((5, 3, 4, 2)), "uint8.*or float32.*got float64"),
        (np.zeros((5, 3, 4, 2), np.int8), "got int8"),
        (
            np.zeros((5, 2, 3, 4), np.uint8),
            r"\(N, 3, 4, 2\), got \(5, 2, 3, 4\)",
        ),
        (np.zeros((5, 24), np.uint8), r"got \(5, 24\)"),
        (np.zeros((0, 3, 4, 2), np.uint8), "no examples"),
    )
    def test_unsound_images(self, images, message):
        unsound = _made_up(images=images)
        with self.assertRaisesRegex(ValueError, message):
            reader.check(unsound)
        with self.assertRaisesRegex(ValueError, "split 'test'"):
            reader.check(Dataset(_SPEC, unsound.test, unsound.train))

    @parameterized.parameters(
        (np.zeros((5, 2), np.int64), "must be int32, got int64"),
        (
            np.zeros((4, 2), np.int32),
            r"= \(5, 2\).*\(kind, size\), got \(4, 2\)",
        ),
        (np.zeros((5, 1), np.int32), r"got \(5, 1\)"),
        (np.zeros(5, np.int32), r"got \(5,\)"),
        (
            np.full((5, 2), 2, np.int32),
            r"labels of 'size' must lie in \[0, 1\], found values from 2 to 2",
        ),
        (
            np.full((5, 2), -1, np.int32),
            r"labels of 'kind' must lie in \[0, 2\], found values from -1",
        ),
    )
    def test_unsound_labels(self, labels, message):
        with self.assertRaisesRegex(ValueError, message):
            reader.check(_made_up(labels=labels))
