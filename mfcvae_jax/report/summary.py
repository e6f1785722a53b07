# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The results of several seeds of one run, summed up.

The best and the worst seed are those with the greatest and the least held-out
mixture bound: labels score runs here, they never choose among them.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mfcvae_jax.evaluation.stability import stability
from mfcvae_jax.report import markdown
from mfcvae_jax.workdir import Workdir

__all__ = [
    "OldResultsError",
    "Spread",
    "Summary",
    "format_summary",
    "read",
    "summarise",
    "to_json",
]

_SCORES = ("many_to_one", "one_to_one", "nmi", "ari")


class OldResultsError(ValueError):
    """Results that an older version wrote, without all that is needed."""


class Spread(NamedTuple):
    """One number over the seeds.

    Attributes:
        mean: over the seeds.
        std: sample standard deviation; NaN of one seed.
        best: that of the seed with the best held-out bound.
        worst: that of the seed with the worst held-out bound.
    """

    mean: float
    std: float
    best: float
    worst: float

    def __str__(self) -> str:
        """Writes mean and deviation."""
        return f"{self.mean:.1f} ({self.std:.1f})"


class Summary(NamedTuple):
    """What several seeds came to.

    Attributes:
        seeds: from the best held-out mixture bound to the worst.
        numbers: bounds in nats per example, clusters in use, redundancy in %,
            by name.
        stability: of each facet, see ``evaluation.stability``; empty of one
            seed.
        scores: in %, by (facet, K, labeling) and name of the score.
    """

    seeds: tuple[int, ...]
    numbers: dict[str, Spread]
    stability: tuple[float, ...]
    scores: dict[tuple[int, int, str], dict[str, Spread]]


def read(
    folders: Mapping[int, Workdir],
) -> tuple[dict[int, dict[str, Any]], dict[int, np.ndarray]]:
    """Reads what finished runs have left.

    Args:
        folders: by seed.

    Returns:
        By seed, results.json and assignments.npy, as ``summarise`` takes them.

    Raises:
        FileNotFoundError: if one is not finished.
    """
    return (
        {s: json.loads(f.results.read_text()) for s, f in folders.items()},
        {s: np.load(f.assignments) for s, f in folders.items()},
    )


def summarise(
    results: Mapping[int, Mapping[str, Any]],
    assignments: Mapping[int, np.ndarray],
) -> Summary:
    """Sums up the results of several seeds.

    Args:
        results: by seed, each as in the results.json of its run.
        assignments: by seed, each as in the assignments.npy of its run.

    Returns:
        The summary.

    Raises:
        ValueError: if there are none.
        OldResultsError: if some lack what is written today.
    """
    if not results:
        raise ValueError("there are no results to sum up")
    old = [s for s, found in results.items() if "clusters_needed" not in found]
    if old:
        raise OldResultsError(
            f"the results of seed {', '.join(map(str, old))} were written by "
            "an older version: write them again with mfcvae report"
        )
    seeds = sorted(
        results, key=lambda seed: -results[seed]["terms"]["mixture_bound"]
    )
    of_seeds = [results[seed] for seed in seeds]
    numbers = [_numbers(result) for result in of_seeds]
    scores = {}
    for i, row in enumerate(of_seeds[0]["scores"]):
        rows = [result["scores"][i] for result in of_seeds]
        scores[row["facet"], row["n_components"], row["labeling"]] = {
            name: _spread([100 * row[name] for row in rows]) for name in _SCORES
        }
    return Summary(
        tuple(seeds),
        {name: _spread([n[name] for n in numbers]) for name in numbers[0]},
        tuple(
            stability([assignments[seed] for seed in seeds]).tolist()
            if len(seeds) > 1
            else ()
        ),
        scores,
    )


def format_summary(summary: Summary) -> str:
    """Writes a summary as Markdown tables.

    Args:
        summary: to be written.

    Returns:
        Lines of text.
    """
    best, worst = (
        f"seed {summary.seeds[0]}, best bound",
        f"seed {summary.seeds[-1]}, worst bound",
    )
    parts = [
        f"{len(summary.seeds)} seeds: mean (standard deviation)",
        markdown.table(
            ("", "all", best, worst),
            [
                (name, spread, f"{spread.best:.1f}", f"{spread.worst:.1f}")
                for name, spread in summary.numbers.items()
            ]
            + [
                (
                    f"agreement of the seeds in facet {j}, % (adjusted mutual "
                    "information)",
                    f"{100 * value:.1f}",
                    "",
                    "",
                )
                for j, value in enumerate(summary.stability)
            ],
        ),
    ]
    if summary.scores:  # images with labels
        heads = [f"{name}, %" for name in _SCORES]
        rows = []
        for where, scores in summary.scores.items():
            first = scores[_SCORES[0]]
            ends = f"{first.best:.1f}", f"{first.worst:.1f}"
            rows.append((*where, *scores.values(), *ends))
        parts.append(
            markdown.table(
                (
                    "facet",
                    "K",
                    "labeling",
                    *heads,
                    f"{_SCORES[0]}: {best}",
                    worst,
                ),
                rows,
            )
        )
    return "\n\n".join(parts)


def to_json(summary: Summary) -> dict[str, Any]:
    """Turns a summary into plain values, for the results.json of a run.

    Args:
        summary: to be turned.

    Returns:
        Dicts, lists, strings and numbers.
    """
    return {
        "seeds": list(summary.seeds),
        "stability": list(summary.stability),
        "numbers": {n: s._asdict() for n, s in summary.numbers.items()},
        "scores": [
            {
                "facet": facet,
                "n_components": n_components,
                "labeling": labeling,
                **{name: spread._asdict() for name, spread in scores.items()},
            }
            for (facet, n_components, labeling), scores in (
                summary.scores.items()
            )
        ],
    }


def _spread(values: Sequence[float]) -> Spread:
    """Of values in the order of the seeds' bounds."""
    std = statistics.stdev(values) if len(values) > 1 else math.nan
    return Spread(statistics.mean(values), std, values[0], values[-1])


def _numbers(result: Mapping[str, Any]) -> dict[str, float]:
    """What is known of a seed without labels, by name."""
    numbers = {
        "M, nats": result["terms"]["mixture_bound"],
        "F, nats": result["terms"]["mean_field_bound"],
    }
    for j, n_used in enumerate(result["clusters_in_use"]):
        numbers[f"-log Z, facet {j}, nats"] = result["terms"][f"gap/{j}"]
        numbers[f"clusters in use, facet {j}"] = n_used
        numbers[f"clusters needed, facet {j}"] = result["clusters_needed"][j]
        for name in ("kept", "spread"):
            share = result["diversity"][j][name]
            numbers[f"{name} by samples, facet {j}, %"] = 100 * share
    shared: Sequence[Sequence[float]] = result["normalised_mutual_information"]
    for i in range(len(shared)):
        for j in range(i):
            numbers[f"redundancy of facets {j} and {i}, %"] = 100 * shared[j][i]
    return numbers
