# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Anyone's images, from a NumPy .npz file.

`images`       shape (N, H, W) or (N, H, W, C); uint8, where 255 means 1.0, or
               floats in [0, 1]
`labels`       optional; integers from 0 on, shape (N,) or (N, M) for M
               labelings
`label_names`  optional; M strings

    np.savez_compressed("mine.npz", images=images, labels=labels)

The file may be in any order: a fixed random fifth of it is set aside for
testing. Labels are taken as they are, so a labeling has as many classes as its
greatest label plus one, whether or not all of them occur.
"""

import pathlib
import zipfile
import zlib

import numpy as np
from absl import logging

from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Labeling
from mfcvae_jax.datasets.splitting import random_split

__all__ = ["load_npz"]

# Fixed for good, for every file.
_SPLIT_SEED = 20210609
# More classes than this are identifiers, not classes.
_MAX_CLASSES = 10_000


def load_npz(path: str) -> Dataset:
    """Reads a data set from an .npz file.

    Args:
        path: of the file.

    Returns:
        The data set, named after the file; float images as float32. Without
        labels in the file it has no labelings, and labels of shape (N, 0).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no .npz, or what it holds is not as above;
            `reader.check` looks at the range of the pixels.
    """
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"data.path: there is no file {file.absolute()}"
        )
    logging.info("Reading %s", file)
    arrays = _read(file)
    if "images" not in arrays:
        raise ValueError(
            f"{file}: no array 'images' in it, only "
            f"{', '.join(sorted(arrays)) or 'nothing'}. Save one with "
            "np.savez(path, images=...)."
        )
    images = _as_images(file, arrays["images"])
    labels = _as_labels(file, arrays.get("labels"), len(images))
    names = _as_names(file, arrays.get("label_names"), labels.shape[1])
    train, test = random_split(images, labels, _SPLIT_SEED)
    return Dataset(
        DatasetSpec(
            name=file.name,
            image_shape=images.shape[1:],
            labelings=tuple(
                Labeling(name, int(column.max(initial=0)) + 1)
                for name, column in zip(names, labels.T, strict=True)
            ),
        ),
        train,
        test,
    )


def _read(file: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the arrays that we know of, as far as they are there."""
    if not zipfile.is_zipfile(file):
        raise ValueError(
            f"{file} is not an .npz file, which is a zip of arrays; make one "
            "with np.savez or np.savez_compressed"
        )
    arrays = {}
    with np.load(file, allow_pickle=False) as archive:
        for key in archive.files:
            if key not in ("images", "labels", "label_names"):
                logging.info("%s: %r is not used", file, key)
                continue
            try:
                arrays[key] = archive[key]
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise ValueError(
                    f"{file}: {key!r} is damaged ({error})"
                ) from error
            except ValueError as error:
                # An array of objects: reading it could run code.
                raise ValueError(
                    f"{file}: {key!r} is not an array of numbers or strings "
                    f"({error}). Convert it before saving, for instance with "
                    "np.stack."
                ) from error
    return arrays


def _as_images(file: pathlib.Path, images: np.ndarray) -> np.ndarray:
    """Brings images to shape (N, H, W, C) and to uint8 or float32."""
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{file}: expected images of shape (N, H, W) or (N, H, W, C), got "
            f"{images.shape}"
        )
    if 0 in images.shape:
        raise ValueError(f"{file}: images of shape {images.shape} are empty")
    if np.issubdtype(images.dtype, np.floating):
        images = images.astype(np.float32)
    elif images.dtype != np.uint8:
        raise ValueError(
            f"{file}: images must be uint8, where 255 means 1.0, or floats in "
            f"[0, 1]; got {images.dtype}. Convert them."
        )
    return images if images.ndim == 4 else images[..., np.newaxis]


def _as_labels(
    file: pathlib.Path, labels: np.ndarray | None, n_examples: int
) -> np.ndarray:
    """Brings labels to int32, shape (N, M)."""
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


def _as_names(
    file: pathlib.Path, names: np.ndarray | None, n_labelings: int
) -> list[str]:
    """Returns the names of the labelings, made up if the file has none."""
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
