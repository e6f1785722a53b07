# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains with several estimators of the bound, and compares the results.

    python experiments/estimators.py --workdir=runs/estimators --n_seeds=5 \
        --config=experiments/configs/published/digits.py

Each estimator and seed has a run of its own in --workdir; the same command
goes on where it was stopped. Prints the tables of docs/estimators.md, and
writes their numbers to results.csv there, one a line.
"""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax import flatten_util
from ml_collections import config_flags

from mfcvae_jax import config as config_lib
from mfcvae_jax import progressive, workdir
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import batches
from mfcvae_jax.evaluation import redundancy
from mfcvae_jax.randomness import KeyUse, draw_noise, run_key
from mfcvae_jax.report import csv_rows, markdown
from mfcvae_jax.training import disk, loop, runs
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.training.steps import Stepper
from mfcvae_jax.variational import elbo

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string="File with the settings.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of all runs.", required=True
)
_N_SEEDS = flags.DEFINE_integer("n_seeds", 5, "Runs per estimator.", 2)

_N_DRAWS = 64  # of the noise, to measure that of the gradient
_COLUMNS = ("estimator", "n_samples", "seed", "measure", "value")
_Found = dict[tuple[str, int], list[dict[str, float]]]  # by arm and seed


def _mixture_bound(densities: elbo.Densities) -> elbo.FacetTerms:
    """M for every L, as docs/maths.md adds it."""
    terms = elbo.mixture_form(densities)
    return terms._replace(
        log_p_z_c=elbo.mixture_block(densities) + terms.log_q_z + terms.kl_c
    )


# Estimator and L of the runs.
_ARMS = (
    ("five_terms", 1),
    ("mixture_bound", 8),
    ("five_terms", 8),
    ("closed_form", 1),
)


def _compare() -> int:
    elbo.ESTIMATORS["mixture_bound"] = _mixture_bound
    base = config_lib.from_config(_CONFIG.value.to_dict())
    finished = {
        arm: [_train(base, *arm, seed) for seed in range(_N_SEEDS.value)]
        for arm in _ARMS
    }
    scores = {
        arm: [_scores(run, state) for run, state in seeds]
        for arm, seeds in finished.items()
    }
    noise = {
        (name, n_samples): [
            _noise(run, state, name, n_samples)
            for run, state in finished[_ARMS[0]]
        ]
        for name in elbo.ESTIMATORS
        for n_samples in (1, 8)
    }
    print(
        f"held-out examples, mean (standard deviation) of {_N_SEEDS.value} "
        f"seeds; log p(x) from {base.evaluate.importance_samples} importance "
        "samples\n"
    )
    _print_table(scores)
    print("\ngradient noise where the runs of the first row ended\n")
    _print_table(noise)
    path = pathlib.Path(_WORKDIR.value) / "results.csv"
    csv_rows.write(path, _COLUMNS, [*rows(scores), *rows(noise)])
    return 0


def _train(
    base: settings_lib.Settings, estimator: str, n_samples: int, seed: int
) -> tuple[runs.Run, TrainState]:
    """Trains one run, or what is left of it."""
    run = runs.make_run(
        dataclasses.replace(
            base,
            seed=seed,
            train=dataclasses.replace(
                base.train, estimator=estimator, n_samples=n_samples
            ),
        )
    )
    folder = workdir.Workdir(
        pathlib.Path(_WORKDIR.value) / f"{estimator}_{n_samples}_{seed}"
    )
    recorder = disk.InWorkdir(folder, resume=folder.config.exists())
    (state,), _ = loop.train(run, recorder)
    return run, cast(TrainState, state)


def _scores(run: runs.Run, state: TrainState) -> dict[str, float]:
    scored = runs.score(run, state)
    m, f = (scored.terms[f"{name}_bound"] for name in ("mixture", "mean_field"))
    estimate = scored.trained.log_marginal(
        run.dataset.test.images,
        run_key(run.settings.seed, KeyUse.IMPORTANCE),
        run.settings.evaluate.importance_samples,
    )
    scores = {
        "M": m,
        "F": f,
        "M - F": m - f,
        "log p(x)": float(np.mean(estimate.log_p_x)),
        "median ESS": float(np.median(estimate.effective_samples)),
    }
    for row in scored.scores:
        where = f"facet {row['facet']}, {row['labeling']}"
        scores[f"{where}, many-to-one %"] = 100 * row["many_to_one"]
        scores[f"{where}, one-to-one %"] = 100 * row["one_to_one"]
    found = redundancy.facet_redundancy(
        scored.predictions.assignments, run.settings.facets.n_components
    )
    for j, n_used in enumerate(found.n_used):
        scores[f"clusters in facet {j}"] = float(n_used)
    return scores


def _noise(
    run: runs.Run, state: TrainState, estimator: str, n_samples: int
) -> dict[str, float]:
    """Noise of an estimator's gradient on the first training batch."""
    batch = run.dataset.train.images[: run.settings.train.batch_size]
    return gradient_noise(
        dataclasses.replace(
            run.stepper,
            estimate=elbo.find_estimator(estimator),
            n_samples=n_samples,
        ),
        state,
        batches.as_float(jnp.asarray(batch)),
        jax.random.key(0),
        _N_DRAWS,
    )


