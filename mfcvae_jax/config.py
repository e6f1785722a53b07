# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Configs, nested mappings of plain values, become settings and come back."""

import dataclasses
import difflib
import enum
import typing
from collections.abc import Mapping
from typing import Any

from mfcvae_jax.settings import KINDS, Settings

__all__ = ["differences", "flatten", "from_config", "to_config"]

# Settings that a run may change when it is taken up again.
_FREE_TO_CHANGE = (
    "data.data_dir",
    "data.on_device_gb",
    "evaluate.every_epochs",
    "evaluate.importance_samples",
    "checkpoint.every_epochs",
    "checkpoint.keep",
    "figures.temperature",
)


def from_config(config: Mapping[str, Any]) -> Settings:
    """Turns a config into checked settings.

    Args:
        config: nested mapping with exactly the keys of ``Settings``; choices
            are given by their value, e.g. ``covariance="full"``, and the
            sections ``net`` and ``likelihood`` name their form by a key
            ``kind``.

    Returns:
        The settings.

    Raises:
        ValueError: if a key is unknown or missing, or a value is not allowed;
            the message names the key, what came and what is expected.
    """
    return _build(Settings, config, "")


def to_config(settings: Any) -> dict[str, Any]:
    """Turns settings into a nested dict of plain values, for JSON.

    The inverse of ``from_config``, whose input it is.

    Args:
        settings: ``Settings`` or one of its sections.

    Returns:
        A dict with enums as their values and tuples as they are.
    """
    config = {}
    for kinds in KINDS.values():
        for kind, cls in kinds.items():
            if type(settings) is cls:
                config["kind"] = kind
    for field in dataclasses.fields(settings):
        config[field.name] = _plain(getattr(settings, field.name))
    return config


def flatten(config: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Gives every setting of a nested config its dotted name.

    Args:
        config: nested mapping, such as ``to_config`` returns.
        within: what the names start with.

    Returns:
        Plain values by name, such as ``train.batch_size``, in their order.
    """
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{within}{key}.")
        else:
            flat[f"{within}{key}"] = value
    return flat


def differences(left: Settings, right: Settings) -> list[str]:
    """Lists the settings in which two runs differ.

    Settings that leave the trained model as it is do not count: where files
    lie, and how often the run is scored, saved and drawn.

    Args:
        left: settings of the one run.
        right: settings of the other.

    Returns:
        One line per differing key, ``section.key: left value != right value``.
    """
    flat = [flatten(to_config(settings)) for settings in (left, right)]
    values = {
        key: [each.get(key, "absent") for each in flat]
        for key in sorted(flat[0] | flat[1])
        if key not in _FREE_TO_CHANGE
    }
    return [
        f"{key}: {of_left!r} != {of_right!r}"
        for key, (of_left, of_right) in values.items()
        if of_left != of_right
    ]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_config(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value


def _build(cls: type, config: Mapping[str, Any], path: str) -> Any:
    """Builds a dataclass from a mapping that has exactly its keys."""
    given = dict(config)
    known = {field.name: field for field in dataclasses.fields(cls)}
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {path}{close[0]}?" if close else "."
            raise ValueError(
                f"unknown setting {path}{key}={given[key]!r}{hint} Known here: "
                f"{', '.join(known) or 'none'}."
            )
    hints = typing.get_type_hints(cls)
    values = {}
    for name, field in known.items():
        if name in given:
            values[name] = _convert(hints[name], given[name], path + name)
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"setting {path}{name} is missing from the config")
    return cls(**values)


def _convert(kind: Any, value: Any, path: str) -> Any:
    """Converts one value to the annotated type of its field."""
    if path in KINDS:
        return _build_by_kind(value, path)
    if dataclasses.is_dataclass(kind):
        _require(
            isinstance(value, Mapping),
            f"{path} is a section of settings, got {value!r}",
        )
        return _build(typing.cast(type, kind), value, f"{path}.")
    if typing.get_origin(kind) is tuple:
        _require(
            isinstance(value, tuple | list),
            f"{path} must be a tuple with one entry per facet or layer, got "
            f"{value!r}",
        )
        item = typing.get_args(kind)[0]
        return tuple(
            _convert(item, entry, f"{path}[{i}]")
            for i, entry in enumerate(value)
        )
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        allowed = [member.value for member in kind]
        _require(
            value in allowed,
            f"{path} must be one of {allowed}, got {value!r}",
        )
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    _require(
        type(value) is kind,
        f"{path} must be of type {kind.__name__}, got {value!r} of type "
        f"{type(value).__name__}",
    )
    return value


def _build_by_kind(value: Any, section: str) -> Any:
    kinds = KINDS[section]
    given = dict(value) if isinstance(value, Mapping) else {}
    kind = given.pop("kind", None)
    _require(
        isinstance(kind, str) and kind in kinds,
        f"{section}.kind must be one of {sorted(kinds)}, got {kind!r}",
    )
    return _build(kinds[typing.cast(str, kind)], given, f"{section}.")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
