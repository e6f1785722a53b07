# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of a folder of .npy files: mapped, not read, each fault by name."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Labeling


class NpyTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder) / "mine"
        self.folder.mkdir()
        rng = np.random.default_rng(0)
        self.arrays = {
            "train_images": rng.integers(0, 256, (12, 4, 5), np.uint8),
            "test_images": rng.integers(0, 256, (6, 4, 5), np.uint8),
            "train_labels": np.arange(12),
            "test_labels": np.arange(6),
        }

    def _load(self, **arrays):
        for name, array in (self.arrays | arrays).items():
            if array is not None:
                np.save(self.folder / f"{name}.npy", array)
        return reader.load("npy", path=str(self.folder))

    @parameterized.parameters(np.uint8, np.float32)
    def test_images_are_mapped_and_labels_go_with_them(self, dtype):
        images = self.arrays["train_images"]
        if dtype == np.float32:
            images = images.astype(np.float32) / 255
        dataset = self._load(
            train_images=images, test_images=images[:6], label_names=["kind"]
        )
        self.assertIsInstance(dataset.train.images, np.memmap)
        self.assertEqual(dataset.train.images.dtype, dtype)
        np.testing.assert_array_equal(dataset.train.images[..., 0], images)
        np.testing.assert_array_equal(dataset.test.labels[:, 0], np.arange(6))
        self.assertEqual(dataset.spec.name, "mine")
        # The training images alone hold the last class.
        self.assertEqual(dataset.spec.labelings, (Labeling("kind", 12),))

    def test_labels_may_be_left_out(self):
        dataset = self._load(train_labels=None, test_labels=None)
        self.assertEqual(dataset.spec.labelings, ())
        self.assertEqual(dataset.train.labels.shape, (12, 0))

    @parameterized.parameters(
        ({"test_images": None}, "test_images.npy is not in", FileNotFoundError),
        (
            {"test_images": np.zeros((6, 4, 6), np.uint8)},
            r"shape \(4, 5, 1\), but test images of shape \(4, 6, 1\)",
            ValueError,
        ),
        (
            {"train_images": np.zeros((12, 4, 5))},
            "train_images.npy: float images must be float32.*float64",
            ValueError,
        ),
        (
            {"train_images": np.zeros((12, 4, 5), np.int32)},
            "must be uint8",
            ValueError,
        ),
        ({"train_labels": np.arange(11)}, r"N = 12 images", ValueError),
        ({"test_labels": None}, "1 labelings.*but 0", ValueError),
        (
            {"train_images": np.array([{"a": 1}, None])},
            "no array of numbers",
            ValueError,
        ),
    )
    def test_faults_are_named(self, arrays, message, error):
        with self.assertRaisesRegex(error, message):
            self._load(**arrays)

    def test_folder_that_is_not_there(self):
        with self.assertRaisesRegex(FileNotFoundError, "no folder .*nowhere"):
            reader.load("npy", path=str(self.folder / "nowhere"))


if __name__ == "__main__":
    absltest.main()
