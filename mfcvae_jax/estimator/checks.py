# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of what the user of the estimator gives, with errors that say why."""

import numbers
from typing import Any

import numpy as np

__all__ = ["check_count", "check_index", "check_is_even", "is_number"]


def check_count(name: str, value: Any, alternative: str = "") -> None:
    """Raises ValueError unless a value is an integer of at least 1.

    ``alternative`` says in the message what else is allowed.
    """
    if not _is_integer(value) or value < 1:
        raise ValueError(
            f"{name} must be an integer of at least 1{alternative}, got "
            f"{value!r}"
        )


def check_index(name: str, value: Any, n: int) -> None:
    """Raises ValueError unless a value is an integer from 0 to n - 1."""
    if not _is_integer(value) or not 0 <= int(value) < n:
        raise ValueError(
            f"{name} must be an integer from 0 to {n - 1}, got {value!r}"
        )


def is_number(value: Any) -> bool:
    """Returns whether a value is a real number, and no bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_is_even(X: Any) -> None:
    """Raises ValueError for lists of examples of different shapes."""
    is_array = isinstance(X, np.ndarray) and X.dtype != object
    if is_array or not isinstance(X, np.ndarray | list | tuple):
        return
    try:
        shapes = [np.shape(x) for x in X]
    except ValueError as error:
        raise ValueError(f"X holds a ragged list: {error}") from error
    odd = [i for i, shape in enumerate(shapes) if shape != shapes[0]]
    if odd:
        raise ValueError(
            "the examples in X must be of one shape, but X[0] is of shape "
            f"{shapes[0]} and X[{odd[0]}] of {shapes[odd[0]]}: resize or drop "
            "the odd ones"
        )
