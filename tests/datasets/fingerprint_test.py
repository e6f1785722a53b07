# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of fingerprints: they tell other data, and nothing but other data."""

import dataclasses
import hashlib
import json
import pathlib
import tempfile

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.datasets import fingerprint
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Labeling, Split

_IMAGES = np.random.default_rng(0).integers(0, 256, (7, 3, 4, 1), np.uint8)
_LABELS = (np.arange(7, dtype=np.int32) % 3)[:, np.newaxis]
_SPEC = DatasetSpec("mine.npz", (3, 4, 1), (Labeling("kind", 3),))
_AS_MANY = "as many of the same shape, but other values"
_DATASET = Dataset(_SPEC, Split(_IMAGES, _LABELS), Split(_IMAGES, _LABELS))


def _other(images=_IMAGES, labels=_LABELS, **spec):
    spec = dataclasses.replace(_SPEC, **spec)
    return Dataset(spec, Split(images, labels), _DATASET.test)


def _changed(array):
    array = array.copy()
    array.flat[-1] += 1
    return array


class FingerprintTest(parameterized.TestCase):
    def test_hash_is_that_of_the_bytes(self):
        self.assertEqual(
            fingerprint.of(_DATASET)["train_images"],
            {
                "shape": [7, 3, 4, 1],
                "dtype": "uint8",
                "sha256": hashlib.sha256(_IMAGES.tobytes()).hexdigest(),
            },
        )

    @parameterized.parameters(
        (_other(),),
        (_other(images=np.asfortranarray(_IMAGES)),),
        (_other(name="theirs.npz"),),
        (
            _other(images=_IMAGES[:5], labels=_LABELS[:5]),
            "training images: 7 of 3 x 4 x 1 then, 5 of 3 x 4 x 1 now",
        ),
        (_other(images=_changed(_IMAGES)), f"training images: {_AS_MANY}"),
        (_other(images=_IMAGES[::-1]), f"training images: {_AS_MANY}"),
        (
            _other(labels=_changed(_LABELS)),
            f"labels of the training images: {_AS_MANY}",
        ),
        (
            _other(images=(_IMAGES / 255).astype(np.float32)),
            "training images: uint8 then, float32 now",
        ),
        (
            _other(labelings=(Labeling("kind", 4),)),
            "labelings: kind with 3 classes then, kind with 4 classes now",
        ),
        (
            _other(labelings=()),
            "labelings: kind with 3 classes then, none now",
        ),
    )
    def test_differences(self, dataset, *expected):
        # A run keeps its fingerprint as JSON.
        before = json.loads(json.dumps(fingerprint.of(_DATASET)))
        found = fingerprint.differences(before, fingerprint.of(dataset))
        self.assertEqual(found, list(expected))

    def test_mapped_images_are_read_in_pieces(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        file = pathlib.Path(folder) / "images.npy"
        images = np.zeros((20, 1024, 1024, 1), np.uint8)
        images[-1] = 1
        np.save(file, images)
        mapped = np.load(file, mmap_mode="r")
        self.assertEqual(
            fingerprint.of(_other(images=mapped))["train_images"]["sha256"],
            hashlib.sha256(images.tobytes()).hexdigest(),
        )

    @parameterized.parameters(
        {},
        {"train_images": "of another version", "hue": 3},
        {"labelings": None},
    )
    def test_what_only_one_version_records_is_no_difference(self, **before):
        now = fingerprint.of(_DATASET)
        self.assertEqual(fingerprint.differences(before, now), [])
        self.assertEqual(fingerprint.differences(now, before), [])
