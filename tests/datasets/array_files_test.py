# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of .npz, .npy and HDF5: what they hold, and every fault by name."""

import fcntl
import pathlib
import sys
import zipfile
from unittest import mock

import h5py
import numpy as np
import pytest
from absl.testing import parameterized

from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Labeling

_N = 20
_SHARED = pathlib.Path(__file__).parents[3] / "shared/data"
_NOISE = np.random.default_rng(0).integers(0, 256, (_N, 4, 5, 3), np.uint8)
_TWO = np.stack([np.arange(_N) % 3, np.arange(_N) % 7], axis=1)
_OBJECTS = np.array([{}] * _N, object)
_NOWHERE = h5py.SoftLink("/nowhere")
_GONE = h5py.ExternalLink("gone.h5", "/x")
_SPOILT = np.float32(_NOISE / 255)
_SPOILT[18, 1, 2, 0] = np.nan


class FilesTest(parameterized.TestCase):
    @pytest.fixture(autouse=True)
    def in_a_folder(self, tmp_path):
        self.folder = tmp_path

    def write(self, kind, **arrays):
        """Writes arrays; of .npy files, the last fifth is the test split."""
        path = self.folder / f"mine.{kind}"
        if kind == "npz":
            np.savez(path, **arrays)
        elif kind == "hdf5":
            with h5py.File(path, "w") as file:
                for key, array in arrays.items():
                    file[key] = array
        else:
            path.mkdir(exist_ok=True)
            for key, array in arrays.items():
                if key == "label_names":
                    np.save(path / "label_names.npy", array)
                else:
                    np.save(path / f"train_{key}.npy", array[:16])
                    np.save(path / f"test_{key}.npy", array[16:])
        return path

    def load(self, kind, **arrays):
        return reader.load(kind, path=str(self.write(kind, **arrays)))

    def refused(self, kind, message):
        path = self.folder / f"mine.{kind}"
        with self.assertRaisesRegex(
            ValueError, f"mine.{kind}.*{message}"
        ) as caught:
            reader.load(kind, path=str(path))
        return str(caught.exception)

    def write_virtual(self, source):
        """Writes an HDF5 file whose images lie in another."""
        path = self.folder / "mine.hdf5"
        layout = h5py.VirtualLayout(_NOISE.shape, _NOISE.dtype)
        layout[...] = h5py.VirtualSource(source, "deep/x", _NOISE.shape)
        with h5py.File(path, "w") as file:
            file.create_virtual_dataset("images", layout)
        return path


