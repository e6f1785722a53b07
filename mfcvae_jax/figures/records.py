# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Curves out of the records of a run.

Records are dictionaries as they stand in a run's metrics.jsonl, one per line::

  epoch                           float, epochs since the start
  split                           'train' or 'test' ('fit' and 'choice' are
                                  not drawn)
  mixture_bound, mean_field_bound nats per example, higher is better
  kl_z/<j>, kl_c/<j>              nats per example, for each facet j
  many_to_one/<j>/<labeling>      in [0, 1]; usually on test records only

Of several starts, each record has its number as ``start``; see ``of_kept``.
Other keys are ignored, absent and None values leave gaps. Of several records
with one split and epoch (a run that was taken up again) the last counts.
"""

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "BOUNDS",
    "SPLITS",
    "Series",
    "check_records",
    "find_facets",
    "find_labelings",
    "of_kept",
    "series",
    "value_limits",
]

SPLITS = ("train", "test")
BOUNDS = ("mixture_bound", "mean_field_bound")

_SETTLED = 0.1  # the part of a run whose values do not set the limits
_ENOUGH = 10  # values of a curve before any of them is left out
_MARGIN = 0.08  # of the range of values


class Series(NamedTuple):
    """One curve.

    Attributes:
        epochs: shape (T,), increasing.
        values: shape (T,), finite or NaN.
    """

    epochs: np.ndarray
    values: np.ndarray


def check_records(records: Sequence[Mapping[str, Any]]) -> None:
    """Checks what every curve relies on.

    Raises:
        ValueError: if a record lacks a split or an epoch, or none has a
            finite bound.
    """
    for i, record in enumerate(records):
        split, epoch = record.get("split"), record.get("epoch")
        is_finite = isinstance(epoch, numbers.Real) and math.isfinite(epoch)
        if split not in (*SPLITS, "fit", "choice") or not is_finite:
            raise ValueError(
                f"Expected split 'train' or 'test' and a finite number as "
                f"epoch in record {i}; got {split!r} and {epoch!r}."
            )
    if not any(
        series(records, split, bound).values.size
        for split in SPLITS
        for bound in BOUNDS
    ):
        raise ValueError(
            f"Expected at least one record with a finite bound; got none in "
            f"{len(records)} records."
        )


def of_kept(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the records of the start that was kept, of records of several.

    It is the one that was trained longest; at the end, the first by its bound.

    Args:
        records: of one or several starts; all are returned if it is one.
    """
    in_order = sorted(
        records, key=lambda r: (r["epoch"], r["split"] == "choice")
    )
    ends = {
        r["start"]: (r["epoch"], -r.get("rank", 0))
        for r in in_order
        if "start" in r
    }
    kept = max(ends, key=lambda start: ends[start], default=None)
    return [r for r in records if r.get("start") == kept]


def find_facets(records: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Returns the facets that any KL or accuracy key names, in order."""
    named = _named(records, r"(?:kl_z|kl_c|many_to_one)/(\d+)(?:/|$)")
    return tuple(sorted(map(int, named)))


def find_labelings(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Returns the labelings that any accuracy key names, as they appear."""
    return _named(records, r"many_to_one/[^/]*/(.*)")


def series(
    records: Sequence[Mapping[str, Any]],
    split: str,
    keys: str | Sequence[str],
    *,
    start: float = -np.inf,
) -> Series:
    """Picks one curve out of the records.

    Args:
        records: see the module; any order.
        split: 'train' or 'test'.
        keys: a key, or several whose values are added; those a record lacks
            count as zero if it has another one of them.
        start: first epoch to keep.

    Returns:
        The curve, from its first to its last finite value; NaN where a value
        in between is absent or not finite; empty if there is none.
    """
    keys = (keys,) if isinstance(keys, str) else tuple(keys)
    found = {}
    for record in records:
        if record["split"] != split or record["epoch"] < start:
            continue
        terms = [record[key] for key in keys if record.get(key) is not None]
        value = float(sum(terms)) if terms else np.nan
        found[float(record["epoch"])] = value if np.isfinite(value) else np.nan
    epochs = np.array(sorted(found))
    values = np.array([found[epoch] for epoch in epochs])
    finite = np.flatnonzero(~np.isnan(values))
    kept = slice(finite[0], finite[-1] + 1) if finite.size else slice(0)
    return Series(epochs[kept], values[kept])


def value_limits(
    curves: Sequence[Series], span: float, *, floor: float | None = None
) -> tuple[float, float]:
    """Returns limits that the extremes of the first epochs do not ruin.

    The values of a curve count that come after its first tenth of the run (or
    after its first half, if its facet came in so late that it is shorter). Its
    early values count too if they do not double the range, or if the curve has
    fewer than ten values.

    Args:
        curves: at least one of them not empty.
        span: length of the run, in epochs.
        floor: if given, the lower limit is this, or the lowest value if that
            is less.

    Returns:
        Lower and upper limit with a margin, in the unit of the values.
    """
    lows, highs = [], []
    for epochs, values in curves:
        epochs, values = epochs[~np.isnan(values)], values[~np.isnan(values)]
        if not values.size:
            continue
        settled = min(_SETTLED * span, (epochs[-1] - epochs[0]) / 2)
        late = values[epochs >= epochs[0] + settled]
        if values.size >= _ENOUGH and np.ptp(values) > 2 * np.ptp(late):
            values = late
        lows.append(values.min())
        highs.append(values.max())
    low, high = min(lows), max(highs)
    if floor is not None:
        low = min(low, floor)
    margin = _MARGIN * ((high - low) or abs(high) or 1.0)
    return float(low - margin * (low != floor)), float(high + margin)


def _named(
    records: Sequence[Mapping[str, Any]], pattern: str
) -> tuple[str, ...]:
    """What a pattern finds in keys that have a value, as they appear."""
    matches = (
        re.match(pattern, key)
        for record in records
        for key, value in record.items()
        if value is not None
    )
    return tuple(dict.fromkeys(match[1] for match in matches if match))
