# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of HDF5: the same data set as from an .npz, and every fault by name."""

import pathlib
import sys
import tempfile
from unittest import mock

import h5py
import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.datasets import reader

_N = 20
_rng = np.random.default_rng(0)
_BYTES = _rng.integers(0, 256, (_N, 4, 5, 3), np.uint8)
_LABELS = np.stack([np.arange(_N) % 3, np.arange(_N) % 7], axis=1)


class Hdf5Test(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder) / "mine.h5"

    def load(self, **arrays):
        with h5py.File(self.path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
        return reader.load("hdf5", path=str(self.path))


class LoadTest(Hdf5Test):
    @parameterized.named_parameters(
        ("bytes", {"images": _BYTES}),
        ("grey", {"images": _BYTES[..., 0]}),
        ("floats", {"images": _BYTES / 255}),
        ("halves", {"images": (_BYTES / 255).astype(np.float16)}),
        ("big_endian", {"images": (_BYTES / 255).astype(">f4")}),
        ("labels", {"images": _BYTES, "labels": _LABELS[:, 0]}),
        (
            "big_endian_labels",
            {"images": _BYTES, "labels": _LABELS.astype(">i8")},
        ),
        (
            "names",
            {"images": _BYTES, "labels": _LABELS, "label_names": ["a", "b"]},
        ),
    )
    def test_is_what_an_npz_with_the_same_arrays_is(self, arrays):
        npz = self.path.with_suffix(".npz")
        np.savez(npz, **arrays)
        ours, theirs = self.load(**arrays), reader.load("npz", path=str(npz))
        self.assertEqual(ours.spec.name, "mine.h5")
        self.assertEqual(ours.spec.labelings, theirs.spec.labelings)
        self.assertEqual(ours.spec.image_shape, theirs.spec.image_shape)
        for split in ("train", "test"):
            for got, expected in zip(
                getattr(ours, split), getattr(theirs, split), strict=True
            ):
                np.testing.assert_array_equal(got, expected, strict=True)

    @parameterized.product(
        holder=["file", "labels"],
        names=[
            ["kind", "grösse"],
            np.array(["kind", "grösse"], h5py.string_dtype()),
            np.array([b"kind", "grösse".encode()]),
        ],
    )
    def test_names_may_be_an_attribute_in_any_kind_of_string(
        self, holder, names
    ):
        with h5py.File(self.path, "w") as file:
            file["images"], file["labels"] = _BYTES, _LABELS
            at = file if holder == "file" else file["labels"]
            at.attrs["label_names"] = names
        dataset = reader.load("hdf5", path=str(self.path))
        self.assertEqual(
            [labeling.name for labeling in dataset.spec.labelings],
            ["kind", "grösse"],
        )

    def test_one_name_needs_no_list(self):
        dataset = self.load(
            images=_BYTES, labels=_LABELS[:, 0], label_names="kind"
        )
        self.assertEqual(dataset.spec.labelings[0].name, "kind")

    def test_chunks_and_compression(self):
        with h5py.File(self.path, "w") as file:
            file.create_dataset(
                "images", data=_BYTES, chunks=(3, 4, 5, 3), compression="gzip"
            )
            file["notes"] = "are let be"
        dataset = reader.load("hdf5", path=str(self.path))
        both = np.concatenate([dataset.train.images, dataset.test.images])
        self.assertCountEqual(
            [image.tobytes() for image in both],
            [image.tobytes() for image in _BYTES],
        )


class FaultsTest(Hdf5Test):
    @parameterized.named_parameters(
        (
            "no_images",
            {"labels": _LABELS},
            "mine.h5: no data set 'images' in it, only labels. Save one with",
        ),
        ("nothing", {}, "'images' in it, only nothing"),
        ("flat", {"images": _BYTES[0, 0]}, r"\(N, H, W, C\), got \(5, 3\)"),
        ("group", {"images/all": _BYTES}, "'images' is a group"),
        ("wide", {"images": _BYTES.astype(np.int32)}, "got int32"),
        (
            "bytes_as_floats",
            {"images": _BYTES.astype(np.float32)},
            r"must lie in \[0, 1\]",
        ),
        ("texts", {"images": ["cat"] * _N}, r"got \(20,\)"),
        (
            "too_few_labels",
            {"images": _BYTES, "labels": np.arange(3)},
            r"for the N = 20 images, got \(3,\)",
        ),
        (
            "labels_are_texts",
            {"images": _BYTES, "labels": ["cat"] * _N},
            "labels must be integers, got object",
        ),
        (
            "too_few_names",
            {"images": _BYTES, "labels": _LABELS, "label_names": ["kind"]},
            r"each of the 2 labelings, all different; got \['kind'\]",
        ),
        (
            "numbers_for_names",
            {"images": _BYTES, "labels": _LABELS, "label_names": [1, 2]},
            "label_names must be a list of strings, got int64",
        ),
        ("too_few_to_split", {"images": _BYTES[:2]}, "'test': no examples"),
    )
    def test_unsound_file(self, arrays, message):
        with self.assertRaisesRegex(ValueError, message):
            self.load(**arrays)

    def test_missing_file(self):
        with self.assertRaisesRegex(
            FileNotFoundError, f"data.path: there is no file {self.path}"
        ):
            reader.load("hdf5", path=str(self.path))

    @parameterized.parameters("", "no HDF5")
    def test_text(self, text):
        self.path.write_text(text)
        with self.assertRaisesRegex(ValueError, "mine.h5 is not an HDF5 file"):
            reader.load("hdf5", path=str(self.path))

    def test_file_cut_short(self):
        self.load(images=_BYTES)
        content = self.path.read_bytes()
        self.path.write_bytes(content[: len(content) // 2])
        with self.assertRaisesRegex(ValueError, "mine.h5 is damaged"):
            reader.load("hdf5", path=str(self.path))

    def test_damaged_chunk(self):
        with h5py.File(self.path, "w") as file:
            file.create_dataset("images", data=_BYTES, fletcher32=True)
        content = self.path.read_bytes()
        at = content.index(_BYTES.tobytes()[:30])
        self.path.write_bytes(
            content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        )
        with self.assertRaisesRegex(ValueError, "mine.h5 is damaged"):
            reader.load("hdf5", path=str(self.path))

    def test_without_h5py_the_error_says_how_to_install_it(self):
        self.load(images=_BYTES)
        with (
            mock.patch.dict(sys.modules, {"h5py": None}),
            self.assertRaisesRegex(
                ModuleNotFoundError, r"h5py.*pip install '\.\[hdf5\]'"
            ),
        ):
            reader.load("hdf5", path=str(self.path))


if __name__ == "__main__":
    absltest.main()
