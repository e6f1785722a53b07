# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What arrays of anyone's images and labels must be, in whatever file."""

import pathlib
from collections.abc import Sequence

import numpy as np

from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Labeling
from mfcvae_jax.datasets.splitting import random_split

__all__ = ["as_dataset", "as_images", "as_labels", "as_names", "labelings"]

# Fixed for good, for every file.
_SPLIT_SEED = 20210609

# More classes than this are identifiers, not classes.
_MAX_CLASSES = 10_000


def as_dataset(
    file: pathlib.Path,
    images: np.ndarray,
    labels: np.ndarray | None,
    names: np.ndarray | None,
) -> Dataset:
    """Makes a data set of one file's arrays, and sets a random fifth aside.

    Labels are taken as they are, so a labeling has as many classes as its
    greatest label plus one, whether or not all of them occur.

    Args:
        file: where they are from; the data set is named after it.
        images: shape (N, H, W) or (N, H, W, C).
        labels: shape (N,) or (N, M); None for no labelings.
        names: of the labelings, strings, shape (M,); None to make them up.

    Returns:
        The data set; float images as float32. Without labels it has no
        labelings, and labels of shape (N, 0).

    Raises:
        ValueError: if an array is not that; ``reader.check`` looks at the
            range of the pixels.
    """
    images = as_images(file, images)
    labels = as_labels(file, labels, len(images))
    known = labelings(as_names(file, names, labels.shape[1]), labels)
    train, test = random_split(images, labels, _SPLIT_SEED)
    return Dataset(DatasetSpec(file.name, images.shape[1:], known), train, test)


def as_images(file: pathlib.Path, images: np.ndarray) -> np.ndarray:
    """Brings images to shape (N, H, W, C) and to uint8 or float32.

    Args:
        file: where they are from, for the errors.
        images: shape (N, H, W) or (N, H, W, C).

    Raises:
        ValueError: if they are no images.
    """
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{file}: expected images of shape (N, H, W) or (N, H, W, C), got "
            f"{images.shape}"
        )
    if 0 in images.shape:
        raise ValueError(f"{file}: images of shape {images.shape} are empty")
    if np.issubdtype(images.dtype, np.floating):
        images = images.astype(np.float32, copy=False)
    elif images.dtype != np.uint8:
        raise ValueError(
            f"{file}: images must be uint8, where 255 means 1.0, or floats in "
            f"[0, 1]; got {images.dtype}. Convert them."
        )
    return images if images.ndim == 4 else images[..., np.newaxis]


def as_labels(
    file: pathlib.Path, labels: np.ndarray | None, n_examples: int
) -> np.ndarray:
    """Brings labels to int32, shape (N, M).

    Args:
        file: where they are from, for the errors.
        labels: shape (N,) or (N, M); None for no labelings.
        n_examples: N.

    Raises:
        ValueError: if they are no labels of so many examples.
    """
    if labels is None:
        return np.zeros((n_examples, 0), np.int32)
    if labels.ndim not in (1, 2) or len(labels) != n_examples:
        raise ValueError(
            f"{file}: expected labels of shape (N,) or (N, M) for the "
            f"N = {n_examples} images, got {labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{file}: labels must be integers, got {labels.dtype}. Number the "
            "classes from 0 on, for instance with np.unique(labels, "
            "return_inverse=True)."
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < _MAX_CLASSES):
        raise ValueError(
            f"{file}: labels must lie in [0, {_MAX_CLASSES - 1}], found values "
            f"from {labels.min()} to {labels.max()}. Number the classes from "
            "0 on."
        )
    return labels.reshape(n_examples, -1).astype(np.int32)


def as_names(
    file: pathlib.Path, names: np.ndarray | None, n_labelings: int
) -> list[str]:
    """Returns the names of the labelings, made up if there are none.

    Args:
        file: where they are from, for the errors.
        names: strings, shape (M,), or None.
        n_labelings: M.

    Raises:
        ValueError: unless there is one name for each, all different.
    """
    if names is None:
        if n_labelings == 1:
            return ["label"]
        return [f"label_{m}" for m in range(n_labelings)]
    names = np.atleast_1d(names)
    if names.ndim != 1 or not np.issubdtype(names.dtype, np.str_):
        raise ValueError(
            f"{file}: label_names must be a list of strings, got "
            f"{names.dtype} of shape {names.shape}"
        )
    if len(names) != n_labelings or len(set(names)) != n_labelings:
        raise ValueError(
            f"{file}: label_names needs one name for each of the "
            f"{n_labelings} labelings, all different; got {names.tolist()}"
        )
    return names.tolist()


def labelings(names: Sequence[str], labels: np.ndarray) -> tuple[Labeling, ...]:
    """Returns labelings with as many classes as their greatest label plus one.

    Args:
        names: of the M labelings.
        labels: shape (N, M).
    """
    return tuple(
        Labeling(name, int(column.max(initial=0)) + 1)
        for name, column in zip(names, labels.T, strict=True)
    )
