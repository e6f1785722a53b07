# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A section of settings: its numbers, and the ranges that they must be in."""

import dataclasses
import math
from typing import Annotated, Any, get_args, get_origin

__all__ = ["Count", "Positive", "Section", "Weight", "require"]

# What a number may be, in the words of an error.
_RANGES = {
    "at least 0": lambda value: value >= 0,
    "at least 1": lambda value: value >= 1,
    "positive and finite": lambda value: 0 < value < math.inf,
    "in [0, 1]": lambda value: 0 <= value <= 1,
    "in [0, 2**32)": lambda value: 0 <= value < 2**32,
}
Count = Annotated[int, "at least 1"]
Positive = Annotated[float, "positive and finite"]
Weight = Annotated[float, "in [0, 1]"]


@dataclasses.dataclass(frozen=True)
class Section:
    """Settings whose numbers are in the ranges that their types name."""

    def __init_subclass__(cls, name: str = ""):
        if name:
            cls._path = f"{name}."

    _path = ""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _check_range(self._path + field.name, field.type, value)


def require(condition: bool, message: str) -> None:
    """Raises ValueError unless a condition holds."""
    if not condition:
        raise ValueError(message)


def _check_range(name: str, kind: Any, value: Any) -> None:
    """Raises ValueError unless the numbers of a setting are in their range."""
    if get_origin(kind) is Annotated:
        for words in kind.__metadata__:
            require(
                _RANGES[words](value), f"{name} must be {words}, got {value}"
            )
    elif get_origin(kind) is tuple:
        for i, item in enumerate(value):
            _check_range(f"{name}[{i}]", get_args(kind)[0], item)
