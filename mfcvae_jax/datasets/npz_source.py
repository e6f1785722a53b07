# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Anyone's images, from a NumPy .npz file.

`images`
    shape (N, H, W) or (N, H, W, C); uint8, where 255 means 1.0, or floats in
    [0, 1]
`labels`
    optional; integers from 0 on, shape (N,) or (N, M) for M labelings
`label_names`
    optional; M strings

It is written by ::

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

from mfcvae_jax.datasets import arrays
from mfcvae_jax.datasets.spec import Dataset

__all__ = ["load_npz"]


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
    found = _read(file)
    if "images" not in found:
        raise ValueError(
            f"{file}: no array 'images' in it, only "
            f"{', '.join(sorted(found)) or 'nothing'}. Save one with "
            "np.savez(path, images=...)."
        )
    return arrays.as_dataset(
        file, found["images"], found.get("labels"), found.get("label_names")
    )


def _read(file: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the arrays that we know of, as far as they are there."""
    if not zipfile.is_zipfile(file):
        raise ValueError(
            f"{file} is not an .npz file, which is a zip of arrays; make one "
            "with np.savez or np.savez_compressed"
        )
    found = {}
    with np.load(file, allow_pickle=False) as archive:
        for key in archive.files:
            if key not in ("images", "labels", "label_names"):
                logging.info("%s: %r is not used", file, key)
                continue
            try:
                found[key] = archive[key]
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
    return found
