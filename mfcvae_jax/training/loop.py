# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: all effects of a run, around the pure steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from absl import logging

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax.datasets import batches, reader
from mfcvae_jax.datasets.spec import Dataset
from mfcvae_jax.evaluation import accuracy, marginal
from mfcvae_jax.evaluation.predictions import (
    Predictions,
    Predictor,
    make_predictor,
)
from mfcvae_jax.settings import Settings
from mfcvae_jax.training import (
    checkpoint,
    data_init,
    optimiser,
    prior_init,
    steps,
    writers,
)
from mfcvae_jax.training import state as state_lib
from mfcvae_jax.training.state import KeyUse, run_key
from mfcvae_jax.variational import elbo, importance
from mfcvae_jax.workdir import Workdir

__all__ = [
    "Run",
    "Scored",
    "Stopped",
    "adopt",
    "log_marginal",
    "make_run",
    "restore",
    "score",
    "train",
]


class Stopped(Exception):
    """A signal ended training early; the state was saved.

    Attributes:
        signum: the signal.
    """

    def __init__(self, signum: int, step: int):
        super().__init__(
            f"stopped by {signal.Signals(signum).name} at step {step}; the "
            "state is saved: continue with --resume"
        )
        self.signum = signum


class Run(NamedTuple):
    """What is constant over a run.

    Attributes:
        settings: of the run.
        dataset: in host memory.
        stepper: model, optimiser and schedule, with the pure steps.
        run_steps: several steps in one dispatch, see
            ``Stepper.compile_steps``.
        predict: compiled predictions for a split.
        steps_per_epoch: optimiser steps in an epoch.
    """

    settings: Settings
    dataset: Dataset
    stepper: steps.Stepper
    run_steps: Callable[..., tuple[state_lib.TrainState, steps.Metrics]]
    predict: Predictor
    steps_per_epoch: int


def make_run(settings: Settings) -> Run:
    """Reads the data and builds the model of a run.

    Args:
        settings: of the run.

    Returns:
        The run.

    Raises:
        ValueError: if the data do not fit the settings.
        FileNotFoundError: if the data set is missing.
    """
    data = settings.data
    dataset = reader.load(data.name, data.data_dir, data.path)
    steps_per_epoch = batches.n_batches(
        len(dataset.train.images), settings.train.batch_size
    )
    prior_init.check(settings, len(dataset.train.images))
    model = model_lib.make_model(settings, dataset.spec.image_shape)
    stepper = steps.Stepper(
        model=model,
        likelihood=settings.likelihood,
        optimiser=optimiser.make_optimiser(
            settings.train.learning_rate, settings.facets
        ),
        schedule=progressive.make_schedule(
            settings.progressive, steps_per_epoch
        ),
        estimate=elbo.find_estimator(settings.train.estimator).terms,
        n_samples=settings.train.n_samples,
    )
    predict = make_predictor(
        model,
        settings.likelihood,
        stepper.estimate,
        settings.evaluate.batch_size,
        run_key(settings.seed, KeyUse.EVALUATION),
    )
    return Run(
        settings,
        dataset,
        stepper,
        stepper.compile_steps(settings.train.batch_size),
        predict,
        steps_per_epoch,
    )


def train(
    run: Run, workdir: Workdir, *, resume: bool = False
) -> state_lib.TrainState:
    """Trains a run to its end, writing metrics and checkpoints.

    SIGINT and SIGTERM save the state and stop at the next return from the
    device; a second one stops at once.

    Args:
        run: what to train.
        workdir: where to write.
        resume: continue from the last checkpoint in ``workdir``, or from
            the start if the run had not come to one.

    Returns:
        The final state.

    Raises:
        Stopped: if a signal ended training early.
        FloatingPointError: if the loss is not finite; the last sound state is
            saved.
        ValueError: if ``workdir`` belongs to another run.
    """
    workdir.claim(run.settings, resume=resume)
    with checkpoint.Checkpointer(
        workdir.checkpoints, run.settings.checkpoint.keep
    ) as checkpointer:
        if checkpointer.latest_step() is None:
            state, after_step = _first_state(run), -1
        else:
            state = checkpointer.restore(_blank_state(run))
            after_step = int(state.step)
            logging.info("resumed at step %d", after_step)
        with (
            writers.MetricsWriter(workdir, after_step) as writer,
            _StopRequest() as stop,
        ):
            return _train(run, state, checkpointer, writer, stop)


