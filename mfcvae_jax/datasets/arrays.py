# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks the images and labels that users bring, whatever file they come in.

Errors open with `where`: the file, and the array in it. They count rows as the
file does, before it is split.
"""

import pathlib

import numpy as np
from absl import logging

from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Labeling
from mfcvae_jax.datasets.splitting import random_split

__all__ = [
    "as_dataset",
    "as_images",
    "as_labelings",
    "as_labels",
    "check_pixels",
    "existing",
    "on_black",
]

# Fixed for good, for every file.
_SPLIT_SEED = 20210609

# More classes than this are identifiers, not classes.
_MAX_CLASSES = 10_000

# Pictures are opaque in at least this share of their pixels. A last channel
# that is not was measured, and is no opacity.
_MIN_OPAQUE = 1e-3


def existing(path: str, kind: str) -> pathlib.Path:
    """Finds the "file" or "folder" that `data.path` names, or raises."""
    found = pathlib.Path(path).expanduser()
    if found.is_file() if kind == "file" else found.is_dir():
        return found
    other = "folder" if kind == "file" else "file"
    but = f", but a {other} of that name" if found.exists() else ""
    raise FileNotFoundError(
        f"data.path: there is no {kind} {found.absolute()}{but}"
    )


def as_dataset(
    file: pathlib.Path,
    images: np.ndarray,
    labels: np.ndarray | None,
    names: np.ndarray | None,
    is_test: np.ndarray | None = None,
) -> Dataset:
    """Makes a data set of the arrays of one file, as float32 if of floats.

    Args:
        file: where they are from; the data set is named after it.
        images: uint8, where 255 means 1.0, or floats in [0, 1], shape
            (N, H, W) or (N, H, W, C); see `as_images`.
        labels: integers from 0 on, shape (N,) or (N, M); None for no labelings,
            whose labels are of shape (N, 0).
        names: of the labelings, strings, shape (M,); None to make them up.
        is_test: which images are for testing, bool, shape (N,); None for a
            fixed random fifth.

    Raises:
        ValueError: if an array is not that, or too small.
    """
    images = as_images(f"{file}: 'images'", images)
    labels = as_labels(f"{file}: 'labels'", labels, len(images))
    known = as_labelings(str(file), names, labels)
    if is_test is None and len(images) < 3:
        raise ValueError(
            f"{file}: {len(images)} images are too few. At least 3 are needed, "
            "as a fifth of them is set aside for testing"
        )
    train, test = random_split(images, labels, _SPLIT_SEED, is_test)
    return Dataset(
        DatasetSpec(file.absolute().name, images.shape[1:], known), train, test
    )


def as_images(
    where: str, images: np.ndarray, key: str = "images"
) -> np.ndarray:
    """Brings images to shape (N, H, W, C), to uint8 or float32, and opaque.

    Args:
        where: they are from, for the errors.
        images: shape (N, H, W) or (N, H, W, C); of 2 or 4 channels, the last
            is opacity.
        key: what the array is called there.

    Returns:
        Images of 1 or 3 channels. Where nothing is to be changed they are the
        array that was given, mapped or not.

    Raises:
        ValueError: if they are no images.
    """
    shape = images.shape
    if len(shape) not in (3, 4):
        raise ValueError(
            f"{where}: expected shape (N, H, W) or (N, H, W, C), got {shape}"
        )
    if 0 in shape:
        raise ValueError(f"{where}: images of shape {shape} are empty")
    is_float = np.issubdtype(images.dtype, np.floating)
    if not is_float and images.dtype != np.uint8:
        raise ValueError(
            f"{where}: images must be uint8, where 255 means 1.0, or floats in "
            f"[0, 1]; got {images.dtype}. Convert them."
        )
    if len(shape) == 4:
        _check_channels(where, shape, key)
    check_pixels(where, images, key)
    if is_float:
        images = images.astype(np.float32, copy=False)
    if len(shape) == 3:
        return images[..., np.newaxis]
    return images if shape[-1] in (1, 3) else _opaque(where, images, key)


def check_pixels(where: str, images: np.ndarray, key: str = "images") -> None:
    """Checks the range of images: uint8 or floats, of any shape.

    Raises:
        ValueError: if a pixel is not finite, a float lies outside of [0, 1],
            or bytes hold nothing but 0 and 1.
    """
    # Both extremes are NaN if any pixel is.
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        is_bad = ~np.isfinite(images)
        first = np.unravel_index(np.argmax(is_bad), images.shape)
        n_images = is_bad.reshape(len(images), -1).any(axis=1).sum()
        raise ValueError(
            f"{where}: {is_bad.sum()} pixel values in {n_images} images are "
            f"NaN or infinite; the first is {key}{[int(i) for i in first]}. "
            "Repair or drop those images."
        )
    # As float32, like the images in training: what is 1 there is not above it.
    with np.errstate(over="ignore"):
        is_outside = np.float32(low) < 0.0 or np.float32(high) > 1.0
    if images.dtype != np.uint8 and is_outside:
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


def on_black(images: np.ndarray) -> np.ndarray:
    """Lays images on black: multiplies them by their last channel, opacity.

    They are uint8 or floats in [0, 1], shape (..., C + 1). The products, shape
    (..., C), are of the same type; bytes are rounded.
    """
    colour, opacity = images[..., :-1], images[..., -1:]
    if images.dtype != np.uint8:
        return colour * opacity
    product = colour * opacity.astype(np.uint16)
    return ((product + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def as_labels(
    where: str, labels: np.ndarray | None, n_examples: int
) -> np.ndarray:
    """Brings labels, (N,), (N, M) or None, to int32, shape (N, M).

    Raises:
        ValueError: if they are not the numbers of classes, from 0 on.
    """
    if labels is None:
        return np.zeros((n_examples, 0), np.int32)
    if labels.ndim not in (1, 2) or len(labels) != n_examples:
        raise ValueError(
            f"{where}: expected labels of shape (N,) or (N, M) for the "
            f"N = {n_examples} images, got {labels.shape}"
        )
    if _is_one_hot(labels):
        raise ValueError(
            f"{where}: labels of shape {labels.shape} are one-hot, one column "
            "for each class. Expected the numbers of the classes: save "
            "labels.argmax(axis=1)."
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{where}: labels must be integers, got {labels.dtype}. Number the "
            "classes from 0 on, for instance with np.unique(labels, "
            "return_inverse=True)."
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < _MAX_CLASSES):
        raise ValueError(
            f"{where}: labels must lie in [0, {_MAX_CLASSES - 1}], found "
            f"values from {labels.min()} to {labels.max()}. Number the "
            "classes from 0 on."
        )
    return labels.reshape(n_examples, -1).astype(np.int32)


def as_labelings(
    where: str, names: np.ndarray | None, labels: np.ndarray
) -> tuple[Labeling, ...]:
    """Returns labelings with as many classes as their greatest label plus one.

    Args:
        where: the names are from, for the errors.
        names: strings or bytes in UTF-8, all different, shape (M,); None to
            make them up.
        labels: shape (N, M).
    """
    n = labels.shape[1]
    if names is None:
        made_up = ["label"] if n == 1 else [f"label_{m}" for m in range(n)]
        names = np.array(made_up)
    texts = [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        for name in np.ravel(names).tolist()
    ]
    if names.ndim > 1 or not all(isinstance(name, str) for name in texts):
        raise ValueError(
            f"{where}: label_names must be a list of strings, got "
            f"{names.dtype} of shape {names.shape}"
        )
    if len(texts) != n or len(set(texts)) != n:
        raise ValueError(
            f"{where}: label_names needs one name for each of the {n} "
            f"labelings, all different; got {texts}"
        )
    return tuple(
        Labeling(name, int(column.max(initial=0)) + 1)
        for name, column in zip(texts, labels.T, strict=True)
    )


def _check_channels(where: str, shape: tuple[int, ...], key: str) -> None:
    if shape[-1] <= 4:
        return
    if shape[1] <= 4:
        raise ValueError(
            f"{where}: shape {shape} looks like channels first, (N, C, H, W). "
            f"Expected (N, H, W, C): save {key}.transpose(0, 2, 3, 1)"
        )
    raise ValueError(
        f"{where}: shape {shape} has {shape[-1]} channels in its last axis. "
        "Expected (N, H, W, C) of 1 channel (grey), 3 (RGB), or 2 or 4, the "
        f"last of which is opacity. Save three of them, {key}[..., :3], or, if "
        f"the last axis counts the images, np.moveaxis({key}, -1, 0)"
    )


def _opaque(where: str, images: np.ndarray, key: str) -> np.ndarray:
    """Lays images of 2 or 4 channels on black, and says so."""
    n_channels = images.shape[-1]
    full = 255 if images.dtype == np.uint8 else 1
    mend = (
        f"np.pad({key}, [(0, 0)] * 3 + [(0, 1)])"
        if n_channels == 2
        else f"{key}[..., :3]"
    )
    if (images[..., -1] == full).mean() < _MIN_OPAQUE:
        raise ValueError(
            f"{where}: shape {images.shape} has {n_channels} channels, and the "
            "last is no opacity: it is hardly ever full. Expected 1 channel "
            f"(grey) or 3 (RGB): save {mend}"
        )
    logging.warning(
        "%s: shape %s has %d channels. The last is taken for opacity, and the "
        "images are laid on black, in memory. If it is something else, save %s",
        *(where, images.shape, n_channels, mend),
    )
    return on_black(images)


def _is_one_hot(labels: np.ndarray) -> bool:
    """Whether each row has a single 1, and not always in the same column."""
    return (
        labels.ndim == 2
        and labels.shape[1] > 1
        and labels.dtype.kind in "biuf"
        and bool(((labels == 0) | (labels == 1)).all())
        and bool((labels.sum(axis=1) == 1).all())
        and bool((labels != labels[0]).any())
    )
