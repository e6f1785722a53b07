# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores and pictures of a trained run: where results meet figures."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mfcvae_jax import config as config_lib
from mfcvae_jax.evaluation import accuracy, redundancy
from mfcvae_jax.report import html, pictures, summary, tables
from mfcvae_jax.report.finished import Finished
from mfcvae_jax.report.html import explorer
from mfcvae_jax.training import runs
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.workdir import Workdir

__all__ = ["Report", "write_report", "write_reports"]


class Report(NamedTuple):
    """What is known of a seed when its report is written.

    Attributes:
        text: scores and paths of the pictures, for a terminal.
        results: as in results.json.
        assignments: as in assignments.npy, integers, shape (N, J).
    """

    text: str
    results: dict[str, Any]
    assignments: np.ndarray


def write_reports(
    run: Run, states: Sequence[TrainState | None], workdir: Workdir
) -> str:
    """Reports on every seed of a run, and sums several up.

    Args:
        run: whose states they are.
        states: of each seed; None for one that was given up.
        workdir: of the run.

    Returns:
        The reports, as text for a terminal.
    """
    texts, results, assignments = [], {}, {}
    seeds = runs.of_each_seed(run)
    folders = workdir.of_each_seed(run.settings)
    for seed, state, folder in zip(seeds, states, folders, strict=True):
        if state is not None:
            report = write_report(seed, state, folder)
            texts.append(report.text)
            results[seed.settings.seed] = report.results
            assignments[seed.settings.seed] = report.assignments
    if len(seeds) > 1:
        summed_up = summary.summarise(results, assignments)
        workdir.write_results(summary.to_json(summed_up))
        texts.append(summary.format_summary(summed_up))
        given_up = [
            seed.settings.seed
            for seed, state in zip(seeds, states, strict=True)
            if state is None
        ]
        workdir.report.write_text(
            html.sweep_page(
                run.dataset.spec.name,
                summed_up,
                {
                    seed.settings.seed: os.path.relpath(
                        folder.report, workdir.path
                    )
                    for seed, folder in zip(seeds, folders, strict=True)
                },
                given_up,
            ),
            encoding="utf-8",
        )
        texts.append(f"report: {workdir.report}")
        if given_up:
            texts.append(
                f"Diverged and left out: seed {', '.join(map(str, given_up))}."
            )
    return "\n\n".join(texts)


def write_report(run: Run, state: TrainState, workdir: Workdir) -> Report:
    """Scores the held-out split; writes results.json, figures, report.html.

    Args:
        run: whose state it is.
        state: trained.
        workdir: of the run.

    Returns:
        What was found.
    """
    finished = Finished(run, state, workdir)
    found, matrix = finished.scored.predictions, finished.scored.matrix
    terms = finished.scored.terms | _importance_terms(run, state)
    test = run.dataset.test
    n_components = run.settings.facets.n_components
    shared = redundancy.facet_redundancy(found.assignments, n_components)
    usage = redundancy.cluster_usage(found.assignments, n_components)
    results: dict[str, Any] = {
        "step": int(state.step),
        "split": "test",
        "n_examples": len(test.images),
        "terms": terms,
        "scores": matrix.rows(),
        "mutual_information_nats": shared.mutual_information.tolist(),
        "normalised_mutual_information": shared.normalised.tolist(),
        "clusters_in_use": np.asarray(usage.n_used).tolist(),
        "effective_clusters": np.asarray(usage.effective).tolist(),
        "clusters_needed": [e.n_kept for _, e in finished.pruned],
        "diversity": tables.diversity(finished),
    }
    workdir.write_results(results)
    np.save(workdir.assignments, found.assignments.astype(np.int32))
    drawn, _ = pictures.draw(finished, workdir.figures)
    plan = explorer.plan(found.resp, test.images.shape[1:])
    page = html.RunReport(
        dataset=run.dataset.spec.name,
        labelings=tuple(x.name for x in run.dataset.spec.labelings),
        n_steps=run.stepper.schedule.n_steps,
        results=results,
        config=config_lib.to_config(run.settings),
        environment=_environment(workdir),
        stages=[html.Stage(*stage) for stage in finished.stages],
        pictures={name: path.read_bytes() for name, path in drawn.items()},
        plan=plan,
        tiles=_tiles(finished, plan),
    )
    workdir.report.write_text(html.run_page(page), encoding="utf-8")
    lines = [
        f"{run.dataset.spec.name}, {len(test.images)} held-out examples, "
        f"step {int(state.step)} of {run.stepper.schedule.n_steps}",
        f"mixture bound M {terms['mixture_bound']:.2f}, mean-field bound F "
        f"{terms['mean_field_bound']:.2f}, log p(x|z) {terms['log_p_x_z']:.2f} "
        "nats per example",
    ]
    if "importance_log_p_x" in terms:
        lines.append(
            f"log p(x) {terms['importance_log_p_x']:.2f} by "
            f"{run.settings.evaluate.importance_samples} importance samples, "
            f"{terms['importance_effective_samples']:.1f} of them effective "
            "for the median example, "
            f"{terms['importance_effective_samples_5_percent']:.1f} for the "
            "worst 5 %"
        )
    lines += [
        "",
        accuracy.format_matrix(matrix),
        "",
    ]
    for i in range(len(n_components)):
        for j in range(i):
            lines.append(
                f"redundancy of facets {j} and {i}: "
                f"{shared.mutual_information[j, i]:.3f} nats "
                f"({100 * shared.normalised[j, i]:.1f} % normalised)"
            )
    lines += [
        "",
        "samples of each cluster, %",
        tables.format_diversity(results["diversity"]),
        "",
    ]
    lines += ["figures:", *(f"  {path}" for path in drawn.values())]
    lines += ["report:", f"  {workdir.report}"]
    return Report("\n".join(lines), results, found.assignments)


def _importance_terms(run: Run, state: TrainState) -> dict[str, float]:
    """Log p(x) by importance sampling, unless the settings ask for none."""
    if not run.settings.evaluate.importance_samples:
        return {}
    found = runs.log_marginal(run, state)
    return {
        "importance_log_p_x": float(np.mean(found.log_p_x)),
        "importance_effective_samples": float(
            np.median(found.effective_samples)
        ),
        "importance_effective_samples_5_percent": float(
            np.quantile(found.effective_samples, 0.05)
        ),
    }


def _environment(workdir: Workdir) -> Mapping[str, Any]:
    """What environment.json says; nothing if there is none."""
    if not workdir.environment.exists():
        return {}
    return json.loads(workdir.environment.read_text())


def _tiles(finished: Finished, plan: explorer.Plan) -> explorer.Tiles:
    """Generates and gathers the pictures of the explorer."""
    test = finished.run.dataset.test
    return explorer.Tiles(
        means=finished.sample_combinations(plan.combinations, 1, 0.0)[:, 0],
        samples=finished.sample_combinations(
            plan.combinations[: plan.n_occurring],
            plan.n_samples,
            finished.run.settings.figures.temperature,
        ),
        examples=np.asarray(test.images[plan.examples]),
        labels=np.asarray(test.labels[plan.examples]),
    )