class LoadTest(FilesTest):
    @parameterized.product(
        channels=[(), (3,)], dtype=[np.uint8, np.float16, ">f4"]
    )
    def test_images_of_any_shape_and_type(self, channels, dtype):
        images = _NOISE if channels else _NOISE[..., 0]
        if dtype != np.uint8:
            images = (images / 255).astype(dtype)
        shape = (4, 5, *(channels or (1,)))
        found = []
        for kind in ("npz", "hdf5"):
            labels = np.arange(_N, dtype=">i8")
            dataset = self.load(kind, images=images, labels=labels)
            self.assertEqual(dataset.spec.name, f"mine.{kind}")
            self.assertEqual(dataset.spec.image_shape, shape)
            self.assertEqual(dataset.spec.labelings, (Labeling("label", _N),))
            for split in (dataset.train, dataset.test):
                # Every image still has the label it had in the file.
                expected = images[split.labels[:, 0]].reshape(-1, *shape)
                if dtype != np.uint8:
                    expected = expected.astype(np.float32)
                np.testing.assert_array_equal(
                    split.images, expected, strict=True
                )
            both = np.concatenate([dataset.train.labels, dataset.test.labels])
            self.assertLen(dataset.test.labels, 4)
            self.assertEqual(sorted(both[:, 0]), list(range(_N)))
            found.append(both)
        # The split is the same in every kind of file.
        np.testing.assert_array_equal(*found)

    @parameterized.product(
        kind=["npz", "npy", "hdf5"],
        labels=[
            (None, None, []),
            (np.full(_N, 6), None, [("label", 7)]),
            (np.arange(_N), "kind", [("kind", _N)]),
            (_TWO, None, [("label_0", 3), ("label_1", 7)]),
            (_TWO.astype(np.uint64), ["a", "b"], [("a", 3), ("b", 7)]),
            (np.ones((_N, 2), int), None, [("label_0", 2), ("label_1", 2)]),
        ],
    )
    def test_labelings(self, kind, labels):
        labels, names, expected = labels
        given = {"labels": labels, "label_names": names}
        given = {key: each for key, each in given.items() if each is not None}
        dataset = self.load(kind, images=_NOISE, **given)
        self.assertEqual(
            dataset.spec.labelings, tuple(Labeling(*each) for each in expected)
        )
        self.assertEqual(dataset.train.labels.shape, (16, len(expected)))
        self.assertEqual(dataset.train.labels.dtype, np.int32)

    @parameterized.product(
        holder=["/", "labels"],
        names=[
            ["kind", "grösse"],
            np.array(["kind", "grösse"], h5py.string_dtype()),
            np.array([b"kind", "grösse".encode()]),
        ],
    )
    def test_names_in_hdf5_may_be_an_attribute_in_any_kind_of_string(
        self, holder, names
    ):
        path = self.write("hdf5", images=_NOISE, labels=_TWO)
        with h5py.File(path, "a") as file:
            file[holder].attrs["label_names"] = names
        found = reader.load("hdf5", path=str(path)).spec.labelings
        self.assertEqual([each.name for each in found], ["kind", "grösse"])

    @parameterized.parameters(np.uint8, np.float32)
    def test_npy_is_mapped_in_any_order_of_memory(self, dtype):
        scale = 1 if dtype == np.uint8 else 255
        images = (_NOISE / scale).astype(dtype, order="F")
        dataset = self.load("npy", images=images, labels=np.arange(_N))
        self.assertIsInstance(dataset.train.images, np.memmap)
        np.testing.assert_array_equal(
            dataset.train.images, images[:16], strict=True
        )
        self.assertEqual(dataset.test.labels[:, 0].tolist(), [16, 17, 18, 19])
        # The test images alone hold the last class.
        self.assertEqual(dataset.spec.labelings, (Labeling("label", 20),))

    def test_hdf5_in_chunks_compressed_linked_and_virtual(self):
        with h5py.File(self.folder / "far.h5", "w") as file:
            file.create_dataset(
                "deep/x", data=_NOISE, chunks=(3, 4, 5, 3), compression="gzip"
            )
        expected = self.load("npz", images=_NOISE).train.images
        linked = self.load("hdf5", images=h5py.ExternalLink("far.h5", "deep/x"))
        np.testing.assert_array_equal(linked.train.images, expected)
        path = str(self.write_virtual("far.h5"))
        virtual = reader.load("hdf5", path=path)
        np.testing.assert_array_equal(virtual.train.images, expected)

    @parameterized.parameters("npz", "npy", "hdf5")
    def test_what_has_opacity_is_laid_on_black(self, kind):
        images = np.full((_N, 4, 5, 4), 200, np.uint8)
        images[:, 0, :, 3], images[:, 1, :, 3] = 255, 0
        with self.assertLogs(level="WARNING") as said:
            train = self.load(kind, images=images).train.images
        self.assertIn("taken for opacity", said.output[0])
        self.assertEqual(train[3, :, 0, 0].tolist(), [200, 0, 157, 157])

    def test_arrays_that_are_not_used_are_named_and_never_unpickled(self):
        with self.assertLogs(level="WARNING") as said:
            self.load("npz", images=_NOISE, Labels=_TWO, notes=_OBJECTS)
        self.assertIn("not used are Labels, notes; known names", said.output[0])

    @pytest.mark.skipif(not _SHARED.exists(), reason=f"no {_SHARED}")
    @parameterized.parameters(
        ("nrletters/nrletters.npz", (9, 7, 3), [6, 3, 4], 8000),
        ("sprites/sprites_stills.npz", (64, 64, 3), [6] * 4 + [3, 3, 6], 18662),
    )
    @pytest.mark.slow
    def test_published_sets(self, path, shape, n_classes, n_train):
        dataset = reader.load("npz", path=str(_SHARED / path))
        self.assertEqual(dataset.train.images.shape, (n_train, *shape))
        self.assertEqual(
            [each.n_classes for each in dataset.spec.labelings], n_classes
        )


