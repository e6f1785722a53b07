# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Configs: nested mappings of plain values, from which settings are made.

A config file has a function ``get_config`` that returns one as a ConfigDict.
"""

import copy
import dataclasses
import difflib
import enum
import os
import pathlib
import runpy
import typing
from collections.abc import Mapping
from typing import Any

from flax import traverse_util
from ml_collections import ConfigDict

from mfcvae_jax.settings import KINDS, Settings

__all__ = [
    "changed",
    "differences",
    "from_config",
    "load",
    "make_config",
    "to_config",
]

# What most experiments share.
_BASE: dict[str, Any] = {
    "seed": 0,
    "n_seeds": 1,
    "n_init": 1,
    "precision": "float32",
    "data": {"data_dir": "", "path": "", "on_device_gb": 4.0},
    "facets": {"prior": (), "view": ()},
    "prior_init": {"means": "gmm", "variance": 0.01},
    "progressive": {
        "fade_in": "linear",
        "pretrain_weight_z": 0.0,
        "pretrain_weight_c": 0.0,
        "warm_up_epochs": (),
        "redundancy_price": 0.0,
    },
    "train": {
        "n_samples": 1,
        "estimator": "five_terms",
        "data_dependent_init": True,
    },
    "checkpoint": {"keep": 2},
}

# Settings that a run may change when it is taken up again.
_FREE_TO_CHANGE = (
    "data.data_dir",
    "data.path",
    "data.on_device_gb",
    "evaluate.every_epochs",
    "evaluate.importance_samples",
    "checkpoint.every_epochs",
    "checkpoint.keep",
    "figures.temperature",
)


def make_config(**changes: Any) -> ConfigDict:
    """Makes the config of an experiment: what most share, and its changes.

    Args:
        **changes: values at the top, and of each section the settings that
            differ or that the shared ones lack. The sections ``facets`` (but
            for prior and view), ``net`` and ``likelihood`` are given whole.
    """
    config = copy.deepcopy(_BASE)
    for name, value in changes.items():
        if isinstance(value, Mapping):
            value = {**config.get(name, {}), **value}
        config[name] = value
    return ConfigDict(config)


def load(
    path: str | os.PathLike[str], beside: str | os.PathLike[str] = ""
) -> ConfigDict:
    """Runs a config file, and returns what its ``get_config`` does.

    Args:
        path: of the file.
        beside: a file from whose folder the path starts: a config that builds
            on another one names itself, ``load("digits.py", __file__)``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has no ``get_config``.
    """
    found = pathlib.Path(beside).parent / path
    if not found.is_file():
        why = f", on which {beside} builds: copy it, too" if beside else ""
        raise FileNotFoundError(f"there is no config file {found}{why}")
    names = runpy.run_path(str(found))
    if "get_config" not in names:
        raise ValueError(f"{found} has no function get_config")
    return names["get_config"]()


def changed(
    config: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Changes single settings of a config.

    With another ``net.kind`` or ``likelihood.kind``, the settings go that only
    the other kinds have.

    Args:
        config: nested mapping; it is left as it is.
        changes: new values by dotted names, such as ``train.batch_size``.

    Returns:
        The changed config. ``from_config`` checks it.

    Raises:
        ValueError: if the config has no such section.
    """
    new = copy.deepcopy(dict(config))
    for name, value in changes.items():
        *sections, key = name.split(".")
        at: Any = new
        for section in sections:
            at = at.get(section) if isinstance(at, dict) else None
        if not isinstance(at, dict):
            raise ValueError(f"{name}: the config has no such section")
        is_section = isinstance(value, ConfigDict)
        at[key] = value.to_dict() if is_section else value
    for section, kinds in KINDS.items():
        kind = changes.get(f"{section}.kind")
        if kind in kinds:
            stale = {name for cls in kinds.values() for name in _fields(cls)}
            stale -= set(_fields(kinds[kind]))
            for name in stale:
                if f"{section}.{name}" not in changes:
                    new[section].pop(name, None)
    return new


