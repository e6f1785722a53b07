# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what a run leaves: results.json, figures, report.html and a text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mfcvae_jax import config as config_lib
from mfcvae_jax import storage
from mfcvae_jax.report import (
    exhibits,
    html,
    markdown,
    results,
    seeds,
    starts,
)
from mfcvae_jax.report.finished import Finished
from mfcvae_jax.report.html import explorer
from mfcvae_jax.training import runs
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.workdir import Workdir

__all__ = ["as_text", "finished_seeds", "write_report", "write_reports"]


def finished_seeds(
    run: Run,
    states: Sequence[TrainState | None],
    workdir: Workdir,
    scored: Sequence[runs.Scored | None] | None = None,
) -> dict[int, Finished | None]:
    """Takes a run apart into its seeds.

    Args:
        run: whose states they are.
        states: of each seed; None for one that was given up.
        workdir: of the run.
        scored: each state on the held-out split, as far as it is known already.

    Returns:
        Each seed as it was trained, None for one that was given up.
    """
    parts = zip(
        runs.of_each_seed(run),
        states,
        workdir.by_seed(run.settings).values(),
        scored or [None] * len(states),
        strict=True,
    )
    return {
        one.settings.seed: state and Finished(one, state, folder, known=known)
        for one, state, folder, known in parts
    }


def write_reports(
    run: Run,
    states: Sequence[TrainState | None],
    workdir: Workdir,
    scored: Sequence[runs.Scored | None] | None = None,
) -> str:
    """Reports on every seed that a run has kept, and sums several up.

    Takes what ``finished_seeds`` does; returns the reports, for a terminal.
    """
    texts, found, assignments = [], {}, {}
    for seed, finished in finished_seeds(run, states, workdir, scored).items():
        if finished:
            text, found[seed] = write_report(finished)
            texts.append(text)
            assignments[seed] = finished.scored.predictions.assignments
    folders = workdir.by_seed(run.settings)
    if len(folders) == 1:
        return "\n\n".join(texts)
    summary = seeds.summarise(found, assignments)
    workdir.write_results(seeds.to_json(summary))
    tables, what = {}, "seeds"
    if run.settings.n_init > 1:
        tables, what = {"Starts": starts.table(folders)}, "starts"
    if run.settings.n_init == 1 or len(found) > 1:
        headings = ("Without labels", "With labels")
        tables |= zip(headings, seeds.tables(summary), strict=False)
    title = f"{run.dataset.spec.name}, {len(folders)} {what}"
    pages = {
        seed: folders[seed].report.relative_to(workdir.path).as_posix()
        for seed in summary.seeds
    }
    given_up = {
        seed: folder.why_given_up() or "diverged"
        for seed, folder in folders.items()
        if seed not in found
    }
    page = html.page(
        "seeds.html.j2",
        title=title,
        pages=pages,
        given_up=given_up,
        tables=tables,
    )
    storage.write(workdir.report, page)
    texts += [
        f"{t.caption}\n\n{markdown.table(t.header, t.rows)}"
        for t in tables.values()
    ]
    texts.append(f"report: {workdir.report}")
    diverged = [str(s) for s, why in given_up.items() if why == "diverged"]
    if diverged:
        texts.append(f"Diverged and left out: seed {', '.join(diverged)}.")
    return "\n\n".join(texts)


def write_report(finished: Finished) -> tuple[str, results.Results]:
    """Writes results.json, assignments.npy, figures and report.html of a seed.

    Returns:
        Scores and paths of the pictures, for a terminal, and the results.
    """
    run, workdir, scored = finished.run, finished.workdir, finished.scored
    found = results.of(finished)
    workdir.write_results(found.to_json())
    with workdir.assignments.open("wb") as file:
        np.save(file, scored.predictions.assignments.astype(np.int32))
    pictures = [e for e in exhibits.EXHIBITS if e.name.endswith(".png")]
    made = exhibits.draw(finished, workdir.figures, pictures)
    drawn = [one for one in made if not one.reason]
    words = exhibits.facts(finished)
    page = html.run_page(
        found,
        config_lib.to_config(run.settings),
        title=f"{run.dataset.spec.name}, seed {run.settings.seed}",
        n_steps=run.stepper.schedule.n_steps,
        environment=workdir.read_environment(),
        stages=sorted(finished.stages),
        remarks=_remarks(finished),
        pictures=[
            (one.exhibit.title, one.exhibit.alt.format(**words), one.content)
            for one in drawn
            if one.exhibit.title
        ],
        explorer=_explorer(finished),
    )
    storage.write(workdir.report, page)
    lines = [as_text(finished, found), "", "figures:"]
    lines += [f"  {one.path}" for one in drawn]
    lines += ["report:", f"  {workdir.report}"]
    return "\n".join(lines), found


def as_text(finished: Finished, found: results.Results) -> str:
    """Writes the results of a seed for a terminal."""
    run = finished.run
    lines = [
        f"{run.dataset.spec.name}, seed {run.settings.seed}, "
        f"{found.n_examples} held-out examples, "
        f"step {found.step} of {run.stepper.schedule.n_steps}",
        *_remarks(finished),
    ]
    for table in found.tables():
        lines += ["", table.caption, *_aligned(table)]
    if not found.scores:
        lines += ["", "These examples have no labels, so there are no scores."]
    return "\n".join(lines)


def _remarks(finished: Finished) -> list[str]:
    """Says which facets were trained on a view, and of which starts it is."""
    views = [
        f"Facet {j} was trained on random views of the examples: "
        f"{', then '.join(map(repr, steps))}"
        for j, steps in enumerate(finished.run.settings.facets.view)
        if steps
    ]
    return views + starts.of_one(finished.records)


def _aligned(table: results.Table) -> list[str]:
    """The lines of a table for a terminal; of a single row, one a number."""
    lines = [table.header, *table.rows]
    n_heads = table.n_heads
    if not n_heads:
        lines, n_heads = list(zip(*lines, strict=True)), 1
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < n_heads else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]


def _explorer(finished: Finished) -> dict[str, Any]:
    """Plans the explorer, and generates and gathers its pictures."""
    dataset = finished.run.dataset
    resp = finished.scored.predictions.resp
    plan = explorer.plan(resp, dataset.spec.image_shape)
    combinations = plan.combinations[: plan.n_generated]
    return explorer.explorer(
        plan,
        finished.sample_combinations(combinations, 1, 0.0)[:, 0],
        finished.sample_combinations(
            combinations[: len(plan.here)],
            plan.level.n_samples,
            finished.run.settings.figures.temperature,
        ),
        dataset.test.images,
        dataset.test.labels,
        [labeling.name for labeling in dataset.spec.labelings],
    )
