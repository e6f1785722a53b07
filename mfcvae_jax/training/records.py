# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run in numbers and words: what is recorded, logged and shown of it."""

from collections.abc import Sequence

import jax
import numpy as np
from absl import logging

from mfcvae_jax import progressive
from mfcvae_jax.training import runs, steps
from mfcvae_jax.training.state import TrainState

__all__ = [
    "breakage",
    "divergence",
    "line",
    "log_events",
    "mean_metrics",
    "mean_values",
    "score_values",
]


def mean_metrics(
    metrics: steps.Metrics, schedule: progressive.Schedule, step: int
) -> dict[str, float]:
    """Means over the steps of a dispatch after ``step``, by name.

    While a facet warms up, z is no sample of q(z|x): there are no bounds then,
    and no KL of that facet, but NaN.
    """
    phases = progressive.phases(schedule, step)
    is_warming = phases == progressive.Phase.WARMING_UP
    names = ("loss", "mixture_bound", "mean_field_bound", "log_p_x_z")
    values = {name: getattr(metrics, name).mean() for name in names}
    if np.isnan(values["mean_field_bound"]):
        del values["mean_field_bound"]  # a prior does not have it
    if is_warming.any():
        bounds = {"mixture_bound", "mean_field_bound"}
        values |= dict.fromkeys(bounds & values.keys(), np.nan)
    for name in ("kl_z", "kl_c"):
        for j, value in enumerate(getattr(metrics, name).mean(axis=0)):
            values[f"{name}/{j}"] = np.nan if is_warming[j] else value
    if schedule.price:
        values["redundancy_price"] = schedule.price
        for j, value in enumerate(metrics.shared_variance.mean(axis=0)):
            values[f"shared_variance/{j}"] = value
    return {name: float(value) for name, value in values.items()}


def score_values(scored: runs.Scored) -> dict[str, float]:
    """The numbers of a score, by name."""
    values = dict(scored.terms)
    for row in scored.scores:
        where = f"{row['facet']}/{row['labeling']}"
        for name in ("many_to_one", "one_to_one", "nmi"):
            values[f"{name}/{where}"] = row[name]
        values[f"clusters/{row['facet']}"] = row["n_used"]
    return values


def mean_values(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over the seeds, by name."""
    return {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}


def divergence(metrics: steps.Metrics, step: int) -> FloatingPointError:
    """Says at which step after ``step`` the loss broke, and by which term."""
    i = np.flatnonzero(~np.isfinite(metrics.loss))[0]
    terms = [("log_p_x_z", metrics.log_p_x_z[i])]
    for name in ("kl_z", "kl_c"):
        for j, value in enumerate(getattr(metrics, name)[i]):
            terms.append((f"{name} of facet {j}", value))
    # A finite sum of terms can still overflow in the loss itself.
    culprits = [f"{n} = {v}" for n, v in terms if not np.isfinite(v)] or [
        f"loss = {metrics.loss[i]}"
    ]
    return FloatingPointError(
        f"the loss is not finite at step {step + int(i)}: "
        f"{', '.join(culprits)}. The state of step {step} is saved; in "
        "another --workdir, a lower train.learning_rate or a larger "
        "prior_init.variance may help"
    )


def breakage(state: TrainState, step: int) -> FloatingPointError | None:
    """Says which parameter is not finite after ``step``, if any is."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state.params):
        if not np.all(np.isfinite(leaf)):
            return FloatingPointError(
                f"parameters are not finite at step {step}: "
                f"{jax.tree_util.keystr(path)}. In another --workdir, a lower "
                "train.learning_rate may help"
            )
    return None


def line(
    schedule: progressive.Schedule, step: int, values: dict[str, float]
) -> str:
    """The bounds, their terms and the stage, for the progress bar or a log."""
    phases = progressive.phases(schedule, step)
    found = [
        ("M", values["mixture_bound"]),
        ("F", values.get("mean_field_bound", np.nan)),
        ("log p(x|z)", values["log_p_x_z"]),
    ]
    for j, phase in enumerate(phases):
        if phase != progressive.Phase.WAITING:
            kl = values[f"kl_z/{j}"] + values[f"kl_c/{j}"]
            found.append((f"KL{j}", kl))
    terms = [f"{n} {value:.1f}" for n, value in found if np.isfinite(value)]
    terms += [
        f"{name.removeprefix('many_to_one/')} {100 * value:.1f} %"
        for name, value in values.items()
        if name.startswith("many_to_one/")
    ]
    return f"stage {schedule.stage_at(step)} | " + ", ".join(terms)


def log_events(schedule: progressive.Schedule, after: int, upto: int) -> None:
    """Logs what happened to facets after a step, up to another."""
    for event in progressive.events(schedule, after, upto):
        facets = ", ".join(map(str, event.facets))
        logging.info(
            "step %d: facet %s is %s", event.step, facets, event.phase.label
        )
    if after < schedule.n_steps <= upto:
        logging.info("step %d: finished", schedule.n_steps)
