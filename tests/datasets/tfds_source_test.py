# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of reading prepared TFDS sets, made up and the real MNIST."""

import os
import pathlib
import tempfile
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized

from mfcvae_jax.datasets import reader, spec, tfds_source
from tests.datasets import prepared

_PREPARED = pathlib.Path(__file__).resolve().parents[3] / "shared/data/tfds"
_HAS_MNIST = (_PREPARED / "mnist").is_dir()


class LoadTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.root = pathlib.Path(folder)
        # Whoever asks TFDS for a set by name may start a download.
        refused = mock.Mock(side_effect=AssertionError("asked by name"))
        self.enterContext(
            mock.patch.multiple(
                tfds, builder=refused, data_source=refused, load=refused
            )
        )
        self.enterContext(mock.patch.dict(os.environ, TFDS_DATA_DIR=folder))

    def _write(self, path="mnist/3.0.1", shape=(28, 28, 1), **n_rows):
        """Writes splits of n rows each, which are made up from their index."""
        splits = {
            split: [
                {
                    "image": prepared.png(np.full(shape, i % 251, np.uint8)),
                    "label": i % 10,
                }
                for i in range(n)
            ]
            for split, n in (n_rows or {"train": 9, "test": 3}).items()
        }
        features = {
            "image": tfds.features.Image(shape=shape),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
        prepared.write(self.root / path, features, **splits)
        return self.root / path

    def _refused(self, message, data_dir=""):
        with self.assertRaisesRegex(FileNotFoundError, message):
            tfds_source.load(spec.MNIST, data_dir)

    # Rows are decoded in blocks of 4096.
    @parameterized.parameters(1, 4096, 8193)
    def test_every_row_arrives_in_order(self, n_rows):
        self._write(train=n_rows, test=3)
        dataset = tfds_source.load(spec.MNIST)
        reader.check(dataset)
        index = np.arange(n_rows)
        np.testing.assert_array_equal(
            dataset.train.images[:, 5, 7, 0], index % 251
        )
        np.testing.assert_array_equal(dataset.train.labels[:, 0], index % 10)
        self.assertLen(dataset.test.images, 3)

    def test_svhn_is_read_in_colour_and_grey_is_not_spread_over_channels(self):
        self._write("svhn_cropped/3.1.0", (32, 32, 3))
        dataset = reader.load("svhn_cropped", str(self.root))
        self.assertEqual(dataset.train.images.shape, (9, 32, 32, 3))
        self.assertEqual(dataset.test.labels[:, 0].tolist(), [0, 1, 2])
        self._write("svhn_cropped/3.1.1", (32, 32, 1))
        with self.assertRaisesRegex(
            FileNotFoundError, r"\(32, 32, 3\), got \(32, 32, 1\)"
        ):
            reader.load("svhn_cropped", str(self.root))

    def test_newest_finished_version_is_read(self):
        self._write("mnist/3.0.9")
        self._write("mnist/3.0.10", train=5, test=1)
        self._write("mnist/4.0.0.incomplete")
        (self.root / "mnist/5.0.0").mkdir()
        self.assertLen(tfds_source.load(spec.MNIST).train.images, 5)

    def test_missing_set_says_where_it_looked_and_what_to_do(self):
        self._refused(
            rf"(?s){self.root}/mnist.*--config.data.data_dir=.*"
            r"pip install \"\.\[prepare\]\".*tfds.builder\('mnist', "
            r"file_format='array_record'\).download_and_prepare\(\)"
        )
        # The folder that is given goes before that of the environment.
        self._write()
        self._refused("file_format='array_record', data_dir='/no'", "/no")
        del os.environ["TFDS_DATA_DIR"]
        os.environ["HOME"] = str(self.root / "home")
        self._refused("home/tensorflow_datasets/mnist")

    @parameterized.parameters(
        '{"name": ', '{"name": "mnist", "version": "3.0.1"}'
    )
    def test_damaged_description(self, info):
        folder = self.root / "mnist/3.0.1"
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text(info)
        self._refused(f"{folder} is damaged")

    def test_missing_split(self):
        self._write(train=1)
        self._refused("KeyError: 'test'")

    def test_missing_or_cut_shard(self):
        (shard,) = self._write().glob("mnist-train*")
        content = shard.read_bytes()
        shard.write_bytes(content[: len(content) // 2])
        self._refused("damaged")
        shard.unlink()
        self._refused("damaged")

    def test_format_that_only_tensorflow_reads(self):
        folder = self._write()
        info = folder / "dataset_info.json"
        info.write_text(info.read_text().replace("array_record", "tfrecord"))
        for shard in folder.glob("*array_record*"):
            shard.rename(str(shard).replace("array_record", "tfrecord"))
        self._refused("only TensorFlow")


@pytest.mark.slow
@pytest.mark.skipif(not _HAS_MNIST, reason=f"no prepared MNIST in {_PREPARED}")
class MnistTest(absltest.TestCase):
    def test_it_is_mnist(self):
        dataset = reader.load("mnist", str(_PREPARED))
        train, test = dataset.train, dataset.test
        self.assertEqual(train.images.shape, (60000, 28, 28, 1))
        self.assertEqual(test.images.shape, (10000, 28, 28, 1))
        # The class counts of the original files.
        self.assertEqual(
            np.bincount(train.labels[:, 0]).tolist(),
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        )
        self.assertEqual(
            np.bincount(test.labels[:, 0]).tolist(),
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        )
        # The mean and standard deviation commonly printed for the train set.
        pixels = train.images / np.float32(255.0)
        self.assertAlmostEqual(pixels.mean(dtype=np.float64), 0.1307, places=4)
        self.assertAlmostEqual(pixels.std(dtype=np.float64), 0.3081, places=4)
        # TFDS's shuffled order of version 3.0.1.
        self.assertEqual(
            train.labels[:10, 0].tolist(), [4, 1, 0, 7, 8, 1, 2, 7, 1, 6]
        )
