# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of one seed: found once, read as rows by everything that shows.

``MEASURES`` has one row for each number that is shown anywhere. The terminal,
the page of a run, the summary of several seeds and the table of a sweep are
loops over ``Results.rows``.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from mfcvae_jax.report.finished import Finished, NotDrawnError

__all__ = [
    "MEASURES",
    "Measure",
    "OldResultsError",
    "Results",
    "Row",
    "Section",
    "Table",
    "of",
]


class OldResultsError(ValueError):
    """Results that an older version wrote, without all that is needed."""


class Section(NamedTuple):
    """A table of measures."""

    caption: str  # what it shows
    heads: tuple[str, ...]  # names of the cells that open each line
    note: str = ""  # how to read it


BOUNDS = Section(
    "Bounds, in nats per held-out example, higher is better",
    (),
    "log p(x) is by importance sampling: beside it stands the effective number "
    "of samples, for the median example and for the worst 5 %.",
)
FACETS = Section(
    "Each facet: its part of the gap between M and F and of the KL in nats, "
    "and its clusters",
    ("facet",),
    "The gap estimates -log Z: what is lost by taking q(c|x) for all samples "
    "of z together. Needed: the clusters that can be told apart, by the "
    "integrated completed likelihood. Told: the share of variance of what the "
    "facet encodes that lies between the clusters of deeper facets, summed "
    "over these; progressive.redundancy_price is the price of it.",
)
PAIRS = Section(
    "What pairs of facets share, 0 at best",
    ("facets",),
    "Mutual information in nats; redundancy is the same, normalised, in %.",
)
SAMPLES = Section(
    "Samples of each cluster, %",
    ("facet",),
    "Kept: samples that the model assigns to the cluster they were drawn "
    "from. Spread: variance of pixels that lies within clusters. Reach: "
    "clusters of a facet among the samples of one cluster, of those among "
    "all samples; 100 where choosing the cluster leaves that facet free.",
)
SCORES = Section(
    "Facets against labelings, %",
    ("facet", "labeling (classes)"),
    "Many-to-one accuracy, the paper's, gives each cluster its most frequent "
    "class and grows with K; one-to-one matches clusters and classes; "
    "balanced is many-to-one with every class counting the same. The last "
    "column is what one single cluster for all would score.",
)


class Measure(NamedTuple):
    """A number that is known of a run, its facets, pairs or labelings.

    Attributes:
        section: the table that it is in.
        name: in tables for programs.
        title: as the head of a column; empty for the name in words.
        unit: "nats", "%" (values are fractions) or "" (numbers of something).
        label: in the summary of several seeds; empty for the title.
        key: in results.json; empty for the name.
        find: computes the value of a run, a list of J, or of J x J, or raises
            NotDrawnError if a run cannot have it; None for what ``Results`` has
            in ``terms``, ``scores`` or ``diversity``.
    """

    section: Section
    name: str
    title: str = ""
    unit: str = ""
    label: str = ""
    key: str = ""
    find: Callable[[Finished], Any] | None = None

    @property
    def head(self) -> str:
        """The title, or the name in words."""
        return self.title or self.name.replace("_", " ")


# A new number is a row here: `find` computes it, all outputs show it.
MEASURES = [
    Measure(BOUNDS, "mixture_bound", "mixture bound M", "nats", "M"),
    Measure(BOUNDS, "mean_field_bound", "mean-field bound F", "nats", "F"),
    Measure(BOUNDS, "log_p_x_z", "log p(x|z)", "nats"),
    Measure(BOUNDS, "importance_log_p_x", "log p(x)", "nats"),
    Measure(BOUNDS, "importance_effective_samples", "effective samples"),
    Measure(
        BOUNDS,
        "importance_effective_samples_5_percent",
        "effective samples, worst 5 %",
    ),
    Measure(FACETS, "gap", unit="nats", label="-log Z"),
    Measure(FACETS, "kl_z", "KL of z", "nats"),
    Measure(FACETS, "kl_c", "KL of c", "nats"),
    Measure(FACETS, "clusters_in_use", find=lambda f: f.shared.n_used),
    Measure(FACETS, "effective_clusters", find=lambda f: f.shared.effective),
    Measure(
        FACETS,
        "clusters_needed",
        find=lambda f: [evidence.n_kept for _, evidence in f.pruned],
    ),
    Measure(
        FACETS,
        "shared_variance",
        "told",
        "%",
        "told by deeper facets",
        find=lambda f: f.shared_variance,
    ),
    Measure(
        PAIRS,
        "mutual_information",
        unit="nats",
        key="mutual_information_nats",
        find=lambda f: f.shared.mutual_information,
    ),
    Measure(
        PAIRS,
        "redundancy",
        unit="%",
        key="normalised_mutual_information",
        find=lambda f: f.shared.normalised,
    ),
    Measure(SAMPLES, "kept", unit="%", label="kept by samples"),
    Measure(SAMPLES, "spread", unit="%", label="spread by samples"),
    Measure(SAMPLES, "spread_of_inputs", unit="%"),
    Measure(SAMPLES, "reach", unit="%"),
    Measure(SCORES, "many_to_one", "many-to-one", "%"),
    Measure(SCORES, "one_to_one", "one-to-one", "%"),
    Measure(SCORES, "balanced", unit="%"),
    Measure(SCORES, "nmi", "NMI", "%"),
    Measure(SCORES, "ari", "ARI", "%"),
    Measure(SCORES, "majority", "one cluster", "%"),
]