def from_config(config: Mapping[str, Any]) -> Settings:
    """Turns a config into checked settings.

    Args:
        config: nested mapping with exactly the keys of ``Settings``; choices
            are given by their value, e.g. ``covariance="full"``; the sections
            ``net`` and ``likelihood``, the entries of ``facets.prior`` and the
            parts of those of ``facets.view`` name their form by a key ``kind``.
            An entry or part may also be the kind alone.

    Raises:
        ValueError: if a key is unknown or missing, or a value is not allowed;
            the message names the key, what came and what is expected.
    """
    return _build(Settings, config, "")


def to_config(settings: Any) -> dict[str, Any]:
    """Turns settings, or a section, into a nested dict for JSON.

    The inverse of ``from_config``: enums become their values.
    """
    config = {}
    for kinds in KINDS.values():
        for kind, cls in kinds.items():
            if type(settings) is cls:
                config["kind"] = kind
    for name in _fields(type(settings)):
        config[name] = _plain(getattr(settings, name))
    return config


def differences(left: Settings, right: Settings) -> list[str]:
    """Lists the settings in which two runs differ.

    Settings that leave the trained model as it is do not count: where files
    lie, and how often the run is scored, saved and drawn.

    Returns:
        One line per differing key, ``section.key: left value != right value``.
    """
    ours, theirs = (
        traverse_util.flatten_dict(to_config(settings), sep=".")
        for settings in (left, right)
    )
    return [
        f"{key}: {ours.get(key, 'absent')!r} != {theirs.get(key, 'absent')!r}"
        for key in sorted(ours | theirs)
        if ours.get(key) != theirs.get(key) and key not in _FREE_TO_CHANGE
    ]


def _fields(cls: type) -> dict[str, dataclasses.Field]:
    return {field.name: field for field in dataclasses.fields(cls)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_config(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value


def _build(cls: type, given: Mapping[str, Any], path: str, of: str = "") -> Any:
    """Builds a dataclass from a mapping that has exactly its keys."""
    known, hints = _fields(cls), typing.get_type_hints(cls)
    values = {}
    for key, value in given.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {path}{close[0]}?" if close else "."
            raise ValueError(
                f"unknown setting {path}{key}={value!r}{hint} Known here{of}: "
                f"{', '.join(known) or 'none'}."
            )
        values[key] = _convert(hints[key], value, path + key)
    for name, field in known.items():
        if name not in values and field.default is dataclasses.MISSING:
            needed = f":{of} it needs {', '.join(known)}" if of else ""
            raise ValueError(
                f"setting {path}{name} is missing from the config{needed}"
            )
    return cls(**values)


def _build_by_kind(value: Any, path: str, kinds: Mapping[str, type]) -> Any:
    given = dict(value) if isinstance(value, Mapping) else {}
    kind = given.pop("kind", None)
    if not (isinstance(kind, str) and kind in kinds):
        raise ValueError(
            f"{path}.kind must be one of {sorted(kinds)}, got {kind!r}"
        )
    return _build(kinds[kind], given, f"{path}.", f" for {path}.{kind=}")


def _convert(hint: Any, value: Any, path: str) -> Any:
    """Converts one value to the annotated type of its field."""
    # facets.prior[0] and facets.view[1][0] are of a kind; the rest are tuples.
    name, is_entry, _ = path.rpartition(".")[2].partition("[")
    if name in KINDS and typing.get_origin(hint) is not tuple:
        if is_entry and isinstance(value, str):
            value = {"kind": value}
        return _build_by_kind(value, path, KINDS[name])
    expected = None
    if dataclasses.is_dataclass(hint):
        if isinstance(value, Mapping):
            return _build(typing.cast(type, hint), value, f"{path}.")
        expected = "a section of settings"
    elif typing.get_origin(hint) is tuple:
        if isinstance(value, tuple | list):
            item = typing.get_args(hint)[0]
            return tuple(
                _convert(item, entry, f"{path}[{i}]")
                for i, entry in enumerate(value)
            )
        expected = "a tuple with one entry per facet or layer"
    elif issubclass(hint, enum.Enum):
        allowed = [member.value for member in hint]
        if value in allowed:
            return hint(value)
        expected = f"one of {allowed}"
    elif type(value) is hint:
        return value
    elif hint is float and type(value) is int:
        return float(value)
    raise ValueError(
        f"{path} must be {expected or f'of type {hint.__name__}'}, got "
        f"{value!r} of type {type(value).__name__}"
    )
