# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Loads a data set by name and checks it, before anyone trains on it."""

import difflib
from collections.abc import Callable

import numpy as np

from mfcvae_jax.datasets import (
    array_files,
    arrays,
    digits,
    folder_source,
    shapes3d,
    spec,
    tfds_source,
)
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec
from mfcvae_jax.section import require

__all__ = ["check", "known_names", "load", "spec_of"]

# A set's facts -> the function that reads it, given these and a data directory.
_READ: dict[DatasetSpec, Callable[[DatasetSpec, str], Dataset]] = {
    spec.DIGITS: lambda *_: digits.load_digits(),
    spec.DIGITS_TINTED: lambda *_: digits.load_digits_tinted(),
    spec.MNIST: tfds_source.load,
    spec.SVHN_CROPPED: tfds_source.load,
    spec.SHAPES3D_FLOOR: shapes3d.load_original,
    spec.SHAPES3D_WALL: shapes3d.load_original,
    spec.SHAPES3D_RENDERED_FLOOR: lambda s, _: shapes3d.load_rendered(s),
    spec.SHAPES3D_RENDERED_WALL: lambda s, _: shapes3d.load_rendered(s),
}
_SPECS = {known.name: known for known in _READ}
# The facts of these are in their files, so these names are without a spec.
# They check what they read, in the words of the file.
_FROM_PATH: dict[str, Callable[[str], Dataset]] = {
    "npz": array_files.load_npz,
    "npy": array_files.load_npy,
    "folder": folder_source.load_folder,
    "hdf5": array_files.load_hdf5,
}


def load(name: str, data_dir: str = "", path: str = "") -> Dataset:
    """Loads a data set into memory, but for "npy", and checks it.

    Args:
        name: one of `known_names()`.
        data_dir: where sets prepared by TFDS lie; "" means its own folder.
        path: the file of "npz" or "hdf5", the folder of "npy" or "folder".

    Raises:
        ValueError: if the name is unknown or the data are not sound.
        FileNotFoundError: if the set's files are not there.
        ModuleNotFoundError: if "hdf5" is to be read without h5py.
    """
    if name in _FROM_PATH:
        return _FROM_PATH[name](path)
    known = spec_of(name)
    dataset = _READ[known](known, data_dir)
    check(dataset)
    return dataset


def spec_of(name: str) -> DatasetSpec:
    """Returns a data set's facts without reading it.

    Raises:
        ValueError: if the name is unknown, or has its facts in its files.
    """
    if name in _FROM_PATH:
        raise ValueError(
            f"What data set {name!r} is depends on its file: load it, and "
            "look at the spec that comes with the data."
        )
    if name not in _SPECS:
        known = known_names()
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"Unknown data set {name!r}; known are "
            f"{', '.join(known)}.{hint} Set data.name to one of them."
        )
    return _SPECS[name]


def known_names() -> tuple[str, ...]:
    """Returns the names that `load` knows."""
    return (*_SPECS, *_FROM_PATH)


def check(dataset: Dataset) -> None:
    """Checks that a data set is what its spec says.

    Raises:
        ValueError: if a split is empty, or its images or labels have another
            shape, type or range than the spec and `Split` say.
    """
    shape, known = dataset.spec.image_shape, dataset.spec.labelings
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        where = f"Data set {dataset.spec.name!r}, split {name!r}"
        images, labels = split
        require(
            images.dtype in (np.uint8, np.float32),
            f"{where}: images must be uint8, where 255 means 1.0, or float32 "
            f"in [0, 1]; got {images.dtype}. Convert them.",
        )
        require(
            images.ndim == 4 and images.shape[1:] == shape,
            f"{where}: expected images of shape (N, H, W, C) = "
            f"(N, {', '.join(map(str, shape))}), got {images.shape}. Reshape "
            "them or correct image_shape.",
        )
        require(
            len(images) > 0,
            f"{where}: no examples, at least one is needed. "
            "Check how the split was made.",
        )
        arrays.check_pixels(where, images)
        require(
            labels.dtype == np.int32,
            f"{where}: labels must be int32, got {labels.dtype}. Convert them.",
        )
        expected = (len(images), len(known))
        names = ", ".join(labeling.name for labeling in known)
        require(
            labels.shape == expected,
            f"{where}: expected labels of shape (N, M) = {expected}, one row "
            f"for each image and one column for each labeling ({names}), got "
            f"{labels.shape}.",
        )
        for column, labeling in zip(labels.T, known, strict=True):
            low, high = column.min(), column.max()
            require(
                0 <= low and high < labeling.n_classes,
                f"{where}: labels of {labeling.name!r} must lie in "
                f"[0, {labeling.n_classes - 1}], found values from {low} to "
                f"{high}. Renumber them or correct n_classes.",
            )
