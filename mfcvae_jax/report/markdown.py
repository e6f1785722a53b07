# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables as text, and the one way in which means are written."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["mean_std", "percent", "summary", "table"]


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Writes a table in Markdown, cells by ``str``; bars are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[str(c).replace("|", r"\|") for c in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def mean_std(mean: float, std: float | None = None, n_decimals: int = 2) -> str:
    """Writes a mean and its standard deviation, such as '92.02 (3.18)'.

    Without a deviation, which is None or NaN then, it is '92.02'.
    """
    text = f"{mean:.{n_decimals}f}"
    if std is None or math.isnan(std):
        return text
    return f"{text} ({std:.{n_decimals}f})"


def summary(
    values: Sequence[float], n_decimals: int = 2, scale: float = 1
) -> str:
    """Writes the mean (sample standard deviation) of at least one value.

    Both times the scale; of one value, the deviation is left out.
    """
    std = scale * statistics.stdev(values) if len(values) > 1 else None
    return mean_std(scale * statistics.mean(values), std, n_decimals)


def percent(values: Sequence[float]) -> str:
    """Writes fractions as mean (sample standard deviation) in %."""
    return summary(values, scale=100)
