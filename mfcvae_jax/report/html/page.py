# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The page of one run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mfcvae_jax.report.html import explorer as explorer_lib
from mfcvae_jax.report.html import markup
from mfcvae_jax.report.html.markup import Markup, number, tag

__all__ = ["METRICS", "RunReport", "Stage", "run_page"]

# How the page calls the scores.
METRICS = {
    "many_to_one": "many-to-one",
    "one_to_one": "one-to-one",
    "nmi": "NMI",
    "ari": "ARI",
}


class Stage(NamedTuple):
    """A stage of progressive training.

    Attributes:
        start: epoch.
        facet: that enters.
        end: epoch at which it is in fully.
    """

    start: float
    facet: int
    end: float


class RunReport(NamedTuple):
    """All that the page of a run says.

    Attributes:
        dataset: its name.
        labelings: names of the M labelings.
        n_steps: of the whole training.
        results: as in results.json.
        config: the resolved settings, as in config.json.
        environment: as in environment.json.
        stages: of the training.
        pictures: PNG files of the figures, by name.
        plan: what the explorer holds.
        tiles: its pictures.
    """

    dataset: str
    labelings: tuple[str, ...]
    n_steps: int
    results: Mapping[str, Any]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    stages: Sequence[Stage]
    pictures: Mapping[str, bytes]
    plan: explorer_lib.Plan
    tiles: explorer_lib.Tiles


def run_page(report: RunReport) -> str:
    """Writes the page of a run.

    Args:
        report: what it says.

    Returns:
        One HTML file that needs no other.
    """
    results, facets = report.results, report.config["facets"]
    n_components = facets["n_components"]
    n_facets = len(n_components)
    title = f"{report.dataset}, seed {report.config['seed']}"
    each = " and ".join(
        f"{k} clusters in {_dimensions(d)}"
        for k, d in zip(n_components, facets["latent_dim"], strict=True)
    )
    body = [
        tag("a", "Skip to the explorer", href="#explorer", class_="skip"),
        tag(
            "header",
            tag("h1", title),
            tag(
                "p",
                f"{n_facets} facet{'s' if n_facets > 1 else ''}: {each}. "
                f"Step {results['step']} of {report.n_steps}, "
                f"{results['n_examples']} held-out examples.",
            ),
        ),
        tag(
            "main",
            explorer_lib.explorer(report.plan, report.tiles, report.labelings),
            _without_labels(results),
            _scores(results),
            _figures(report),
            _settings(report.config),
            _environment(report.environment),
        ),
    ]
    return markup.document(title, markup.join(body), script="explorer.js")


def _dimensions(d: int) -> str:
    return f"{d} dimension{'s' if d > 1 else ''}"


def _section(title: str, *children: str) -> Markup:
    return tag("section", tag("h2", title), *children)


def _without_labels(results: Mapping[str, Any]) -> Markup:
    """What can be read without labels."""
    terms = results["terms"]
    cards = [
        ("mixture bound M", number(terms["mixture_bound"])),
        ("mean-field bound F", number(terms["mean_field_bound"])),
        ("log p(x|z)", number(terms["log_p_x_z"])),
    ]
    note = "All of these in nats per held-out example, higher is better. "
    if "importance_log_p_x" in terms:
        cards.append(("log p(x)", number(terms["importance_log_p_x"])))
        note += (
            "log p(x) is by importance sampling; the effective number of "
            f"samples is {number(terms['importance_effective_samples'], 1)} "
            "for the median example and "
            f"{number(terms['importance_effective_samples_5_percent'], 1)} "
            "for the worst 5 %."
        )
    rows = [
        (
            f"Facet {j}",
            number(terms[f"gap/{j}"]),
            number(terms[f"kl_z/{j}"]),
            number(terms[f"kl_c/{j}"]),
            str(n_used),
            number(effective, 1),
            str(n_needed),
        )
        for j, (n_used, effective, n_needed) in enumerate(
            zip(
                results["clusters_in_use"],
                results["effective_clusters"],
                results["clusters_needed"],
                strict=True,
            )
        )
    ]
    return _section(
        "Without labels",
        tag(
            "dl",
            *(
                tag("div", tag("dt", name), tag("dd", value))
                for name, value in cards
            ),
            class_="cards",
        ),
        tag("p", note, class_="note"),
        markup.table(
            "Each facet: its part of the gap M \N{MINUS SIGN} F and of the "
            "KL in nats, and its clusters",
            (
                "facet",
                "gap",
                "KL of z",
                "KL of c",
                "in use",
                "effective",
                "needed",
            ),
            rows,
        ),
        tag(
            "p",
            "The gap estimates \N{MINUS SIGN}log Z: what is lost by taking "
            "q(c|x) for all samples of z together. Needed: the clusters that "
            "can be told apart, by the integrated completed likelihood.",
            class_="note",
        ),
        *_redundancy(results),
        *_diversity(results["diversity"]),
    )


def _redundancy(results: Mapping[str, Any]) -> Iterator[Markup]:
    """What pairs of facets share; nothing for one facet."""
    shared = results["mutual_information_nats"]
    normalised = results["normalised_mutual_information"]
    rows = [
        (
            f"Facets {j} and {i}",
            number(shared[j][i], 3),
            number(100 * normalised[j][i], 1),
        )
        for i in range(len(shared))
        for j in range(i)
    ]
    if rows:
        yield markup.table(
            "Redundancy: what pairs of facets share, 0 at best",
            ("facets", "mutual information, nats", "normalised, %"),
            rows,
        )


