# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The page of several seeds: their summary, and the way to each of them."""

from collections.abc import Mapping, Sequence

from mfcvae_jax.report.html import markup
from mfcvae_jax.report.html.markup import number, tag
from mfcvae_jax.report.html.page import METRICS
from mfcvae_jax.report.summary import Summary

__all__ = ["sweep_page"]


def sweep_page(
    dataset: str,
    summary: Summary,
    pages: Mapping[int, str],
    given_up: Sequence[int] = (),
) -> str:
    """Writes the page of several seeds.

    Args:
        dataset: its name.
        summary: of the seeds that were trained.
        pages: by seed, the page of each, as seen from this one.
        given_up: seeds that diverged.

    Returns:
        One HTML file.
    """
    best, worst = (
        f"seed\N{NO-BREAK SPACE}{seed}"
        for seed in (summary.seeds[0], summary.seeds[-1])
    )
    numbers = [
        (name, *map(number, (all_.mean, all_.std, all_.best, all_.worst)))
        for name, all_ in summary.numbers.items()
    ] + [
        (
            f"agreement of the seeds in facet {j}, % (adjusted mutual "
            "information)",
            number(100 * value),
            "",
            "",
            "",
        )
        for j, value in enumerate(summary.stability)
    ]
    sections = [
        tag(
            "section",
            tag("h2", "Seeds"),
            tag("p", "From the best held-out mixture bound to the worst."),
            tag(
                "ul",
                *(
                    tag("li", tag("a", f"Seed {seed}", href=pages[seed]))
                    for seed in summary.seeds
                ),
                *(
                    tag("li", f"Seed {seed} diverged and is left out")
                    for seed in given_up
                ),
            ),
        ),
        tag(
            "section",
            tag("h2", "Without labels"),
            markup.table(
                "Over the seeds",
                (
                    "number",
                    "mean",
                    "standard deviation",
                    f"best bound, {best}",
                    f"worst bound, {worst}",
                ),
                numbers,
            ),
        ),
    ]
    if summary.scores:
        names = list(next(iter(summary.scores.values())))
        sections.append(
            tag(
                "section",
                tag("h2", "With labels"),
                markup.table(
                    "Facets against labelings, %: mean (standard deviation)",
                    (
                        "facet, K",
                        "labeling",
                        *(METRICS[name] for name in names),
                        f"{METRICS[names[0]]}, {best}",
                        f"{METRICS[names[0]]}, {worst}",
                    ),
                    [
                        (
                            f"Facet {facet}, K = {n_components}",
                            labeling,
                            *(str(scores[name]) for name in names),
                            number(scores[names[0]].best, 1),
                            number(scores[names[0]].worst, 1),
                        )
                        for (facet, n_components, labeling), scores in (
                            summary.scores.items()
                        )
                    ],
                    n_heads=2,
                ),
            )
        )
    title = f"{dataset}, {len(summary.seeds) + len(given_up)} seeds"
    return markup.document(
        title,
        markup.join([tag("header", tag("h1", title)), tag("main", *sections)]),
    )
