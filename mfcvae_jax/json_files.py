# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The JSON files of a run: written in full or not at all, read with care."""

import json
from typing import Any

from absl import logging

from mfcvae_jax import storage

__all__ = ["damage", "read", "read_records", "write"]


def write(path: storage.Path, value: dict[str, Any]) -> None:
    """Writes a file that is either there in full or not at all."""
    storage.write(path, json.dumps(value, indent=2) + "\n")


def read(path: storage.Path) -> dict[str, Any]:
    """Reads what ``write`` wrote."""
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, got {value!r:.40}")
    except (ValueError, RecursionError) as error:
        raise ValueError(damage(path, error)) from error
    return value


def damage(path: storage.Path, why: object) -> str:
    """Says that a file cannot be used, why, and what to do."""
    return (
        f"{path} is damaged or no file of a run ({why}): bring back a copy of "
        "it, or train again in another --workdir"
    )


def read_records(path: storage.Path) -> list[dict[str, Any]]:
    """Reads a file of one record a line, see ``Workdir.records``."""
    if not path.exists():
        return []
    records = [_parse_record(line) for line in path.read_bytes().split(b"\n")]
    damaged = [str(i) for i, r in enumerate(records[:-1], 1) if r is None]
    if damaged:
        logging.warning(
            "%s: %d lines are no records, or damaged, and are left out "
            "(line %s)",
            path,
            len(damaged),
            ", ".join(damaged[:5]) + (", ..." if damaged[5:] else ""),
        )
    return [record for record in records if record is not None]


def _parse_record(line: bytes) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None if it is no record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, or no text
        return None
    is_record = (
        isinstance(record, dict)
        and isinstance(record.get("step"), int)
        and isinstance(record.get("epoch"), int | float)
        and isinstance(record.get("split"), str)
    )
    return record if is_record else None