class ContentFaultsTest(FilesTest):
    """What `arrays` refuses is refused, and only here the array is named."""

    @parameterized.parameters(
        (
            "npz hdf5",
            {"images": None, "labels": None, "x_train": _NOISE, "y": _TWO},
            "no array 'images' in it, only x_train, y",
        ),
        ("npz hdf5", {"images": None, "labels": None}, "it, only nothing"),
        ("npz hdf5", {"images": _SPOILT}, r"'images'.*is images\[18, 1, 2, 0"),
        ("npy", {"images": _SPOILT}, r"images.npy.*is test_images\[2, 1, 2, 0"),
        (
            "npz hdf5 npy",
            {"labels": np.eye(7, dtype=int)[_TWO[:, 1]]},
            r"labels.*one-hot.*labels.argmax\(axis=1\)",
        ),
        ("npz", {"labels": ["a"] * _N}, "be integers, got <U1"),
        ("hdf5", {"labels": ["a"] * _N}, "be integers, got object"),
        ("npz", {"images": _OBJECTS}, "'images' cannot be read.*np.stack"),
        ("npz", {"label_names": _OBJECTS}, "never unpickled"),
        ("hdf5", {"images": None, "images/a": _NOISE}, "group with a in"),
        ("hdf5", {"images": _NOWHERE}, "is a link to '/nowhere' in the same"),
        ("hdf5", {"images": _GONE}, "'images' is a link to '/x' in gone.h5"),
        ("npy", {"images": _OBJECTS}, "train_images.npy .*never unpickled"),
        ("npy", {"images": _NOISE / 255}, "must be float32 .*got float64"),
        ("npy", {"images": _NOISE.astype(int)}, "must be uint8"),
    )
    def test_what_is_refused(self, kinds, arrays, message):
        arrays = {"images": _NOISE, "labels": _TWO} | arrays
        arrays = {key: each for key, each in arrays.items() if each is not None}
        for kind in kinds.split():
            self.write(kind, **arrays)
            self.refused(kind, message)

    @parameterized.parameters(
        ("test_images", None, "test_images.npy is not in .*, only test_labels"),
        (
            "test_images",
            np.zeros((4, 4, 6), np.uint8),
            r"shape \(4, 5, 3\), but test images of shape \(4, 6, 1\)",
        ),
        ("train_labels", np.arange(11), "N = 16 images"),
        ("test_labels", None, "training labelings: 2, but test labelings: 0"),
    )
    def test_npy_files_that_do_not_fit(self, name, array, message):
        path = self.write("npy", images=_NOISE, labels=_TWO)
        (path / f"{name}.npy").unlink()
        if array is not None:
            np.save(path / f"{name}.npy", array)
        with self.assertRaisesRegex((ValueError, FileNotFoundError), message):
            reader.load("npy", path=str(path))


