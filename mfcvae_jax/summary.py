# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The results of several seeds of one run, summed up.

The best and the worst seed are those with the greatest and the least held-out
mixture bound: labels score runs here, they never choose among them.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Row", "Summary", "format_summary", "summarise"]

_SCORES = ("many_to_one", "one_to_one", "nmi", "ari")


class Row(NamedTuple):
    """One number of every seed.

    Attributes:
        name: what it is.
        mean: over the seeds.
        std: sample standard deviation; NaN of one seed.
        best: that of the seed with the best held-out bound.
        worst: that of the seed with the worst held-out bound.
    """

    name: str
    mean: float
    std: float
    best: float
    worst: float


class Summary(NamedTuple):
    """What several seeds came to.

    Attributes:
        n_seeds: how many there are.
        best_seed: with the greatest held-out mixture bound.
        worst_seed: with the least.
        rows: bounds in nats per example, clusters in use, and scores in %.
    """

    n_seeds: int
    best_seed: int
    worst_seed: int
    rows: tuple[Row, ...]


def summarise(results: Mapping[int, Mapping[str, Any]]) -> Summary:
    """Sums up the results of several seeds.

    Args:
        results: by seed, each as in the results.json of its run.

    Returns:
        The summary.

    Raises:
        ValueError: if there are none.
    """
    if not results:
        raise ValueError("there are no results to sum up")
    order = sorted(results, key=lambda s: results[s]["terms"]["mixture_bound"])
    worst, best = order[0], order[-1]
    numbers = {seed: _numbers(result) for seed, result in results.items()}
    rows = []
    for name in numbers[best]:
        values = [of_seed[name] for of_seed in numbers.values()]
        rows.append(
            Row(
                name,
                statistics.mean(values),
                statistics.stdev(values) if len(values) > 1 else math.nan,
                numbers[best][name],
                numbers[worst][name],
            )
        )
    return Summary(len(results), best, worst, tuple(rows))


def format_summary(summary: Summary) -> str:
    """Writes a summary as a Markdown table.

    Args:
        summary: to be written.

    Returns:
        Lines of text.
    """
    lines = [
        f"| {summary.n_seeds} seeds | mean (std) | best bound: seed "
        f"{summary.best_seed} | worst bound: seed {summary.worst_seed} |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {row.mean:.1f} ({row.std:.1f}) | {row.best:.1f} | "
        f"{row.worst:.1f} |"
        for row in summary.rows
    ]
    return "\n".join(lines)


def _numbers(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of one seed by name, in the order of the table."""
    numbers = {
        "M, nats": result["terms"]["mixture_bound"],
        "F, nats": result["terms"]["mean_field_bound"],
    }
    for j, n_used in enumerate(result["clusters_in_use"]):
        numbers[f"facet {j}: clusters in use"] = n_used
    for row in result["scores"]:
        where = f"facet {row['facet']}, {row['labeling']}"
        for score in _SCORES:
            numbers[f"{where}: {score}, %"] = 100 * row[score]
    shared: Sequence[Sequence[float]] = result["normalised_mutual_information"]
    if len(shared) > 1:
        numbers["redundancy of the first and the last facet, %"] = (
            100 * shared[0][-1]
        )
    return numbers
