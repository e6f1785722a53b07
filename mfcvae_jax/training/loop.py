# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: all effects of a run, around the pure steps."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from absl import logging

from mfcvae_jax import progressive
from mfcvae_jax.datasets import batches
from mfcvae_jax.training import checkpoint, runs, steps, writers
from mfcvae_jax.training import state as state_lib
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import KeyUse, run_key
from mfcvae_jax.training.stopping import Stopped, StopRequest
from mfcvae_jax.workdir import Workdir

__all__ = ["adopt", "restore", "train"]


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
            state, after_step = runs.first_state(run), -1
        else:
            state = checkpointer.restore(runs.blank_state(run))
            after_step = int(state.step)
            logging.info("resumed at step %d", after_step)
        with (
            writers.MetricsWriter(workdir, after_step) as writer,
            StopRequest() as stop,
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
        return checkpointer.restore(runs.blank_state(run))


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


def _train(
    run: Run,
    state: state_lib.TrainState,
    checkpointer: checkpoint.Checkpointer,
    writer: writers.MetricsWriter,
    stop: StopRequest,
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
    scored = runs.score(run, state)
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