class FileFaultsTest(FilesTest):
    @parameterized.product(kind=["npz", "hdf5", "npy", "folder"])
    def test_what_is_not_there_or_of_the_other_kind(self, kind):
        is_file = kind in ("npz", "hdf5")
        what, other = ("file", "folder") if is_file else ("folder", "file")
        path = self.folder / f"mine.{kind}"
        missing = f"data.path: there is no {what} "
        with self.assertRaisesRegex(FileNotFoundError, f"{missing}{path}$"):
            reader.load(kind, path=str(path))
        path.mkdir() if is_file else path.touch()
        with self.assertRaisesRegex(FileNotFoundError, f"but a {other} of"):
            reader.load(kind, path=str(path))
        with self.assertRaisesRegex(
            FileNotFoundError, missing + str(pathlib.Path.home())
        ):
            reader.load(kind, path="~/no such file")

    @parameterized.parameters(
        ("npz", b"", "it is empty"),
        ("hdf5", b"", "it is empty"),
        ("npz", b"no zip", "is not an .npz file; it is something else"),
        ("hdf5", b"no HDF5", "is not an HDF5 file; it is something else"),
        ("npz", b"\x93NUMPY\x01", r"it is a single .npy array: .*np.savez"),
        ("npz", b"\x89HDF\r\n", "it is an HDF5 file: set data.name='hdf5'"),
        ("hdf5", b"PK\x03\x04", "it is an .npz file: set data.name='npz'"),
    )
    def test_content_of_another_kind(self, kind, content, message):
        (self.folder / f"mine.{kind}").write_bytes(content)
        self.refused(kind, message)

    @parameterized.product(kind=["npz", "hdf5"], share=[0.3, 0.6, 0.99])
    def test_file_cut_short(self, kind, share):
        path = self.write(kind, images=np.concatenate([_NOISE] * 20))
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        self.refused(kind, "cut short.* Copy or download it again")

    def test_npy_cut_short_or_of_another_kind(self):
        path = self.write("npy", images=_NOISE) / "train_images.npy"
        cut = path.read_bytes()[:-1]
        for content in (b"", b"\x93NUMPY", b"PK", b"text", cut):
            path.write_bytes(content)
            self.refused("npy", "train_images.npy cannot be read")

    def test_member_of_the_zip_that_is_no_array(self):
        path = self.write("npz", images=_NOISE)
        with zipfile.ZipFile(path) as file:
            content = file.read("images.npy")
        for member, message in (
            (b"hello", "is no array"),
            (b"XX" + content[2:], "is no array"),
            (content.replace(b"'shape'", b"'shap\xff'"), "cannot be read"),
        ):
            with zipfile.ZipFile(path, "w") as file:
                file.writestr("images.npy", member)
            self.refused("npz", f"'images' {message}")

    def test_damage_anywhere_in_an_npz_is_named_or_harmless(self):
        path = self.write("npz", images=_NOISE[:5, :2, :2], labels=np.arange(5))
        content = path.read_bytes()
        n_refused = 0
        for i in range(0, len(content), 3):
            damaged = bytearray(content)
            damaged[i] ^= 0xFF
            path.write_bytes(damaged)
            try:
                reader.load("npz", path=str(path))
            except ValueError as error:
                n_refused += 1
                self.assertIn(str(path), str(error))
        self.assertGreater(n_refused, len(content) / 6)

    def test_damaged_chunk_of_hdf5(self):
        path = self.folder / "mine.hdf5"
        with h5py.File(path, "w") as file:
            file.create_dataset("images", data=_NOISE, fletcher32=True)
        content = bytearray(path.read_bytes())
        content[content.index(_NOISE.tobytes()[:30])] ^= 0xFF
        path.write_bytes(content)
        self.refused("hdf5", "'images' cannot be read.*It is damaged")

    def test_hdf5_that_is_open_for_writing_is_locked_and_not_damaged(self):
        with self.write("hdf5", images=_NOISE).open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            said = self.refused("hdf5", "Another program has it open")
        self.assertNotIn("damaged", said)

    def test_sources_of_hdf5_that_are_not_there(self):
        path = self.write_virtual("gone.h5")
        self.refused("hdf5", "'images' takes its values from gone.h5")
        raw = self.folder / "gone.raw"
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "images", (20, 4, 5), "u1", external=[(str(raw), 0, 400)]
            )
        self.refused("hdf5", "'images' cannot be read.*external raw data file")

    def test_without_h5py_the_error_says_how_to_install_it(self):
        path = self.write("hdf5", images=_NOISE)
        with (
            mock.patch.dict(sys.modules, {"h5py": None}),
            self.assertRaisesRegex(
                ModuleNotFoundError, r"h5py.*pip install '\.\[hdf5\]'"
            ),
        ):
            reader.load("hdf5", path=str(path))
