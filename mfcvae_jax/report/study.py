# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Studies over arms and seeds: the file of their scores, and its table.

A study is a CSV file with a row for each data set, arm, device, seed, facet and
labeling. It grows as seeds are done, so a study goes on where it was stopped.
"""

import collections
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from mfcvae_jax.report import csv_rows, markdown

__all__ = ["append", "has", "own_facets", "rows", "table"]

_WHAT = ("data", "arm", "images", "device", "seed")
_MEASURES = ("many_to_one", "one_to_one", "nmi", "ari")
_SECONDS = ("cpu_seconds", "wall_seconds")
_COLUMNS = (*_WHAT, "facet", "labeling", *_MEASURES, *_SECONDS)


def rows(
    scores: Sequence[Mapping[str, Any]],
    shared: np.ndarray,
    **seconds: float,
) -> list[dict[str, Any]]:
    """Makes the rows of a seed.

    Args:
        scores: of each facet against each labeling
            (``accuracy.score_matrix``).
        shared: normalised mutual information of each two facets, shape (J, J).
        **seconds: ``cpu_seconds`` and ``wall_seconds`` that the seed took.

    Returns:
        A row for each facet and what it is held against: each labeling, and,
        by NMI alone, each facet before it.
    """
    found = [
        {c: score[c] for c in ("facet", "labeling", *_MEASURES)}
        for score in scores
    ] + [
        {"facet": j, "labeling": f"facet {i}", "nmi": shared[i, j]}
        for j in range(len(shared))
        for i in range(j)
    ]
    times = {name: round(value, 1) for name, value in seconds.items()}
    return [
        row
        | {m: round(float(row[m]), 4) for m in row if m in _MEASURES}
        | times
        for row in found
    ]


def has(path: pathlib.Path, what: Mapping[str, str]) -> bool:
    """Returns whether a file has the rows of a seed; ``append`` says what."""
    return any(what.items() <= row.items() for row in csv_rows.read(path))


def append(
    path: pathlib.Path,
    what: Mapping[str, str],
    found: Iterable[Mapping[str, Any]],
) -> None:
    """Adds the rows of a seed, from ``rows``, to a file, made if need be.

    ``what`` says ``data``, ``arm``, ``images`` (which were scored), ``device``
    and ``seed``.
    """
    csv_rows.append(path, _COLUMNS, ({**what, **row} for row in found))


def own_facets(nmi: np.ndarray) -> np.ndarray:
    """Gives each labeling a facet.

    Args:
        nmi: of facets and labelings, shape (J, M).

    Returns:
        The facet of each labeling, shape (M,): all different, so that the sum
        is largest; or, if M is more than J, the one of the largest NMI.
    """
    n_facets, n_labelings = nmi.shape
    if n_labelings > n_facets:
        return nmi.argmax(axis=0)
    labelings, facets = optimize.linear_sum_assignment(-nmi.T)
    return facets[np.argsort(labelings)]


def table(study: Iterable[Mapping[str, str]]) -> str:
    """Sums up the rows of a file: each labeling by the facet that is its own.

    Returns:
        A Markdown table: mean (standard deviation) over seeds, in %, and the
        medians of seconds.
    """
    of_seeds = collections.defaultdict(list)
    for row in study:
        names = tuple(row[name] for name in _WHAT if name != "seed")
        of_seeds[names, row["seed"]].append(row)
    of_labelings = collections.defaultdict(list)
    for (names, _), of_seed in of_seeds.items():
        for labeling, row in _of_labelings(of_seed).items():
            of_labelings[names, labeling].append(row)
    lines = []
    for (names, labeling), same in of_labelings.items():
        facets = " or ".join(sorted({row["facet"] for row in same}))
        measures = [_mean_std(same, measure) for measure in _MEASURES]
        nmis = [100 * float(row["nmi"]) for row in same if row["nmi"]]
        worst = f"{min(nmis):.1f}"
        seconds = [_median(same, column) for column in _SECONDS]
        lines.append(
            (*names, len(same), labeling, facets, *measures, worst, *seconds)
        )
    header = "data|arm|images|device|seeds|labeling|facet|many-to-one"
    header += "|one-to-one|NMI|ARI|worst NMI|CPU, s|wall, s"
    return markdown.table(header.split("|"), lines)


def _mean_std(same: Iterable[Mapping[str, str]], measure: str) -> str:
    values = [100 * float(row[measure]) for row in same if row[measure]]
    return markdown.summary(values, 1) if values else ""


def _median(same: Iterable[Mapping[str, str]], column: str) -> str:
    values = [float(row[column]) for row in same if row.get(column)]
    return f"{statistics.median(values):.0f}" if values else ""


def _of_labelings(
    of_seed: list[Mapping[str, str]],
) -> dict[str, Mapping[str, str]]:
    """Of each labeling the row of its own facet; of two facets, their row."""
    at = {(row["labeling"], int(row["facet"])): row for row in of_seed}
    n_facets = 1 + max(facet for _, facet in at)
    names = dict.fromkeys(name for name, _ in at)
    labelings = [name for name in names if not name.startswith("facet ")]
    nmi = [
        [float(at[name, j]["nmi"]) for name in labelings]
        for j in range(n_facets)
    ]
    own = own_facets(np.array(nmi))
    found = {n: at[n, int(j)] for n, j in zip(labelings, own, strict=True)}
    of_two = {
        f"{name} and {j}": row
        for (name, j), row in at.items()
        if name.startswith("facet ")
    }
    return found | of_two
