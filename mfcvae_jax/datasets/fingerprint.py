# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Fingerprints of data sets: a run records one, to notice other data later.

A fingerprint holds the shape, the type and a hash of every array of a data
set, and its labelings. It is the same wherever the data lie, and in whatever
kind of file.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mfcvae_jax.datasets.spec import Dataset

__all__ = ["differences", "of"]

# Arrays are hashed in pieces, as a memory-mapped one may not fit into memory.
_BYTES_AT_ONCE = 1 << 24
# In the order in which a data set holds them.
_ARRAYS = {
    "train_images": "training images",
    "train_labels": "labels of the training images",
    "test_images": "test images",
    "test_labels": "labels of the test images",
}


def of(dataset: Dataset) -> dict[str, Any]:
    """Takes the fingerprint of a data set, whose every byte is read.

    Returns:
        Plain values for JSON: the name, the labelings as pairs of name and
        number of classes, and of each array its shape, type and SHA-256.
    """
    spec = dataset.spec
    labelings = [[each.name, each.n_classes] for each in spec.labelings]
    arrays = (*dataset.train, *dataset.test)
    return {
        "name": spec.name,
        "labelings": labelings,
        **dict(zip(_ARRAYS, map(_array, arrays), strict=True)),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Lists in what two data sets differ, given their fingerprints.

    The name does not count: a file may be moved. What only one of the two
    fingerprints holds does not count either: another version of this library
    may record more or less.
    """
    found = []
    for key, what in _ARRAYS.items():
        found += _array_differences(what, before.get(key), now.get(key))
    then, at_hand = before.get("labelings"), now.get("labelings")
    if then is not None and at_hand is not None and then != at_hand:
        found.append(
            f"labelings: {_classes(then)} then, {_classes(at_hand)} now"
        )
    return found


def _array(array: np.ndarray) -> dict[str, Any]:
    """Shape, type and hash of an array, in whatever order it is stored."""
    digest = hashlib.sha256()
    n_rows = max(1, _BYTES_AT_ONCE // max(1, array[:1].nbytes))
    for start in range(0, len(array), n_rows):
        digest.update(np.ascontiguousarray(array[start : start + n_rows]).data)
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "sha256": digest.hexdigest(),
    }


def _array_differences(what: str, before: Any, now: Any) -> list[str]:
    """The first difference of two arrays: the others follow from it."""
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return []
    for key in ("shape", "dtype", "sha256"):
        then, at_hand = before.get(key), now.get(key)
        if then is None or at_hand is None or then == at_hand:
            continue
        if key == "sha256":
            return [f"{what}: as many of the same shape, but other values"]
        if key == "shape":
            if len(at_hand) == 2:  # of labels: it follows from the rest
                return []
            then, at_hand = (
                f"{n} of {' x '.join(map(str, rest))}"
                for n, *rest in (then, at_hand)
            )
        return [f"{what}: {then} then, {at_hand} now"]
    return []


def _classes(labelings: list[list[Any]]) -> str:
    named = [f"{name} with {n} classes" for name, n in labelings]
    return ", ".join(named) or "none"
