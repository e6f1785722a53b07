# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Image sets prepared by TensorFlow Datasets, read without TensorFlow.

A prepared set is a folder, `<data_dir>/<name>/<version>`, with its own
description in it. We open that folder and never ask TFDS for a set by name:
asked by name, it looks the set up over the network and may download it.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import logging

from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Split

__all__ = ["load", "prepared", "rows"]

# Rows are decoded to Python dicts first; in blocks of this many they never
# take much memory beside the arrays they are copied to.
_N_ROWS_AT_ONCE = 4096


def load(dataset_spec: DatasetSpec, data_dir: str = "") -> Dataset:
    """Reads the splits "train" and "test" of a prepared set, labeled by digit.

    Decoding the 60000 + 10000 images of MNIST takes about 14 seconds on one
    core.

    Args:
        dataset_spec: the set's facts; its name is also its name in TFDS.
        data_dir: the folder that holds `<name>/<version>`; "" means TFDS's
            own, which is `TFDS_DATA_DIR` if set, else
            `~/tensorflow_datasets`.

    Raises:
        FileNotFoundError: if no readable copy of the set is there.
    """
    with prepared(dataset_spec.name, data_dir) as builder:
        sources = builder.as_data_source()
        train, test = (
            _read(sources[split], dataset_spec) for split in ("train", "test")
        )
    return Dataset(dataset_spec, train, test)


@contextlib.contextmanager
def prepared(name: str, data_dir: str = "") -> Iterator[Any]:
    """Opens a prepared set as a TFDS builder, in a `with` block; see `load`.

    Raises:
        FileNotFoundError: if there is no copy of the set, or the block comes
            upon one that cannot be read; it says what to do.
    """
    # Not at the top: the imports take a second, which a run on the digits
    # should not pay.
    import tensorflow_datasets as tfds
    from google.protobuf import json_format

    fallback = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    root = pathlib.Path(data_dir or fallback).expanduser().absolute()
    advice = _advice(name, data_dir)
    versions = {
        tfds.core.Version(info.parent.name): info.parent
        for info in (root / name).glob("*/dataset_info.json")
        if tfds.core.Version.is_valid(info.parent.name)
    }
    if not versions:
        raise FileNotFoundError(
            f"No prepared copy of {name!r} in {root}: expected a folder "
            f"{root / name}/<version> with a dataset_info.json in it. {advice}"
        )
    folder = versions[max(versions)]
    logging.info("Reading %s from %s", name, folder)
    try:
        yield tfds.builder_from_directory(folder)
    except NotImplementedError as error:
        raise FileNotFoundError(
            f"The copy of {name!r} in {folder} is in a format that only "
            "TensorFlow can read; array_record files are needed. Move it away "
            f"first. {advice}"
        ) from error
    except (
        KeyError,
        OSError,
        RuntimeError,
        ValueError,
        json_format.ParseError,
    ) as error:
        raise FileNotFoundError(
            f"The copy of {name!r} in {folder} is damaged or incomplete "
            f"({type(error).__name__}: {error}). Move it away first. {advice}"
        ) from error


def _advice(name: str, data_dir: str) -> str:
    """Says how to point elsewhere and how to prepare the set once."""
    where = f", data_dir={data_dir!r}" if data_dir else ""
    return (
        "If you have it elsewhere, say where with --config.data.data_dir=... "
        "or the environment variable TFDS_DATA_DIR. To prepare it once "
        "(this step, unlike training, needs TensorFlow and the network):\n"
        '  pip install ".[prepare]"\n'
        '  python -c "import tensorflow_datasets as tfds; '
        f"tfds.builder({name!r}, file_format='array_record'{where})"
        '.download_and_prepare()"'
    )


def rows(source: Any) -> Iterator[dict[str, Any]]:
    """Decodes the rows of a TFDS data source, many at a time."""
    for start in range(0, len(source), _N_ROWS_AT_ONCE):
        stop = min(start + _N_ROWS_AT_ONCE, len(source))
        yield from source.__getitems__(range(start, stop))


def _read(source: Any, dataset_spec: DatasetSpec) -> Split:
    """Decodes a TFDS data source into arrays."""
    images = np.empty((len(source), *dataset_spec.image_shape), np.uint8)
    labels = np.empty((len(source), 1), np.int32)
    for i, row in enumerate(rows(source)):
        shape = row["image"].shape
        # NumPy would spread one grey channel over three without a word.
        if shape != dataset_spec.image_shape:
            raise ValueError(
                f"expected images of shape {dataset_spec.image_shape}, got "
                f"{shape}"
            )
        images[i], labels[i] = row["image"], row["label"]
    return Split(images, labels)