def restore(run: Run, workdir: Workdir) -> state_lib.TrainState:
    """Restores the last checkpoint of a run.

    Args:
        run: whose state it is.
        workdir: its folder.

    Returns:
        The state.

    Raises:
        FileNotFoundError: if there is no checkpoint.
        RuntimeError: if it cannot be read.
    """
    with checkpoint.Checkpointer(workdir.checkpoints) as checkpointer:
        return checkpointer.restore(_blank_state(run))


class Scored(NamedTuple):
    """A state on the held-out split.

    Attributes:
        coefficients: in force.
        predictions: for each example.
        terms: the bounds and their terms, means in nats per example, by name.
        matrix: scores of facets against labelings.
    """

    coefficients: progressive.Coefficients
    predictions: Predictions
    terms: dict[str, float]
    matrix: accuracy.ScoreMatrix


def score(run: Run, state: state_lib.TrainState) -> Scored:
    """Scores a state on the held-out split, at the coefficients in force.

    Args:
        run: whose state it is.
        state: trained so far.

    Returns:
        Predictions and scores.
    """
    coefficients = progressive.coefficients(
        run.stepper.schedule, state.progressive
    )
    test = run.dataset.test
    found = run.predict(state.variables, test.images, coefficients)
    return Scored(
        coefficients,
        found,
        found.mean_terms(
            model_lib.facets_in_force(run.settings.net, coefficients.alpha)
        ),
        accuracy.score_matrix(
            found.assignments,
            test.labels,
            run.settings.facets.n_components,
            run.dataset.spec.labelings,
        ),
    )


def log_marginal(
    run: Run, state: state_lib.TrainState
) -> importance.LogMarginal:
    """Estimates log p(x) of the held-out split by importance sampling.

    Args:
        run: whose state it is; ``evaluate.importance_samples`` must not be 0.
        state: trained so far.

    Returns:
        The estimates for each example, at the coefficients in force.
    """
    settings = run.settings
    return marginal.log_marginal(
        run.stepper.model,
        run.stepper.likelihood,
        state.variables,
        run.dataset.test.images,
        progressive.coefficients(run.stepper.schedule, state.progressive).alpha,
        run_key(settings.seed, KeyUse.IMPORTANCE),
        n_samples=settings.evaluate.importance_samples,
        batch_size=settings.evaluate.batch_size,
    )


def adopt(run: Run, workdir: Workdir, variables: dict[str, Any]) -> None:
    """Saves given variables as a finished run, as if it had been trained.

    Args:
        run: whose variables they are.
        workdir: where to write.
        variables: collections ``params`` and ``batch_stats``.

    Raises:
        ValueError: if ``workdir`` holds something already.
    """
    workdir.claim(run.settings, resume=False)
    n_steps = run.stepper.schedule.n_steps
    state = state_lib.make_state(
        variables,
        run.stepper.optimiser,
        run_key(run.settings.seed, KeyUse.NOISE),
    )._replace(
        step=jnp.int32(n_steps),
        progressive=progressive.state_at(run.stepper.schedule, n_steps),
    )
    with checkpoint.Checkpointer(workdir.checkpoints) as checkpointer:
        checkpointer.save(state)


def _blank_state(run: Run) -> state_lib.TrainState:
    """The shapes and types of a state, without values."""

    def make(key):
        variables = state_lib.initial_variables(run.stepper.model, key)
        return state_lib.make_state(variables, run.stepper.optimiser, key)

    return jax.eval_shape(make, run_key(run.settings.seed, KeyUse.NOISE))


