# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Reads users' images from files of arrays: .npz, .npy, HDF5.

An .npz or HDF5 file holds `images`, and may hold `labels` and `label_names`, as
`arrays.as_dataset` describes them. In HDF5 the names may also be an attribute
of the labels or of the file.

A folder of .npy files is for sets that are too large for memory: the images are
mapped, and only the rows of a batch are read. The files are the images and
labels of each split, such as `train_images.npy`, and `label_names.npy`.

Nothing is ever unpickled. docs/your_images.md shows how to write the files.
"""

import pathlib
import re
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import logging

from mfcvae_jax.datasets import arrays
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Split

__all__ = ["load_hdf5", "load_npy", "load_npz"]

_NAMES = "label_names"
_KEYS = ("images", "labels", _NAMES)
# First bytes -> what such a file is, and how to read it.
_KINDS = {
    b"PK": "an .npz file: set data.name='npz'",
    b"\x89HDF": "an HDF5 file: set data.name='hdf5'",
    b"\x93NUMPY": "a single .npy array: save it with np.savez(path, "
    "images=array)",
}
# A pattern of what an error says -> what to do.
_MENDS = {
    "pickle|Python objects": "It holds Python objects, which are never "
    "unpickled. Make it an array of numbers or strings, as np.stack does",
    "unable to lock": "Another program has it open for writing: close it "
    "there. If none has, set the environment variable "
    "HDF5_USE_FILE_LOCKING=FALSE",
    "Permission denied": "Allow yourself to read it",
    "Unable to allocate": "Free some memory, or map the images with "
    "data.name='npy'. Where the size makes no sense, the file is damaged",
    "": "It is damaged, cut short, or packed in a way that is not known here. "
    "Copy or download it again, or save it anew",
}


def load_npz(path: str) -> Dataset:
    """Reads a data set from an .npz file; see `arrays.as_dataset`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no .npz, or what it holds is not as above.
    """
    file = arrays.existing(path, "file")
    logging.info("Reading %s", file)
    if not zipfile.is_zipfile(file):
        raise _of_another_kind(file, b"PK")
    open_zip = np.lib.npyio.NpzFile
    with _attempt(file, open_zip, str(file), allow_pickle=False) as archive:
        found = {
            key: _array(f"{file}: {key!r}", archive.__getitem__, key)
            for key in _KEYS
            if key in archive.files
        }
        return _as_dataset(file, found, archive.files, "np.savez(path, ...)")


def load_hdf5(path: str) -> Dataset:
    """Reads a data set from an HDF5 file, like `load_npz`.

    Raises:
        ModuleNotFoundError: if h5py is not installed.
    """
    file = arrays.existing(path, "file")
    # Not at the top: it is for those alone who have such a file.
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "data.name='hdf5' is read with h5py, which is not installed: "
            "pip install '.[hdf5]'",
            name=error.name,
        ) from error
    logging.info("Reading %s", file)
    if not h5py.is_hdf5(file):
        raise _of_another_kind(file, b"\x89HDF")
    with _attempt(file, h5py.File, file, "r") as opened:
        keys = _attempt(file, list, opened)
        found = {
            key: _hdf5_array(file, opened, key) for key in _KEYS if key in keys
        }
        for holder in ("labels", "/"):
            if holder in opened and _NAMES in opened[holder].attrs:
                where = f"{file}: {_NAMES!r} of {holder!r}"
                read = opened[holder].attrs.__getitem__
                names = _attempt(where, read, _NAMES)
                found.setdefault(_NAMES, np.asarray(names))
    return _as_dataset(file, found, keys, "h5py.File(path, 'w')")


def load_npy(path: str) -> Dataset:
    """Opens a folder of .npy files, whose images are memory-mapped.

    Raises:
        FileNotFoundError: if the folder or the images are not there.
        ValueError: if a file is damaged, or what it holds is not as above.
    """
    folder = arrays.existing(path, "folder")
    logging.info("Opening the .npy files in %s", folder)
    train, test = (_npy_split(folder, name) for name in ("train", "test"))
    for what, one, other in (
        ("images of shape", train.images.shape[1:], test.images.shape[1:]),
        ("labelings:", train.labels.shape[1], test.labels.shape[1]),
    ):
        if one != other:
            raise ValueError(
                f"{folder}: training {what} {one}, but test {what} {other}"
            )
    file = folder / f"{_NAMES}.npy"
    known = arrays.as_labelings(
        str(file),
        _npy_array(file) if file.exists() else None,
        np.concatenate([train.labels, test.labels]),
    )
    shape = train.images.shape[1:]
    return Dataset(
        DatasetSpec(folder.absolute().name, shape, known), train, test
    )


def _npy_split(folder: pathlib.Path, name: str) -> Split:
    images_file = folder / f"{name}_images.npy"
    labels_file = folder / f"{name}_labels.npy"
    if not images_file.is_file():
        there = sorted(file.name for file in folder.glob("*.npy"))
        raise FileNotFoundError(
            f"data.path: {images_file.name} is not in {folder.absolute()}, "
            f"only {', '.join(there) or 'no .npy file'}; save it with np.save"
        )
    mapped = _npy_array(images_file, mmap_mode="r")
    if np.issubdtype(mapped.dtype, np.floating) and mapped.dtype != np.float32:
        raise ValueError(
            f"{images_file}: float images must be float32 to be mapped, got "
            f"{mapped.dtype}. Save images.astype(np.float32)."
        )
    images = arrays.as_images(str(images_file), mapped, images_file.stem)
    labels = _npy_array(labels_file) if labels_file.exists() else None
    return Split(
        images, arrays.as_labels(str(labels_file), labels, len(images))
    )


def _npy_array(file: pathlib.Path, mmap_mode: Any = None) -> np.ndarray:
    return _array(file, np.load, file, mmap_mode=mmap_mode, allow_pickle=False)


def _hdf5_array(file: pathlib.Path, opened: Any, key: str) -> np.ndarray:
    """Reads a data set of an HDF5 file, in whatever file its bytes lie."""
    where = f"{file}: {key!r}"
    link = opened.get(key, getlink=True)
    stored = _attempt(where, opened.get, key)
    if stored is None:
        raise ValueError(
            f"{where} is a link to {getattr(link, 'path', '?')!r} in "
            f"{getattr(link, 'filename', 'the same file')}, which cannot be "
            "opened. Put it there, or copy the array itself into the file"
        )
    if not hasattr(stored, "dtype"):
        raise ValueError(
            f"{where} is a group with {', '.join(stored) or 'nothing'} in it. "
            "A data set of numbers or strings is needed"
        )
    # HDF5 reads zeros where the source of a virtual data set is missing.
    for source in stored.virtual_sources() if stored.is_virtual else ():
        name = pathlib.Path(source.file_name)
        is_pattern = "%" in name.name  # of as many files as there are
        if not (is_pattern or (file.parent / name).exists() or name.exists()):
            raise ValueError(
                f"{where} takes its values from {name}, which is not there. "
                "Put it there, or copy the array itself into the file"
            )
    return _array(where, lambda: np.asarray(stored[()]))


def _as_dataset(
    file: pathlib.Path,
    found: dict[str, np.ndarray],
    keys: list[str],
    how: str,
) -> Dataset:
    """Makes a data set of the arrays of known names."""
    if "images" not in found:
        raise ValueError(
            f"{file}: no array 'images' in it, only "
            f"{', '.join(sorted(keys)) or 'nothing'}. Save the images under "
            f"that name with {how}; 'labels' and {_NAMES!r} are optional."
        )
    unused = sorted(set(keys) - set(_KEYS))
    if unused:
        logging.warning(
            "%s: not used are %s; known names are %s",
            *(file, ", ".join(unused), ", ".join(_KEYS)),
        )
    return arrays.as_dataset(
        file, found["images"], found.get("labels"), found.get(_NAMES)
    )


def _attempt(
    what: object, function: Callable[..., Any], *args: Any, **options: Any
) -> Any:
    """Calls what reads a file; whatever it raises names the file."""
    try:
        return function(*args, **options)
    # What is raised depends on where the damage is.
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        mend = next(
            mend for cause, mend in _MENDS.items() if re.search(cause, said)
        )
        raise ValueError(f"{what} cannot be read ({said}). {mend}.") from error


def _array(
    what: object, function: Callable[..., Any], *args: Any, **options: Any
) -> np.ndarray:
    found = _attempt(what, function, *args, **options)
    if not isinstance(found, np.ndarray):
        raise ValueError(
            f"{what} is no array: it is damaged, or other content under this "
            "name. Save the array anew"
        )
    return found


def _of_another_kind(file: pathlib.Path, own: bytes) -> ValueError:
    """The error for a file that is not of the kind that begins with `own`."""
    with _attempt(file, file.open, "rb") as opened:
        head = opened.read(8)
    kinds = _KINDS | {
        own: "cut short or damaged. Copy or download it again",
        b"": "something else" if head else "empty. Copy or download it again",
    }
    is_what = next(kinds[magic] for magic in kinds if head.startswith(magic))
    expected = _KINDS[own].partition(":")[0]
    return ValueError(f"{file} is not {expected}; it is {is_what}")