class Row(NamedTuple):
    """One value of a measure."""

    measure: Measure
    facet: str  # "" for the whole run, "0" for a facet, "0, 1" for two
    labeling: str  # its name; or the other facet, of samples; or ""
    heads: tuple[str, ...]  # the cells that open its line in a table
    value: float  # in nats, a fraction for "%", or a count

    @property
    def shown(self) -> float:
        """The value in the unit of the measure."""
        return self.value * (100 if self.measure.unit == "%" else 1)

    @property
    def text(self) -> str:
        """What is shown."""
        if isinstance(self.value, int):
            return str(self.value)
        return f"{self.shown:.{2 if self.measure.unit == 'nats' else 1}f}"

    @property
    def label(self) -> str:
        """What it is and of what, with its unit."""
        text = self.measure.label or self.measure.head
        if self.labeling:
            text += f" in {self.labeling}"
        if ", " in self.facet:
            text += f" of facets {self.facet.replace(', ', ' and ')}"
        elif self.facet:
            text += f", facet {self.facet}"
        return text + (f", {self.measure.unit}" if self.measure.unit else "")


class Table(NamedTuple):
    """A table for a terminal or a page."""

    caption: str  # what it shows
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_heads: int  # cells of each row that name it; the others are numbers
    note: str = ""  # how to read it


class Results(NamedTuple):
    """What is known of a seed, as in its results.json."""

    step: int  # optimiser steps taken
    split: str  # that was scored
    n_examples: int  # in it
    terms: dict[str, float]  # of the bounds, means in nats per example
    scores: list[dict[str, Any]]  # of facets against labelings, fractions
    diversity: list[dict[str, Any]]  # of each facet, see Finished.diversity
    measures: dict[str, Any]  # all others by their key

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, for results.json."""
        plain = self._asdict()
        return plain | plain.pop("measures")

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Results":
        """Reads what ``to_json`` gave.

        Raises:
            OldResultsError: if something is missing.
        """
        wanted = [name for name in cls._fields if name != "measures"]
        missing = [key for key in wanted if key not in plain]
        if missing:
            raise OldResultsError(
                f"{', '.join(missing)}: written by an older version without "
                "these; write them again with mfcvae report"
            )
        return cls(
            **{name: plain[name] for name in wanted},
            measures={k: v for k, v in plain.items() if k not in wanted},
        )

    def rows(self) -> Iterator[Row]:
        """Yields every value of every measure, in the order of MEASURES."""
        for measure in MEASURES:
            yield from _rows(self, measure)

    def tables(self) -> tuple[Table, ...]:
        """Returns all rows as tables, one a section that has any."""
        lines: dict[Section, dict[tuple[str, ...], dict[str, str]]] = {}
        for row in self.rows():
            section, column = row.measure.section, row.measure.head
            if row.labeling and section is not SCORES:
                column += f" in {row.labeling}"
            of_section = lines.setdefault(section, {})
            of_section.setdefault(row.heads, {})[column] = row.text
        tables = []
        for section, of_section in lines.items():
            columns = dict.fromkeys(itertools.chain(*of_section.values()))
            rows = tuple(
                (*heads, *(cells.get(column, "") for column in columns))
                for heads, cells in of_section.items()
            )
            header = (*section.heads, *columns)
            n_heads = len(section.heads)
            tables.append(
                Table(section.caption, header, rows, n_heads, section.note)
            )
        return tuple(tables)


def of(finished: Finished) -> Results:
    """Finds all numbers of a run."""
    measures = {}
    for measure in MEASURES:
        with contextlib.suppress(NotDrawnError):
            if measure.find is not None:
                value = np.asarray(measure.find(finished)).tolist()
                measures[measure.key or measure.name] = value
    return Results(
        step=int(finished.state.step),
        split="test",
        n_examples=len(finished.images),
        terms=finished.scored.terms | finished.importance_terms,
        scores=finished.scored.scores,
        diversity=finished.diversity,
        measures=measures,
    )


def _rows(found: Results, measure: Measure) -> Iterator[Row]:
    """What an older version did not know has no row."""
    section, key = measure.section, measure.key or measure.name
    known = found.terms | found.measures
    row = functools.partial(Row, measure)
    if section is BOUNDS and key in known:
        yield row("", "", (), known[key])
    elif section in (FACETS, SAMPLES):
        for j, of_samples in enumerate(found.diversity):
            value = known[key][j] if known.get(key) else of_samples.get(key)
            value = known.get(f"{key}/{j}", value)
            if isinstance(value, list):
                for i, of_other in enumerate(value):
                    yield row(str(j), f"facet {i}", (f"Facet {j}",), of_other)
            elif value is not None:
                yield row(str(j), "", (f"Facet {j}",), value)
    elif section is PAIRS:
        matrix = known.get(key, ())
        for i in range(len(matrix)):
            for j in range(i):
                head = f"Facets {j} and {i}"
                yield row(f"{j}, {i}", "", (head,), matrix[j][i])
    elif section is SCORES:
        for score in found.scores:
            facet, labeling = str(score["facet"]), score["labeling"]
            heads = (
                f"Facet {facet}, K = {score['n_components']}",
                f"{labeling} ({score['n_classes']})",
            )
            if key in score:
                yield row(facet, labeling, heads, score[key])