def _first_state(run: Run) -> state_lib.TrainState:
    """The state before the first step, with all starting values in place."""
    settings, model = run.settings, run.stepper.model
    images = run.dataset.train.images
    variables = state_lib.initial_variables(
        model, run_key(settings.seed, KeyUse.INIT)
    )
    if settings.train.data_dependent_init:
        x = batches.as_float(jnp.asarray(images[: settings.train.batch_size]))
        noise = state_lib.draw_noise(
            run_key(settings.seed, KeyUse.REDRAW_NOISE),
            settings.facets.latent_dim,
            1,
            x.shape[0],
        )
        variables = data_init.data_dependent_init(
            model,
            variables,
            x,
            noise,
            run_key(settings.seed, KeyUse.REDRAW),
        )

    def encode_means():
        logging.info("encoding %d images to fit the priors", len(images))
        full = progressive.full_coefficients(len(settings.facets))
        return run.predict(variables, images, full).latents

    params = prior_init.with_initial_means(
        settings.prior_init.means,
        variables["params"],
        encode_means,
        settings.seed,
    )
    return state_lib.make_state(
        {**variables, "params": params},
        run.stepper.optimiser,
        run_key(settings.seed, KeyUse.NOISE),
    )


def _train(
    run: Run,
    state: state_lib.TrainState,
    checkpointer: checkpoint.Checkpointer,
    writer: writers.MetricsWriter,
    stop: "_StopRequest",
) -> state_lib.TrainState:
    settings, schedule = run.settings, run.stepper.schedule
    images = jax.device_put(run.dataset.train.images)
    n_examples = len(images)
    order_key = run_key(settings.seed, KeyUse.ORDER)
    step = int(state.step)
    if not step:
        _log_events(schedule, -1, 0)
        _evaluate(run, state, writer)
    bar = tqdm.tqdm(
        total=schedule.n_steps,
        initial=step,
        unit="step",
        mininterval=1.0,
        disable=None,  # off where nobody watches a terminal
    )
    with bar:
        while step < schedule.n_steps:
            epoch = step // run.steps_per_epoch
            order = batches.epoch_permutation(order_key, epoch, n_examples)
            for first, n_steps in _dispatches(run, step):
                before = state
                state, metrics = run.run_steps(
                    state, images, order, first, n_steps=n_steps
                )
                metrics = jax.tree.map(np.asarray, metrics)
                _check_finite(metrics, step, before, checkpointer)
                values = _mean_metrics(metrics)
                writer.write(
                    step + n_steps,
                    (step + n_steps) / run.steps_per_epoch,
                    "train",
                    values,
                )
                _log_events(schedule, step, step + n_steps)
                step += n_steps
                bar.update(n_steps)
                bar.set_postfix_str(
                    _postfix(schedule, step, values), refresh=False
                )
                # At the end of an epoch its evaluation comes first.
                if stop.signum is not None and step % run.steps_per_epoch:
                    _save(state, checkpointer)
                    raise Stopped(stop.signum, step)
            epoch += 1
            is_last = step == schedule.n_steps
            if epoch % settings.evaluate.every_epochs == 0 or is_last:
                values = _evaluate(run, state, writer)
                if bar.disable:  # a log file, where no bar is shown
                    logging.info(
                        "epoch %d, test: %s",
                        epoch,
                        _postfix(schedule, step, values),
                    )
            is_due = epoch % settings.checkpoint.every_epochs == 0
            if is_due or is_last or stop.signum is not None:
                _save(state, checkpointer)
            if stop.signum is not None and not is_last:
                raise Stopped(stop.signum, step)
    return state


