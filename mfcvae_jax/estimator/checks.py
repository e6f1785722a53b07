# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of what the user of the estimator gives, with errors that say why."""

import numbers
from typing import Any

import numpy as np

__all__ = [
    "check_count",
    "check_index",
    "check_is_even",
    "count_or_auto",
    "is_auto",
    "is_number",
]


def is_auto(value: Any) -> bool:
    """Returns whether a value is "auto"; it may be an array."""
    return isinstance(value, str) and value == "auto"


def is_number(value: Any, kind: type = numbers.Real) -> bool:
    """Returns whether a value is a number of some kind, and no bool."""
    return isinstance(value, kind) and not isinstance(value, bool)


def check_count(name: str, value: Any, alternative: str = "") -> None:
    """Raises ValueError unless a value is an integer of at least 1.

    ``alternative`` says in the message what else is allowed.
    """
    if not is_number(value, numbers.Integral) or value < 1:
        raise ValueError(
            f"{name} must be an integer of at least 1{alternative}, got "
            f"{value!r}"
        )


def count_or_auto(name: str, value: Any, auto: int) -> int:
    """Returns what "auto" stands for, or a value that is a count itself."""
    if is_auto(value):
        return auto
    check_count(name, value, " or auto")
    return int(value)


def check_index(name: str, value: Any, n: int) -> None:
    """Raises ValueError unless a value is an integer from 0 to n - 1."""
    if not is_number(value, numbers.Integral) or not 0 <= value < n:
        raise ValueError(
            f"{name} must be an integer from 0 to {n - 1}, got {value!r}"
        )


def check_is_even(X: Any) -> None:
    """Raises ValueError for lists of examples of different shapes."""
    is_array = isinstance(X, np.ndarray) and X.dtype != object
    if is_array or not isinstance(X, np.ndarray | list | tuple):
        return
    try:
        shapes = [np.shape(x) for x in X]
    except ValueError as error:
        raise ValueError(f"X holds a ragged list: {error}") from error
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(
                "the examples in X must be of one shape, but X[0] is of shape "
                f"{shapes[0]} and X[{i}] of {shape}: resize or drop the odd "
                "ones"
            )
