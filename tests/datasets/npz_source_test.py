# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of reading anyone's .npz: what it takes, and every fault by name."""

import pathlib
import tempfile

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Labeling

_N = 20
_SPRITES = (
    pathlib.Path(__file__).parents[3] / "shared/data/sprites/sprites_stills.npz"
)


def _images(*channels, dtype=np.uint8):
    """Images whose pixels all hold the image's index, times ten if bytes."""
    index = np.arange(_N).reshape(_N, *(1,) * (2 + len(channels)))
    images = np.broadcast_to(index, (_N, 4, 5, *channels))
    if dtype == np.uint8:
        return (images * 10).astype(np.uint8)
    return (images / _N).astype(dtype)


class NpzTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        # absl's own create_tempdir needs parsed flags, which pytest has not.
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder) / "mine.npz"

    def load(self, **arrays):
        np.savez(self.path, **arrays)
        return reader.load("npz", path=str(self.path))


class LoadTest(NpzTest):
    @parameterized.product(
        channels=[(), (1,), (3,)],
        dtype=[np.uint8, np.float16, np.float32, np.float64],
    )
    def test_images_of_any_shape_and_type(self, channels, dtype):
        images = _images(*channels, dtype=dtype)
        dataset = self.load(images=images, labels=np.arange(_N))
        shape = (4, 5, channels[0] if channels else 1)
        self.assertEqual(dataset.spec.name, "mine.npz")
        self.assertEqual(dataset.spec.image_shape, shape)
        self.assertEqual(dataset.spec.labelings, (Labeling("label", _N),))
        self.assertLen(dataset.train.images, 16)
        self.assertLen(dataset.test.images, 4)
        for split in (dataset.train, dataset.test):
            self.assertEqual(split.images.shape[1:], shape)
            # Every image still has the label it had in the file.
            expected = images[split.labels[:, 0]].reshape(-1, *shape)
            if dtype != np.uint8:
                expected = expected.astype(np.float32)
            np.testing.assert_array_equal(split.images, expected, strict=True)

    def test_splits_share_nothing_and_are_always_the_same(self):
        one, other = (
            self.load(images=_images(), labels=np.arange(_N)) for _ in range(2)
        )
        np.testing.assert_array_equal(one.test.labels, other.test.labels)
        both = np.concatenate([one.train.labels, one.test.labels])
        self.assertEqual(sorted(both[:, 0]), list(range(_N)))

    @parameterized.parameters(np.uint8, np.int64, np.uint64)
    def test_several_labelings_with_names(self, dtype):
        labels = np.stack([np.arange(_N) % 3, np.arange(_N) % 7], axis=1)
        dataset = self.load(
            images=_images(),
            labels=labels.astype(dtype),
            label_names=["kind", "size"],
        )
        self.assertEqual(
            dataset.spec.labelings, (Labeling("kind", 3), Labeling("size", 7))
        )
        self.assertEqual(dataset.train.labels.dtype, np.int32)

    def test_classes_that_do_not_occur_are_counted(self):
        dataset = self.load(images=_images(), labels=np.full(_N, 6))
        self.assertEqual(dataset.spec.labelings, (Labeling("label", 7),))

    def test_names_are_made_up_if_there_are_none(self):
        dataset = self.load(images=_images(), labels=np.zeros((_N, 2), int))
        self.assertEqual(
            [labeling.name for labeling in dataset.spec.labelings],
            ["label_0", "label_1"],
        )

    def test_one_name_needs_no_list(self):
        dataset = self.load(
            images=_images(), labels=np.arange(_N), label_names="kind"
        )
        self.assertEqual(dataset.spec.labelings[0].name, "kind")

    def test_without_labels_there_are_no_labelings(self):
        dataset = self.load(images=_images())
        self.assertEqual(dataset.spec.labelings, ())
        self.assertEqual(dataset.train.labels.shape, (16, 0))
        self.assertEqual(dataset.test.labels.shape, (4, 0))

    def test_other_arrays_are_let_be_even_those_of_objects(self):
        self.load(images=_images(), notes=np.array([{}, None], object))

    def test_home_folder_is_found(self):
        with self.assertRaisesRegex(
            FileNotFoundError, str(pathlib.Path.home())
        ):
            reader.load("npz", path="~/no such file.npz")

    @pytest.mark.skipif(
        not _SPRITES.exists(),
        reason="the sprites are not beside the repository",
    )
    @pytest.mark.slow
    def test_sprites(self):
        dataset = reader.load("npz", path=str(_SPRITES))
        self.assertEqual(dataset.spec.image_shape, (64, 64, 3))
        self.assertEqual(
            [labeling.n_classes for labeling in dataset.spec.labelings],
            [6, 6, 6, 6, 3, 3, 6],
        )
        self.assertLen(dataset.train.images, 18662)
        self.assertLen(dataset.test.images, 4666)


