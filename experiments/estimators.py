# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains with several estimators of the bound, and compares the results.

    python experiments/estimators.py --config=experiments/configs/digits.py \
        --workdir=runs/estimators --n_seeds=5

Each estimator and seed has a run of its own in --workdir; the same command
goes on where it was stopped. Prints the tables of docs/estimators.md.
"""

import dataclasses
import pathlib
import statistics
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags, logging
from ml_collections import config_flags

from mfcvae_jax import progressive, workdir
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.datasets import batches
from mfcvae_jax.evaluation import redundancy
from mfcvae_jax.training import loop
from mfcvae_jax.training.state import TrainState, draw_noise
from mfcvae_jax.variational import elbo

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string="File with the settings.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of all runs.", required=True
)
_N_SEEDS = flags.DEFINE_integer("n_seeds", 5, "Runs per estimator.", 2)

# Estimator and L of the runs.
_ARMS = (("five_terms", 1), ("five_terms", 8), ("closed_form", 1))
_N_DRAWS = 64  # of the noise, to measure that of the gradient


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        base = settings_lib.from_config(_CONFIG.value.to_dict())
        finished = {
            arm: [_train(base, *arm, seed) for seed in range(_N_SEEDS.value)]
            for arm in _ARMS
        }
    except loop.Stopped as stopped:
        print(f"{stopped}: give the same command", file=sys.stderr)
        return 128 + stopped.signum
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        logging.debug("where it came from", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"M, F and log p(x) ({base.evaluate.importance_samples} importance "
        "samples) in nats per held-out example"
    )
    _print_scores(finished)
    _print_gradient_noise(finished[_ARMS[0]])
    return 0


def _train(
    base: settings_lib.Settings, estimator: str, n_samples: int, seed: int
) -> tuple[loop.Run, TrainState]:
    """Trains one run, or what is left of it."""
    run = loop.make_run(
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
    return run, loop.train(run, folder, resume=folder.config.exists())


def _print_scores(
    finished: dict[tuple[str, int], list[tuple[loop.Run, TrainState]]],
) -> None:
    """One row per estimator, means and standard deviations over the seeds."""
    rows = {}
    for arm, runs in finished.items():
        columns: dict[str, list[float]] = {}
        for run, state in runs:
            for name, value in _scores(run, state).items():
                columns.setdefault(name, []).append(value)
        rows[arm] = columns
    names = list(rows[_ARMS[0]])
    print(
        f"\nheld-out examples, mean (standard deviation), {len(runs)} seeds\n"
    )
    print("| estimator | L | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for (estimator, n_samples), columns in rows.items():
        cells = [
            f"{statistics.mean(columns[name]):.2f} "
            f"({statistics.stdev(columns[name]):.2f})"
            for name in names
        ]
        print(f"| `{estimator}` | {n_samples} | " + " | ".join(cells) + " |")


def _scores(run: loop.Run, state: TrainState) -> dict[str, float]:
    scored = loop.score(run, state)
    used = redundancy.cluster_usage(
        scored.predictions.assignments, run.settings.facets.n_components
    ).n_used
    scores = {
        "M": scored.terms["mixture_bound"],
        "F": scored.terms["mean_field_bound"],
        "log p(x)": float(np.mean(loop.log_marginal(run, state).log_p_x)),
    }
    for row in scored.matrix.rows():
        where = f"facet {row['facet']}, {row['labeling']}"
        scores[f"{where}, many-to-one %"] = 100 * row["many_to_one"]
        scores[f"{where}, one-to-one %"] = 100 * row["one_to_one"]
    for j, n_used in enumerate(used):
        scores[f"clusters in facet {j}"] = float(n_used)
    scores["gradient noise"] = _gradient_noise(
        run, state, run.settings.train.estimator, run.settings.train.n_samples
    )["all"]
    return scores


def _print_gradient_noise(runs: list[tuple[loop.Run, TrainState]]) -> None:
    """Noise of every estimator's gradient at the same states."""
    arms = [(name, n) for name in elbo.ESTIMATORS for n in (1, 8)]
    print(
        "\ngradient noise of each estimator where the runs of "
        f"`{_ARMS[0][0]}`, L = {_ARMS[0][1]}, ended: mean over {len(runs)} "
        "seeds\n"
    )
    print("| estimator | L | all parameters | those of the priors |")
    print("|---|---|---|---|")
    for name, n_samples in arms:
        noise = [_gradient_noise(*run, name, n_samples) for run in runs]
        cells = [
            f"{statistics.mean(found[part] for found in noise):.3g}"
            for part in ("all", "priors")
        ]
        print(f"| `{name}` | {n_samples} | " + " | ".join(cells) + " |")


def _gradient_noise(
    run: loop.Run, state: TrainState, estimator: str, n_samples: int
) -> dict[str, float]:
    """Spread of the gradient over draws of the noise, on one training batch.

    The root of the mean squared distance from the mean gradient, over the norm
    of the mean gradient: of all parameters, and of the priors' alone.
    """
    stepper = run.stepper._replace(
        estimate=elbo.ESTIMATORS[estimator].terms, n_samples=n_samples
    )
    batch = run.dataset.train.images[: run.settings.train.batch_size]
    x = batches.as_float(jnp.asarray(batch))
    coefficients = progressive.coefficients(stepper.schedule, state.progressive)

    @jax.jit
    def gradient(key):
        noise = draw_noise(
            key, stepper.model.facets.latent_dim, n_samples, len(x)
        )
        found, _ = jax.grad(stepper.loss, has_aux=True)(
            state.params, state.batch_stats, x, noise, coefficients
        )
        return found

    keys = jax.random.split(jax.random.key(0), _N_DRAWS)
    draws = [gradient(key) for key in keys]
    return {
        "all": _relative_spread(draws, lambda path: True),
        "priors": _relative_spread(
            draws, lambda path: path.startswith("priors_")
        ),
    }


def _relative_spread(draws: list[Any], is_kept: Callable[[str], bool]) -> float:
    rows = np.stack(
        [
            np.concatenate(
                [
                    np.ravel(leaf)
                    for path, leaf in jax.tree_util.tree_leaves_with_path(draw)
                    if is_kept(path[0].key)
                ]
            ).astype(np.float64)
            for draw in draws
        ]
    )
    mean = rows.mean(axis=0)
    variance = np.sum(np.square(rows - mean)) / (len(rows) - 1)
    return float(np.sqrt(variance) / np.linalg.norm(mean))


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main)
