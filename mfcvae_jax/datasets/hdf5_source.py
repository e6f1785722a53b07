# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Anyone's images, from an HDF5 file.

What is in it is that of an .npz (see ``npz_source``): `images`, and if you
like `labels` and `label_names`. The names may be an attribute instead, of
`labels` or of the file. ::

    with h5py.File("mine.h5", "w") as file:
        file["images"] = images
        file["labels"] = labels
        file["labels"].attrs["label_names"] = ["kind", "colour"]

Reading it needs h5py, which ``pip install '.[hdf5]'`` brings.
"""

import pathlib
from typing import Any

import numpy as np
from absl import logging

from mfcvae_jax.datasets import arrays
from mfcvae_jax.datasets.spec import Dataset

__all__ = ["load_hdf5"]

_NAMES = "label_names"


def load_hdf5(path: str) -> Dataset:
    """Reads a data set from an HDF5 file.

    Args:
        path: of the file.

    Returns:
        The data set, named after the file, as `arrays.as_dataset` makes it.

    Raises:
        FileNotFoundError: if there is no such file.
        ModuleNotFoundError: if h5py is not installed.
        ValueError: if the file is no HDF5, or what it holds is not as above.
    """
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"data.path: there is no file {file.absolute()}"
        )
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
        raise ValueError(
            f"{file} is not an HDF5 file; make one with h5py.File(path, 'w')"
        )
    try:
        with h5py.File(file, "r") as opened:
            images = _read(file, opened, "images")
            labels = _read(file, opened, "labels")
            names = _read(file, opened, _NAMES)
            if names is None:
                holders = [opened[key] for key in ("labels",) if key in opened]
                for holder in (*holders, opened):
                    if names is None and _NAMES in holder.attrs:
                        names = np.asarray(holder.attrs[_NAMES])
            found = ", ".join(sorted(opened)) or "nothing"
    # What h5py raises depends on where the damage is.
    except (KeyError, OSError, RuntimeError) as error:
        raise ValueError(f"{file} is damaged ({error})") from error
    if images is None:
        raise ValueError(
            f"{file}: no data set 'images' in it, only {found}. Save one with "
            "h5py.File(path, 'w')['images'] = ..."
        )
    return arrays.as_dataset(
        file, images, labels, None if names is None else _as_text(names)
    )


def _read(file: pathlib.Path, opened: Any, key: str) -> np.ndarray | None:
    """Reads one array, if it is there."""
    if key not in opened:
        return None
    if not hasattr(opened[key], "dtype"):
        raise ValueError(
            f"{file}: {key!r} is a group; a data set of numbers or strings is "
            "needed"
        )
    return np.asarray(opened[key][()])


def _as_text(names: np.ndarray) -> np.ndarray:
    """Turns the ways in which HDF5 holds strings into NumPy's."""
    flat = [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        for name in names.ravel().tolist()
    ]
    if not all(isinstance(name, str) for name in flat):
        return names  # which the check of names refuses
    return np.array(flat, np.str_).reshape(names.shape)