class FaultsTest(NpzTest):
    @parameterized.named_parameters(
        ("no_images", {"labels": np.arange(_N)}, "'images' in it, only labels"),
        ("nothing", {}, "'images' in it, only nothing"),
        (
            "flat",
            {"images": np.zeros((_N, 20), np.uint8)},
            r"\(N, H, W, C\), got \(20, 20\)",
        ),
        ("empty", {"images": np.zeros((0, 4, 5))}, r"\(0, 4, 5\) are empty"),
        (
            "wide_integers",
            {"images": _images().astype(np.int32)},
            "uint8.*or floats.*got int32",
        ),
        ("bits", {"images": _images() > 90}, "got bool"),
        (
            "bytes_as_floats",
            {"images": _images().astype(np.float32)},
            r"'mine.npz'.*must lie in \[0, 1\], found values from \d+ to 1\d0",
        ),
        (
            "centred",
            {"images": _images(dtype=np.float32) - 0.5},
            r"must lie in \[0, 1\], found values from -0.[0-9]+ to",
        ),
        (
            "nan",
            {"images": np.full((_N, 4, 5), np.nan)},
            "NaN or infinite",
        ),
        (
            "objects",
            {"images": np.array([{}] * _N, object)},
            "'images' is not an array of numbers.*allow_pickle=False",
        ),
        (
            "too_few_labels",
            {"images": _images(), "labels": np.arange(_N - 1)},
            r"for the N = 20 images, got \(19,\)",
        ),
        (
            "labels_of_pixels",
            {"images": _images(), "labels": np.zeros((_N, 4, 5), int)},
            r"got \(20, 4, 5\)",
        ),
        (
            "one_label_for_all",
            {"images": _images(), "labels": np.array(3)},
            r"got \(\)",
        ),
        (
            "fractions",
            {"images": _images(), "labels": np.arange(_N) / 2},
            "labels must be integers, got float64.*np.unique",
        ),
        (
            "texts",
            {"images": _images(), "labels": np.array(["cat"] * _N)},
            "labels must be integers, got <U3",
        ),
        (
            "negative",
            {"images": _images(), "labels": np.arange(_N) - 1},
            r"must lie in \[0, 9999\], found values from -1 to 18",
        ),
        (
            "identifiers",
            {"images": _images(), "labels": np.arange(_N) + 2**40},
            r"must lie in \[0, 9999\]",
        ),
        (
            "too_few_names",
            {
                "images": _images(),
                "labels": np.zeros((_N, 2), int),
                "label_names": ["kind"],
            },
            r"each of the 2 labelings, all different; got \['kind'\]",
        ),
        (
            "names_for_no_labels",
            {"images": _images(), "label_names": ["kind"]},
            "each of the 0 labelings",
        ),
        (
            "name_twice",
            {
                "images": _images(),
                "labels": np.zeros((_N, 2), int),
                "label_names": ["kind", "kind"],
            },
            "all different",
        ),
        (
            "numbers_for_names",
            {
                "images": _images(),
                "labels": np.arange(_N),
                "label_names": [1],
            },
            "label_names must be a list of strings, got int64",
        ),
        (
            "objects_for_names",
            {
                "images": _images(),
                "labels": np.arange(_N),
                "label_names": np.array(["kind"], object),
            },
            "'label_names' is not an array of numbers or strings",
        ),
        ("too_few_to_split", {"images": _images()[:2]}, "'test': no examples"),
    )
    def test_unsound_file(self, arrays, message):
        with self.assertRaisesRegex(ValueError, message):
            self.load(**arrays)

    def test_missing_file(self):
        with self.assertRaisesRegex(
            FileNotFoundError, f"data.path: there is no file {self.path}"
        ):
            reader.load("npz", path=str(self.path))

    def test_folder(self):
        with self.assertRaisesRegex(FileNotFoundError, "there is no file"):
            reader.load("npz", path=str(self.path.parent))

    def test_single_array(self):
        with self.path.open("wb") as file:
            np.save(file, _images())
        with self.assertRaisesRegex(ValueError, "mine.npz is not an .npz file"):
            reader.load("npz", path=str(self.path))

    def test_text(self):
        self.path.write_text("PK, but no zip")
        with self.assertRaisesRegex(ValueError, "mine.npz is not an .npz file"):
            reader.load("npz", path=str(self.path))

    def test_file_cut_short(self):
        np.savez(self.path, images=_images())
        content = self.path.read_bytes()
        self.path.write_bytes(content[: len(content) // 2])
        with self.assertRaisesRegex(ValueError, "is not an .npz file"):
            reader.load("npz", path=str(self.path))

    def test_damaged_array(self):
        np.savez(self.path, images=_images())
        content = bytearray(self.path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        self.path.write_bytes(content)
        with self.assertRaisesRegex(ValueError, "'images' is damaged"):
            reader.load("npz", path=str(self.path))


if __name__ == "__main__":
    absltest.main()