def gradient_noise(
    stepper: Stepper,
    state: TrainState,
    x: chex.Array,
    key: chex.PRNGKey,
    n_draws: int,
) -> dict[str, float]:
    """Measures how much the gradient of a batch depends on the draws of z.

    Args:
        stepper: its estimator and number of samples are what is measured.
        state: where the gradients are taken.
        x: images in [0, 1], shape (B, H, W, C).
        key: PRNG key of the draws.
        n_draws: gradients that are compared, at least 2.

    Returns:
        Root mean squared distance of the gradients from their mean, in nats
        per unit of a parameter. The mean over the batch is what is descended,
        so it shrinks with the batch size.
    """
    coefficients = progressive.coefficients(stepper.schedule, state.step)

    @jax.jit
    def gradient(draw_key):
        noise = draw_noise(
            draw_key, stepper.model.facets.latent_dim, stepper.n_samples, len(x)
        )
        found, _ = jax.grad(stepper.loss, has_aux=True)(
            state.params, state.batch_stats, x, noise, coefficients
        )
        return found

    draws = [gradient(k) for k in jax.random.split(key, n_draws)]
    of_priors = [
        {name: draw[name] for name in draw if name.startswith("priors")}
        for draw in draws
    ]
    return {
        "all parameters": _spread(draws),
        "those of the priors": _spread(of_priors),
    }


def _spread(trees: list[Any]) -> float:
    rows = np.stack([flatten_util.ravel_pytree(tree)[0] for tree in trees])
    rows = rows.astype(np.float64)
    squares = np.sum(np.square(rows - rows.mean(axis=0)))
    return float(np.sqrt(squares / (len(rows) - 1)))


def rows(found: _Found) -> Iterator[dict[str, Any]]:
    """Returns the rows of results.csv: one number each."""
    for arm, seeds in found.items():
        for seed, values in enumerate(seeds):
            for measure, value in values.items():
                row = (*arm, seed, measure, value)
                yield dict(zip(_COLUMNS, row, strict=True))


def _print_table(rows: _Found) -> None:
    """One row per estimator and L, means and deviations over the seeds."""
    names = list(next(iter(rows.values()))[0])
    lines = []
    for (estimator, n_samples), seeds in rows.items():
        columns = [[scores[name] for scores in seeds] for name in names]
        cells = map(markdown.summary, columns)
        lines.append((f"`{estimator}`", n_samples, *cells))
    print(markdown.table(("estimator", "L", *names), lines))


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    running.script(_compare, ": give the same command", is_quiet=True)
