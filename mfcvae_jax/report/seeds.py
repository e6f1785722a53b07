# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The results of several seeds of one run, summed up.

The best and the worst seed are those with the greatest and the least held-out
mixture bound: labels score runs here, they never choose among them.
"""

import io
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mfcvae_jax.evaluation.stability import stability
from mfcvae_jax.report.markdown import mean_std
from mfcvae_jax.report.results import (
    MEASURES,
    SCORES,
    OldResultsError,
    Results,
    Table,
)
from mfcvae_jax.workdir import Workdir

__all__ = ["Spread", "Summary", "read", "summarise", "tables", "to_json"]


class Spread(NamedTuple):
    """One number over the seeds."""

    mean: float
    std: float  # sample standard deviation; NaN of one seed
    best: float  # that of the seed with the best held-out bound
    worst: float  # that of the seed with the worst held-out bound


class Summary(NamedTuple):
    """What several seeds came to."""

    seeds: tuple[int, ...]  # from the best held-out mixture bound to the worst
    numbers: dict[str, Spread]  # all that is without labels, by `Row.label`
    stability: tuple[float, ...]  # of each facet; empty of one seed
    # In %, by (facet, K, labeling) and name of the measure.
    scores: dict[tuple[int, int, str], dict[str, Spread]]


def read(folders: Mapping[int, Workdir]) -> Summary:
    """Sums up what finished runs have left in their folders, by seed.

    Raises:
        FileNotFoundError: if one is not finished.
        OldResultsError: if an older version wrote one.
    """
    results, old = {}, []
    for seed, folder in folders.items():
        try:
            plain = json.loads(folder.results.read_text())
            results[seed] = Results.from_json(plain)
        except OldResultsError as error:
            old.append(f"the results of seed {seed} lack {error}")
    if old:
        raise OldResultsError("; ".join(old))
    assignments = {
        seed: np.load(io.BytesIO(folder.assignments.read_bytes()))
        for seed, folder in folders.items()
    }
    return summarise(results, assignments)


def summarise(
    results: Mapping[int, Results], assignments: Mapping[int, np.ndarray]
) -> Summary:
    """Sums up the results of several seeds.

    Args:
        results: by seed.
        assignments: by seed, each as in the assignments.npy of its run.

    Raises:
        ValueError: if there are none.
    """
    if not results:
        raise ValueError("no results of any seed to sum up")
    seeds = sorted(results, key=lambda s: -results[s].terms["mixture_bound"])
    numbers: dict[str, Spread] = {}
    scores: dict[tuple[int, int, str], dict[str, Spread]] = {}
    n_components = {
        str(score["facet"]): score["n_components"]
        for score in results[seeds[0]].scores
    }
    by_label = [
        {(row.label, row.labeling): row for row in results[seed].rows()}
        for seed in seeds
    ]
    for where, row in by_label[0].items():
        if not all(where in of_seed for of_seed in by_label):
            continue  # such as log p(x), if not all seeds had it estimated
        values = [of_seed[where].shown for of_seed in by_label]
        std = statistics.stdev(values) if len(values) > 1 else math.nan
        spread = Spread(statistics.mean(values), std, values[0], values[-1])
        if row.measure.section is SCORES:
            facet = (int(row.facet), n_components[row.facet], row.labeling)
            scores.setdefault(facet, {})[row.measure.name] = spread
        else:
            numbers[row.label] = spread
    agreement: Sequence[float] = ()
    if len(seeds) > 1:
        agreement = stability([assignments[seed] for seed in seeds]).tolist()
    return Summary(tuple(seeds), numbers, tuple(agreement), scores)


def tables(summary: Summary) -> tuple[Table, ...]:
    """Returns a table of numbers, and one of scores if there are any."""
    best = f"seed {summary.seeds[0]}, best bound"
    worst = f"seed {summary.seeds[-1]}, worst bound"
    rows: list[tuple[str, ...]] = [
        (name, mean_std(x.mean, x.std), f"{x.best:.2f}", f"{x.worst:.2f}")
        for name, x in summary.numbers.items()
    ]
    for j, value in enumerate(summary.stability):
        name = f"agreement of the seeds in facet {j}, %"
        cell = f"{100 * value:.2f}"
        rows.append((f"{name} (adjusted mutual information)", cell, "", ""))
    header = ("number", "mean (standard deviation)", best, worst)
    caption = f"Over {len(summary.seeds)} seeds"
    numbers = Table(caption, header, tuple(rows), 1)
    if not summary.scores:
        return (numbers,)
    names = next(iter(summary.scores.values()))
    titles = [measure.head for measure in MEASURES if measure.name in names]
    rows = []
    for (facet, k, labeling), scores in summary.scores.items():
        cells = [mean_std(x.mean, x.std, 1) for x in scores.values()]
        first = next(iter(scores.values()))
        ends = (f"{first.best:.1f}", f"{first.worst:.1f}")
        rows.append((f"Facet {facet}, K = {k}", labeling, *cells, *ends))
    ends = (f"{titles[0]}: {best}", worst)
    return numbers, Table(
        "Facets against labelings, %: mean (standard deviation)",
        ("facet, K", "labeling", *titles, *ends),
        tuple(rows),
        2,
    )


def to_json(summary: Summary) -> dict[str, Any]:
    """Returns plain values, for the results.json of a run."""
    return {
        "seeds": list(summary.seeds),
        "stability": list(summary.stability),
        "numbers": {n: s._asdict() for n, s in summary.numbers.items()},
        "scores": [
            {"facet": facet, "n_components": k, "labeling": labeling}
            | {name: spread._asdict() for name, spread in scores.items()}
            for (facet, k, labeling), scores in summary.scores.items()
        ],
    }
