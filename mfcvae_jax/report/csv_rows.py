# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""CSV files that grow by rows, so that long work goes on where it stopped."""

import csv
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["append", "read", "write"]


def read(path: pathlib.Path) -> list[dict[str, str]]:
    """Returns the rows of a file; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(
    path: pathlib.Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    """Adds rows to a file, which it makes with its header if need be.

    What a row lacks is left empty; a row has no columns but these.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def write(
    path: pathlib.Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    """Writes a file anew; see ``append``."""
    path.unlink(missing_ok=True)
    append(path, columns, rows)
