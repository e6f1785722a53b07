# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Anyone's images, from a folder of NumPy .npy files that stay on disk.

For sets that are too large for memory: files are mapped, and only the rows of
a batch are read. The user splits them, and puts the training images in a
random order if the initialisation looks at the first batch.

`train_images.npy`, `test_images.npy`
    shape (N, H, W) or (N, H, W, C); uint8, where 255 means 1.0, or float32 in
    [0, 1]
`train_labels.npy`, `test_labels.npy`
    optional; integers from 0 on, shape (N,) or (N, M) for M labelings
`label_names.npy`
    optional; M strings
"""

import pathlib

import numpy as np
from absl import logging

from mfcvae_jax.datasets import arrays
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Split

__all__ = ["load_npy"]


def load_npy(path: str) -> Dataset:
    """Opens a data set in a folder of .npy files, without reading it whole.

    Args:
        path: of the folder.

    Returns:
        The data set, named after the folder; its images are memory-mapped.

    Raises:
        FileNotFoundError: if the folder or the images are not there.
        ValueError: if a file is damaged, or what it holds is not as above.
    """
    folder = pathlib.Path(path).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"data.path: there is no folder {folder.absolute()}"
        )
    logging.info("Opening the .npy files in %s", folder)
    splits = [_split(folder, name) for name in ("train", "test")]
    train, test = splits
    if train.images.shape[1:] != test.images.shape[1:]:
        raise ValueError(
            f"{folder}: training images of shape {train.images.shape[1:]}, "
            f"but test images of shape {test.images.shape[1:]}"
        )
    if train.labels.shape[1] != test.labels.shape[1]:
        raise ValueError(
            f"{folder}: {train.labels.shape[1]} labelings of the training "
            f"images, but {test.labels.shape[1]} of the test images"
        )
    names_file = folder / "label_names.npy"
    names = arrays.as_names(
        names_file,
        _load(names_file) if names_file.exists() else None,
        train.labels.shape[1],
    )
    return Dataset(
        DatasetSpec(
            name=folder.name,
            image_shape=train.images.shape[1:],
            labelings=arrays.labelings(
                names, np.concatenate([train.labels, test.labels])
            ),
        ),
        train,
        test,
    )


def _split(folder: pathlib.Path, name: str) -> Split:
    images_file = folder / f"{name}_images.npy"
    labels_file = folder / f"{name}_labels.npy"
    if not images_file.is_file():
        raise FileNotFoundError(
            f"data.path: {images_file.name} is not in {folder.absolute()}; "
            "save it with np.save"
        )
    mapped = _load(images_file, mmap_mode="r")
    if np.issubdtype(mapped.dtype, np.floating) and mapped.dtype != np.float32:
        raise ValueError(
            f"{images_file}: float images must be float32 to be mapped, got "
            f"{mapped.dtype}. Convert them."
        )
    images = arrays.as_images(images_file, mapped)
    labels = _load(labels_file) if labels_file.exists() else None
    return Split(images, arrays.as_labels(labels_file, labels, len(images)))


def _load(file: pathlib.Path, mmap_mode=None) -> np.ndarray:
    try:
        return np.load(file, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{file} is no array of numbers or strings, or is damaged ({error})"
        ) from error