def _diversity(rows: Sequence[Mapping[str, Any]]) -> Iterator[Markup]:
    """What the samples of each cluster are like."""
    yield markup.table(
        "Samples of each cluster, %",
        (
            "facet",
            "kept",
            "spread",
            "spread of inputs",
            *(f"reach in facet {i}" for i in range(len(rows))),
        ),
        [
            (
                f"Facet {j}",
                *(
                    number(100 * row[name], 1)
                    for name in ("kept", "spread", "spread_of_inputs")
                ),
                *(number(100 * value, 1) for value in row["reach"]),
            )
            for j, row in enumerate(rows)
        ],
    )
    yield tag(
        "p",
        "Kept: samples that the model assigns to the cluster they were drawn "
        "from. Spread: variance of pixels that lies within clusters. Reach: "
        "clusters of a facet among the samples of one cluster, of those among "
        "all samples; 100 where choosing the cluster leaves that facet free.",
        class_="note",
    )


def _scores(results: Mapping[str, Any]) -> Markup:
    """The scores against labels."""
    if not results["scores"]:
        return _section(
            "With labels",
            tag("p", "These examples have no labels, so there are no scores."),
        )
    rows = [
        (
            f"Facet {row['facet']}, K = {row['n_components']}",
            f"{row['labeling']} ({row['n_classes']})",
            *(number(100 * row[key], 1) for key in METRICS),
            number(100 * row["majority"], 1),
        )
        for row in results["scores"]
    ]
    return _section(
        "With labels",
        markup.table(
            "Facets against labelings, %",
            (
                "facet",
                "labeling (classes)",
                *METRICS.values(),
                "one cluster",
            ),
            rows,
            n_heads=2,
        ),
        tag(
            "p",
            "Many-to-one accuracy, the paper\N{RIGHT SINGLE QUOTATION MARK}s, "
            "gives each cluster its most frequent class and grows with K; "
            "one-to-one matches clusters and classes. The last column is what "
            "one single cluster for all would score.",
            class_="note",
        ),
    )


def _figures(report: RunReport) -> Markup:
    stages = [
        tag(
            "li",
            f"Facet {stage.facet} is there from epoch {stage.start:g} on"
            if stage.end <= stage.start
            else f"Facet {stage.facet} enters at epoch {stage.start:g} and is "
            f"in fully at epoch {stage.end:.1f}",
        )
        for stage in report.stages
    ]
    facets = "; ".join(
        f"facet {j} has {len(order.components)} of {order.n_components} "
        "clusters in use, the most confident of them cluster "
        f"{order.components[0]}"
        for j, order in enumerate(report.plan.orders)
    )
    terms = report.results["terms"]
    texts = {
        "learning_curves": (
            "Learning curves",
            "Curves over the epochs: the bounds M and F, which end at "
            f"{number(terms['mixture_bound'], 1)} and "
            f"{number(terms['mean_field_bound'], 1)} nats per held-out "
            "example, the KL of each facet and, given labels, accuracies.",
        ),
        "clusters": (
            "Held-out inputs of each cluster",
            "One panel per facet, one row per cluster, the most confident "
            f"inputs first: {facets}.",
        ),
        "samples": (
            "Samples of each cluster",
            "One panel per facet, one row per cluster in the same order: "
            "generated images, all other facets drawn at random.",
        ),
        "grid": (
            "Every combination",
            "A grid of generated images: rows are clusters of the first "
            "facet, columns those of the last.",
        ),
        "swaps": (
            "Swaps",
            "Pairs of held-out inputs, their reconstructions, and both with "
            "one facet exchanged; then swaps that failed, if any did.",
        ),
        "traversals": (
            "Traversals",
            "One panel per facet, one row per latent dimension: the most "
            "confident held-out input as that dimension moves.",
        ),
        "pruning": (
            "How many clusters",
            "One panel per facet: what each number of clusters is worth, in "
            "nats per example, and the number with the best criterion: "
            + ", ".join(map(str, report.results["clusters_needed"]))
            + ".",
        ),
        "reconstructions": (
            "Reconstructions",
            "Rows of held-out inputs, each above its reconstruction.",
        ),
        "confusion": (
            "Clusters against classes",
            "One matrix for each facet and labeling "
            f"({', '.join(report.labelings)}): how many inputs of each class "
            "are in each cluster.",
        ),
    }
    return _section(
        "Training and figures",
        tag("ul", *stages),
        *(
            tag(
                "figure",
                tag("figcaption", title),
                tag(
                    "img",
                    src=markup.data_uri(report.pictures[name]),
                    alt=alt,
                ),
            )
            for name, (title, alt) in texts.items()
            if name in report.pictures
        ),
    )


def _settings(config: Mapping[str, Any]) -> Markup:
    return tag(
        "section",
        tag(
            "details",
            tag("summary", tag("h2", "Settings")),
            markup.table(
                "The resolved config", ("setting", "value"), _flat(config)
            ),
        ),
        class_="plain",
    )


def _flat(config: Mapping[str, Any], within: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows of their dotted name and their value."""
    rows = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{within}{key}.")
        else:
            rows.append((f"{within}{key}", repr(value)))
    return rows


def _environment(environment: Mapping[str, Any]) -> Markup:
    rows = [
        (name.replace("_", " "), str(environment[name]))
        for name in ("device", "platform", "git_revision", "python")
        if environment.get(name)
    ]
    rows += [
        (name, version or "not installed")
        for name, version in environment.get("versions", {}).items()
    ]
    return tag(
        "section",
        tag(
            "details",
            tag("summary", tag("h2", "Versions and device")),
            markup.table("Where it ran", ("name", "value"), rows),
        ),
        class_="plain",
    )
