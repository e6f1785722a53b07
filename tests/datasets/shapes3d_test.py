# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the configurations of 3D Shapes, on a made-up prepared copy."""

import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized

from mfcvae_jax.datasets import reader, shapes3d, spec
from mfcvae_jax.datasets.shapes3d_rendered import renderer
from tests.datasets import prepared

_SIZES = (10, 10, 10, 8, 4, 15)
_NAMES = [
    *("floor_hue", "wall_hue", "object_hue"),
    *("scale", "shape", "orientation"),
]


def _draw(factors):
    """Images that say in their top left corner what their factors are."""
    images = np.zeros((len(factors), 64, 64, 3), np.uint8)
    images[:, :2, :2] = factors[:, None, None, :3]
    images[:, 2:4, :2] = factors[:, None, None, 3:]
    return images


def _write(root, rows, images):
    """Writes a prepared copy with a row for each combination of factors."""
    features = {"image": tfds.features.Image(shape=(64, 64, 3))}
    for name, n in zip(_NAMES, _SIZES, strict=True):
        features[f"label_{name}"] = tfds.features.ClassLabel(num_classes=n)
        features[f"value_{name}"] = np.float32
    examples = []
    for factors, image in zip(rows.tolist(), images, strict=True):
        example = {"image": image}
        for name, value in zip(_NAMES, factors, strict=True):
            example |= {f"label_{name}": value, f"value_{name}": 0.5}
        examples.append(example)
    folder = pathlib.Path(root) / "shapes3d" / "2.0.0"
    prepared.write(folder, features, train=examples)


def _rows(fixed):
    """All combinations with some factors fixed, by their storage index."""
    index = np.arange(np.prod(_SIZES))
    rows = np.stack(np.unravel_index(index, _SIZES), axis=1)
    kept = np.all([rows[:, column] == v for column, v in fixed.items()], axis=0)
    return rows[kept]


def _assert_labels_are_drawn(dataset, column, fixed):
    """Reads the factors from the images: which hue varies, and the others."""
    for images, labels in (dataset.train, dataset.test):
        hues = images[:, 0, 0]
        for at, value in fixed.items():
            np.testing.assert_array_equal(hues[:, at], value)
        drawn = np.column_stack([hues[:, column], images[:, 1, 0]])
        np.testing.assert_array_equal(labels, drawn)


class CombinationsTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"wall_hue": 5, "object_hue": 6}, {1: 5, 2: 6}),
        ({"floor_hue": 0, "object_hue": 6}, {0: 0, 2: 6}),
    )
    def test_order_is_that_of_storage(self, chosen, fixed):
        found = shapes3d.combinations(**chosen)
        self.assertLen(found, 4800)
        np.testing.assert_array_equal(found, _rows(fixed))


class HalveTest(absltest.TestCase):
    def test_is_the_mean_of_each_block_rounded(self):
        images = np.random.default_rng(0).integers(0, 256, (3, 60, 40, 3))
        corners = [images[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        np.testing.assert_array_equal(
            shapes3d.halve(images.astype(np.uint8)),
            np.floor(np.mean(corners, axis=0) + 0.5),
        )


class OriginalTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = folder.name
        # Configuration 1 in a random order, as TFDS shuffles, among others.
        rng = np.random.default_rng(0)
        others = rng.integers(0, _SIZES, (300, 6))
        others = others[(others[:, 1] != 5) | (others[:, 2] != 6)]
        rows = np.concatenate([_rows({1: 5, 2: 6}), others])
        rows = rng.permutation(rows)
        _write(cls.root, rows, map(prepared.png, _draw(rows)))
        cls.dataset = reader.load("shapes3d_floor", cls.root)

    def test_every_image_carries_its_own_labels(self):
        _assert_labels_are_drawn(self.dataset, column=0, fixed={1: 5, 2: 6})

    def test_splits_hold_every_combination_once(self):
        train, test = self.dataset.train, self.dataset.test
        self.assertEqual((len(train.labels), len(test.labels)), (3840, 960))
        both = np.concatenate([train.labels, test.labels])
        index = np.ravel_multi_index(tuple(both.T), (10, 8, 4, 15))
        np.testing.assert_array_equal(np.sort(index), np.arange(4800))

    def test_what_is_missing_is_named_and_only_what_is_meant_is_decoded(self):
        # The row of another configuration holds no image at all.
        rows = np.array([[0, 5, 6, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
        root = self.enterContext(tempfile.TemporaryDirectory())
        _write(root, rows, [prepared.png(_draw(rows)[0]), b"no image"])
        with self.assertRaisesRegex(
            FileNotFoundError,
            "damaged or incomplete.*4799 of the 4800 images of 'shapes3d_floor'"
            " are missing, the first has the factors {.*'orientation': 1}",
        ):
            reader.load("shapes3d_floor", root)


class RenderedTest(absltest.TestCase):
    def test_split_and_labels_are_those_of_the_original(self):
        with mock.patch.object(renderer, "render", _draw):
            dataset = shapes3d.load_rendered(spec.SHAPES3D_RENDERED_WALL)
        self.assertEqual(dataset.spec.labelings[0].name, "wall_hue")
        _assert_labels_are_drawn(dataset, column=1, fixed={0: 0, 2: 6})
