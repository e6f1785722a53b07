# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Loads a data set by name, and checks what came before anyone trains on it."""

import difflib
from collections.abc import Callable

import numpy as np

from mfcvae_jax.datasets import (
    digits,
    folder_source,
    hdf5_source,
    npy_source,
    npz_source,
    shapes3d,
    spec,
    tfds_source,
)
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Split

__all__ = ["check", "known_names", "load", "spec_of"]

# Name -> its facts, and the function that reads it from a data directory.
_SOURCES: dict[str, tuple[DatasetSpec, Callable[[str], Dataset]]] = {
    "digits": (spec.DIGITS, lambda data_dir: digits.load_digits()),
    "digits_tinted": (
        spec.DIGITS_TINTED,
        lambda data_dir: digits.load_digits_tinted(),
    ),
    "mnist": (spec.MNIST, tfds_source.load_mnist),
    "svhn_cropped": (spec.SVHN_CROPPED, tfds_source.load_svhn),
    "shapes3d_floor": (
        spec.SHAPES3D_FLOOR,
        lambda data_dir: shapes3d.load_original(spec.SHAPES3D_FLOOR, data_dir),
    ),
    "shapes3d_wall": (
        spec.SHAPES3D_WALL,
        lambda data_dir: shapes3d.load_original(spec.SHAPES3D_WALL, data_dir),
    ),
    "shapes3d_rendered_floor": (
        spec.SHAPES3D_RENDERED_FLOOR,
        lambda data_dir: shapes3d.load_rendered(spec.SHAPES3D_RENDERED_FLOOR),
    ),
    "shapes3d_rendered_wall": (
        spec.SHAPES3D_RENDERED_WALL,
        lambda data_dir: shapes3d.load_rendered(spec.SHAPES3D_RENDERED_WALL),
    ),
}
# Their facts are in their files, so these names are without a spec.
_FROM_PATH: dict[str, Callable[[str], Dataset]] = {
    "npz": npz_source.load_npz,
    "npy": npy_source.load_npy,
    "folder": folder_source.load_folder,
    "hdf5": hdf5_source.load_hdf5,
}


def load(name: str, data_dir: str = "", path: str = "") -> Dataset:
    """Loads and checks a data set.

    Args:
        name: one of `known_names()`.
        data_dir: where prepared sets lie, for the sets that are read from
            files; "" means TFDS's own folder.
        path: the file of the data set "npz" or "hdf5", or the folder of "npy"
            or "folder".

    Returns:
        The data set, in memory, but for "npy".

    Raises:
        ValueError: if the name is unknown or the data are not sound.
        FileNotFoundError: if the set's files are not there.
        ModuleNotFoundError: if "hdf5" is to be read without h5py.
    """
    if name in _FROM_PATH:
        dataset = _FROM_PATH[name](path)
    else:
        _, read = _source(name)
        dataset = read(data_dir)
    check(dataset)
    return dataset


def spec_of(name: str) -> DatasetSpec:
    """Returns a data set's facts without reading it.

    Args:
        name: one of `known_names()`, but for those that are read from a path:
            their facts are in their files, so load them instead.

    Returns:
        Its name, image shape and labelings.

    Raises:
        ValueError: if the name is unknown, or has its facts in its files.
    """
    if name in _FROM_PATH:
        raise ValueError(
            f"What data set {name!r} is depends on its file: load it, and "
            "look at the spec that comes with the data."
        )
    dataset_spec, _ = _source(name)
    return dataset_spec


def known_names() -> tuple[str, ...]:
    """Returns the names that `load` knows."""
    return (*_SOURCES, *_FROM_PATH)


def check(dataset: Dataset) -> None:
    """Checks that a data set is what its spec says.

    Args:
        dataset: the data set, ours or anyone's.

    Raises:
        ValueError: if a split is empty, or its images or labels have another
            shape, type or range than the spec and `Split` say.
    """
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        where = f"Data set {dataset.spec.name!r}, split {name!r}"
        _check_images(where, split, dataset.spec)
        _check_labels(where, split, dataset.spec)


def _source(name: str) -> tuple[DatasetSpec, Callable[[str], Dataset]]:
    """Looks a name up."""
    if name not in _SOURCES:
        known = known_names()
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"Unknown data set {name!r}; known are "
            f"{', '.join(known)}.{hint} Set data.name to one of them."
        )
    return _SOURCES[name]


def _check_images(where: str, split: Split, dataset_spec: DatasetSpec) -> None:
    images = split.images
    if images.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f"{where}: images must be uint8, where 255 means 1.0, or float32 "
            f"in [0, 1]; got {images.dtype}. Convert them."
        )
    if images.ndim != 4 or images.shape[1:] != dataset_spec.image_shape:
        raise ValueError(
            f"{where}: expected images of shape (N, H, W, C) = "
            f"(N, {', '.join(map(str, dataset_spec.image_shape))}), got "
            f"{images.shape}. Reshape them or correct image_shape."
        )
    if len(images) == 0:
        raise ValueError(
            f"{where}: no examples, at least one is needed. "
            "Check how the split was made."
        )
    # Both extremes are NaN if any pixel is, so sound images cost two passes.
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        is_bad = ~np.isfinite(images)
        first = tuple(int(i) for i in np.argwhere(is_bad)[0])
        raise ValueError(
            f"{where}: {is_bad.sum()} pixel values in "
            f"{is_bad.any(axis=(1, 2, 3)).sum()} images are NaN or infinite; "
            f"the first is images{list(first)}. Repair or drop those images."
        )
    if images.dtype == np.float32 and (low < 0.0 or high > 1.0):
        raise ValueError(
            f"{where}: float images must lie in [0, 1], found values from "
            f"{low:g} to {high:g}. Scale them, or keep them uint8 if they "
            "are bytes."
        )
    if images.dtype == np.uint8 and high == 1:
        raise ValueError(
            f"{where}: uint8 images hold nothing but 0 and 1, which would be "
            "almost black, since 255 means 1.0. Scale them by 255."
        )


def _check_labels(where: str, split: Split, dataset_spec: DatasetSpec) -> None:
    labels = split.labels
    expected = (len(split.images), len(dataset_spec.labelings))
    names = ", ".join(labeling.name for labeling in dataset_spec.labelings)
    if labels.dtype != np.int32:
        raise ValueError(
            f"{where}: labels must be int32, got {labels.dtype}. Convert them."
        )
    if labels.shape != expected:
        raise ValueError(
            f"{where}: expected labels of shape (N, M) = {expected}, one row "
            f"for each image and one column for each labeling ({names}), got "
            f"{labels.shape}."
        )
    for column, labeling in zip(labels.T, dataset_spec.labelings, strict=True):
        low, high = column.min(), column.max()
        if low < 0 or high >= labeling.n_classes:
            raise ValueError(
                f"{where}: labels of {labeling.name!r} must lie in "
                f"[0, {labeling.n_classes - 1}], found values from {low} to "
                f"{high}. Renumber them or correct n_classes."
            )