def _dispatches(run: Run, step: int) -> Iterator[tuple[int, int]]:
    """The rest of an epoch as (first batch, number of steps) of each scan.

    The cuts do not depend on where the epoch is taken up again, so that a
    resumed run compiles, and computes, the same scans.
    """
    n = run.steps_per_epoch
    n_dispatches = -(-n // run.settings.train.steps_per_dispatch)
    cuts = [n * i // n_dispatches for i in range(n_dispatches + 1)]
    for first, end in zip(cuts[:-1], cuts[1:], strict=True):
        if first >= step % n:
            yield first, end - first


def _mean_metrics(metrics: steps.Metrics) -> dict[str, float]:
    """Means over the steps of a dispatch, by name."""
    values = {
        "loss": metrics.loss.mean(),
        "mixture_bound": metrics.mixture_bound.mean(),
        "mean_field_bound": metrics.mean_field_bound.mean(),
        "log_p_x_z": metrics.log_p_x_z.mean(),
    }
    for name in ("kl_z", "kl_c"):
        for j, value in enumerate(getattr(metrics, name).mean(axis=0)):
            values[f"{name}/{j}"] = value
    return {name: float(value) for name, value in values.items()}


def _check_finite(
    metrics: steps.Metrics,
    step: int,
    before: state_lib.TrainState,
    checkpointer: checkpoint.Checkpointer,
) -> None:
    """Raises FloatingPointError at the first step whose loss is not finite."""
    broken = np.flatnonzero(~np.isfinite(metrics.loss))
    if not broken.size:
        return
    i = broken[0]
    terms = [("log_p_x_z", metrics.log_p_x_z[i])]
    for name in ("kl_z", "kl_c"):
        for j, value in enumerate(getattr(metrics, name)[i]):
            terms.append((f"{name} of facet {j}", value))
    # A finite sum of terms can still overflow in the loss itself.
    culprits = [f"{n} = {v}" for n, v in terms if not np.isfinite(v)] or [
        f"loss = {metrics.loss[i]}"
    ]
    _save(before, checkpointer)
    raise FloatingPointError(
        f"the loss is not finite at step {step + int(i)}: "
        f"{', '.join(culprits)}. The state of step {int(before.step)} is "
        "saved; in another --workdir, a lower train.learning_rate or a larger "
        "prior_init.variance may help"
    )


def _save(
    state: state_lib.TrainState, checkpointer: checkpoint.Checkpointer
) -> None:
    """Saves a state whose parameters are sound, and raises at any other.

    A gradient can break the parameters one step before the loss shows it.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(state.params):
        if not np.all(np.isfinite(leaf)):
            raise FloatingPointError(
                f"parameters are not finite at step {int(state.step)}: "
                f"{jax.tree_util.keystr(path)}. The last checkpoint is that of "
                f"step {checkpointer.latest_step()}; in another --workdir, a "
                "lower train.learning_rate may help"
            )
    checkpointer.save(state)


def _evaluate(
    run: Run, state: state_lib.TrainState, writer: writers.MetricsWriter
) -> dict[str, float]:
    """Scores the held-out split, writes the record and returns it."""
    scored = score(run, state)
    values = dict(scored.terms)
    for row in scored.matrix.rows():
        where = f"{row['facet']}/{row['labeling']}"
        for name in ("many_to_one", "one_to_one", "nmi"):
            values[f"{name}/{where}"] = row[name]
        values[f"clusters/{row['facet']}"] = row["n_used"]
    step = int(state.step)
    writer.write(step, step / run.steps_per_epoch, "test", values)
    return values


def _postfix(
    schedule: progressive.Schedule, step: int, values: dict[str, float]
) -> str:
    """The bounds, their terms and the stage, for the progress bar or a log."""
    phases = progressive.phases(schedule, step)
    terms = [
        f"M {values['mixture_bound']:.1f}",
        f"F {values['mean_field_bound']:.1f}",
        f"log p(x|z) {values['log_p_x_z']:.1f}",
    ]
    for j, phase in enumerate(phases):
        if phase is not progressive.Phase.WAITING:
            kl = values[f"kl_z/{j}"] + values[f"kl_c/{j}"]
            terms.append(f"KL{j} {kl:.1f}")
    terms += [
        f"{name.removeprefix('many_to_one/')} {100 * value:.1f} %"
        for name, value in values.items()
        if name.startswith("many_to_one/")
    ]
    return f"stage {schedule.stage_at(step)} | " + ", ".join(terms)


def _log_events(schedule: progressive.Schedule, after: int, upto: int) -> None:
    for event in progressive.events(schedule, after, upto):
        logging.info(
            "step %d: %s (stage %d, facet %d)",
            event.step,
            event.transition.value,
            event.stage,
            event.facet,
        )


class _StopRequest:
    """Notes SIGINT and SIGTERM instead of dying of them, once.

    Attributes:
        signum: the signal that came; None so far.
    """

    def __init__(self):
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "_StopRequest":
        # Python allows handlers in the main thread only; elsewhere, a caller
        # such as a notebook server handles signals itself.
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(self, *exception) -> None:
        self._restore()

    def _note(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self.signum = signum
        logging.info(
            "%s: saving the state and stopping; again to stop at once",
            signal.Signals(signum).name,
        )
        self._restore()

    def _restore(self) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
