# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores and pictures of a trained run: where results meet figures."""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import chex
import jax
import numpy as np

from mfcvae_jax import figures, html, summary
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.datasets import batches
from mfcvae_jax.evaluation import accuracy, generation, redundancy
from mfcvae_jax.evaluation.contingency import contingency_table
from mfcvae_jax.evaluation.predictions import Predictions
from mfcvae_jax.html import explorer
from mfcvae_jax.training import runs
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import KeyUse, TrainState, run_key
from mfcvae_jax.workdir import Workdir

__all__ = ["write_report", "write_reports"]

_N_COLUMNS = 10
_N_RECONSTRUCTIONS = 42  # three rows of 14


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
            texts.append(write_report(seed, state, folder))
            found = json.loads(folder.results.read_text())
            results[seed.settings.seed] = found
            assignments[seed.settings.seed] = np.load(folder.assignments)
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


def write_report(run: Run, state: TrainState, workdir: Workdir) -> str:
    """Scores the held-out split; writes results.json, figures, report.html.

    Args:
        run: whose state it is.
        state: trained.
        workdir: of the run.

    Returns:
        The scores and the paths of the pictures, as text for a terminal.
    """
    scored = runs.score(run, state)
    found, matrix = scored.predictions, scored.matrix
    terms = scored.terms | _importance_terms(run, state)
    test = run.dataset.test
    n_components = run.settings.facets.n_components
    shared = redundancy.facet_redundancy(found.assignments, n_components)
    usage = redundancy.cluster_usage(found.assignments, n_components)
    results = {
        "step": int(state.step),
        "split": "test",
        "n_examples": len(test.images),
        "terms": terms,
        "scores": matrix.rows(),
        "mutual_information_nats": shared.mutual_information.tolist(),
        "normalised_mutual_information": shared.normalised.tolist(),
        "clusters_in_use": np.asarray(usage.n_used).tolist(),
        "effective_clusters": np.asarray(usage.effective).tolist(),
    }
    workdir.write_results(results)
    np.save(workdir.assignments, found.assignments.astype(np.int32))
    alpha = np.asarray(scored.coefficients.alpha)
    paths = _draw(run, state, workdir, found, alpha)
    plan = explorer.plan(found.resp, test.images.shape[1:])
    page = html.RunReport(
        dataset=run.dataset.spec.name,
        labelings=tuple(x.name for x in run.dataset.spec.labelings),
        n_steps=run.stepper.schedule.n_steps,
        results=results,
        config=settings_lib.to_config(run.settings),
        environment=_environment(workdir),
        stages=_stages(run),
        pictures={name: path.read_bytes() for name, path in paths.items()},
        plan=plan,
        tiles=_tiles(run, state, alpha, plan),
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
    lines += ["figures:", *(f"  {path}" for path in paths.values())]
    lines += ["report:", f"  {workdir.report}"]
    return "\n".join(lines)


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


def _draw(
    run: Run,
    state: TrainState,
    workdir: Workdir,
    found: Predictions,
    alpha: np.ndarray,
) -> dict[str, pathlib.Path]:
    """Draws every figure and returns the paths by name."""
    settings, stepper = run.settings, run.stepper
    test, labelings = run.dataset.test, run.dataset.spec.labelings
    n_facets = len(settings.facets)
    workdir.figures.mkdir(exist_ok=True)
    images = np.asarray(batches.as_float(test.images))
    names = (
        "clusters",
        "samples",
        "reconstructions",
        "confusion",
        "learning_curves",
    )
    path = {name: workdir.figures / f"{name}.png" for name in names}

    figures.cluster_examples(
        images, found.resp, path["clusters"], n_columns=_N_COLUMNS
    )
    key = run_key(settings.seed, KeyUse.SAMPLES)
    samples = [
        np.asarray(
            generation.sample_clusters(
                stepper.model,
                stepper.likelihood,
                state.variables,
                alpha,
                jax.random.fold_in(key, facet),
                facet=facet,
                n_samples=_N_COLUMNS,
                temperature=settings.figures.temperature,
            )
        )
        for facet in range(n_facets)
    ]
    figures.cluster_samples(
        samples,
        path["samples"],
        orders=[
            figures.order_clusters(resp).components.tolist()
            for resp in found.resp
        ],
    )
    shown = images[:_N_RECONSTRUCTIONS]
    figures.reconstruction_pairs(
        shown,
        np.asarray(
            generation.reconstruct(
                stepper.model,
                stepper.likelihood,
                state.variables,
                alpha,
                shown,
            )
        ),
        path["reconstructions"],
    )
    if labelings:
        figures.confusion_matrices(
            [
                [
                    contingency_table(
                        found.assignments[:, j],
                        test.labels[:, m],
                        settings.facets.n_components[j],
                        labeling.n_classes,
                    )
                    for m, labeling in enumerate(labelings)
                ]
                for j in range(n_facets)
            ],
            path["confusion"],
            labelings=[labeling.name for labeling in labelings],
        )
    else:  # images without labels
        path.pop("confusion")
    records = [r for r in workdir.records() if r["split"] != "speed"]
    if not records:  # weights that were imported, not trained here
        path.pop("learning_curves")
        return path
    figures.learning_curves(
        records, path["learning_curves"], stages=_stages(run)
    )
    return path


def _stages(run: Run) -> list[html.Stage]:
    """The stages of training, in epochs."""
    schedule = run.stepper.schedule
    return [
        html.Stage(
            start / run.steps_per_epoch,
            facet,
            (start + (schedule.fade_in_steps if stage else 0))
            / run.steps_per_epoch,
        )
        for stage, start in enumerate(schedule.stage_starts)
        for facet in schedule.entering(stage)
    ]


def _environment(workdir: Workdir) -> Mapping[str, Any]:
    """What environment.json says; nothing if there is none."""
    if not workdir.environment.exists():
        return {}
    return json.loads(workdir.environment.read_text())


def _tiles(
    run: Run, state: TrainState, alpha: chex.Array, plan: explorer.Plan
) -> explorer.Tiles:
    """Generates and gathers the pictures of the explorer."""
    settings, stepper, test = run.settings, run.stepper, run.dataset.test
    key = run_key(settings.seed, KeyUse.SAMPLES)
    # The folds below are those of the figures.
    key = jax.random.fold_in(key, len(settings.facets))

    def generate(combinations, n_samples, temperature):
        return generation.sample_combinations(
            stepper.model,
            stepper.likelihood,
            state.variables,
            alpha,
            key,
            combinations,
            n_samples=n_samples,
            temperature=temperature,
            batch_size=max(settings.evaluate.batch_size // n_samples, 1),
        )

    return explorer.Tiles(
        means=generate(plan.combinations, 1, 0.0)[:, 0],
        samples=generate(
            plan.combinations[: plan.n_occurring],
            plan.n_samples,
            settings.figures.temperature,
        ),
        examples=np.asarray(test.images[plan.examples]),
        labels=np.asarray(test.labels[plan.examples]),
    )
