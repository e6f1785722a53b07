# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: all effects of a run, around the pure steps."""

import contextlib
import pathlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from absl import logging

from mfcvae_jax import progressive
from mfcvae_jax.datasets import batches
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.training import compilation, feeding, processes, runs, steps
from mfcvae_jax.training import state as state_lib
from mfcvae_jax.training.checkpoint import Checkpointer
from mfcvae_jax.training.clock import Clock
from mfcvae_jax.training.devices import Program
from mfcvae_jax.training.member import Member, saved_states
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.training.stopping import Stopped, StopRequest
from mfcvae_jax.workdir import Workdir

__all__ = ["adopt", "restore", "train"]


def train(
    run: Run,
    workdir: Workdir,
    *,
    resume: bool = False,
    compilation_cache: pathlib.Path | None = None,
    progress_bar: bool | None = None,
) -> tuple[TrainState | None, ...]:
    """Trains a run to its end, writing metrics and checkpoints.

    SIGINT and SIGTERM save the state and stop at the next return from the
    device; a second one stops at once. Of several seeds, one whose loss is not
    finite is given up, and the others go on.

    Args:
        run: what to train.
        workdir: where to write; with several processes, process 0 alone does.
        resume: continue from the last checkpoint in ``workdir``, or from
            the start if the run had not come to one.
        compilation_cache: folder for compiled programs, see ``compilation``.
        progress_bar: whether to draw one; None for where a terminal shows it.

    Returns:
        The final state of each seed; None for one that was given up.

    Raises:
        Stopped: if a signal ended training early.
        FloatingPointError: if no seed has a finite loss any more; the last
            sound states are saved.
        ValueError: if ``workdir`` belongs to another run.
        NotSavedError: if a checkpoint could not be written.
        NotWrittenError: if another file could not be.
        RuntimeError: if another process trains in ``workdir``.
        LostError: if a process of this run has ended.
    """
    with contextlib.ExitStack() as stack:
        members = []
        if processes.is_main():
            stack.enter_context(workdir.claim(run.settings, resume=resume))
            members = [
                stack.enter_context(Member(seed, folder))
                for seed, folder in zip(
                    runs.of_each_seed(run),
                    workdir.of_each_seed(run.settings),
                    strict=True,
                )
            ]
        stack.enter_context(compilation.cache_in(compilation_cache))
        stop = stack.enter_context(StopRequest())
        stack.enter_context(processes.explained())
        training = _Training(run, members, stop)
        training.run_to_the_end(progress_bar)
        return training.final_states()


def restore(
    run: Run, workdir: Workdir, *, is_best: bool = False
) -> tuple[TrainState | None, ...]:
    """Restores checkpoints of a run.

    Args:
        run: whose states they are.
        workdir: its folder.
        is_best: whether to take those with the best held-out bound instead of
            the last.

    Returns:
        The state of each seed; None for one that was given up.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        DamagedError: if it cannot be read.
        ValueError: if it is that of another model.
    """
    seeds = runs.of_each_seed(run)
    folders = workdir.of_each_seed(run.settings)
    return tuple(
        None if folder.diverged.exists() else _restore(seed, folder, is_best)
        for seed, folder in zip(seeds, folders, strict=True)
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
    n_steps = run.stepper.schedule.n_steps
    state = state_lib.make_state(
        variables,
        run.stepper.optimiser,
        run_key(run.settings.seed, KeyUse.NOISE),
    )._replace(step=jnp.int32(n_steps))
    with (
        workdir.claim(run.settings, resume=False),
        Checkpointer(
            workdir.checkpoints, run.settings, is_writer=True
        ) as checkpointer,
    ):
        checkpointer.save(state)


def _restore(seed: Run, folder: Workdir, is_best: bool) -> TrainState:
    template = runs.blank_state(seed)
    with Checkpointer(folder.checkpoints, seed.settings) as checkpointer:
        if not is_best:
            return checkpointer.restore_latest(template)
        step = checkpointer.best_step()
        if step is None:
            raise FileNotFoundError(
                f"no checkpoint in {folder.checkpoints} was saved with its "
                "held-out bound after the last facet had come in"
            )
        return checkpointer.restore(template, step)


class _Training:
    """The seeds of a run that are being trained, and where they stand.

    Every process has one and takes the same decisions; only process 0 has
    members, which write.
    """

    def __init__(self, run: Run, members: list[Member], stop: StopRequest):
        self._run = run
        self._stop = stop
        every = runs.of_each_seed(run)
        is_given_up = np.zeros(len(every), bool)
        if members:
            is_given_up[:] = [m.workdir.diverged.exists() for m in members]
        is_given_up = processes.broadcast(is_given_up)
        self._indices = [i for i in range(len(every)) if not is_given_up[i]]
        if not self._indices:
            raise FloatingPointError(
                "every seed of this run has diverged: see diverged.txt of each"
            )
        self._seeds = [every[i] for i in self._indices]
        self._members = [members[i] for i in self._indices] if members else []
        self._alive = list(range(len(self._seeds)))
        self._program = Program(
            run.stepper, run.settings.train.batch_size, len(self._seeds)
        )
        states = _starting_states(self._seeds, self._members)
        self._step = int(states[0].step)
        self._state = self._program.place(states)
        self._clock = Clock()
        for member in self._members:
            member.start_records(self._step or -1)
        if self._step:
            logging.info("resumed at step %d", self._step)
        else:
            _log_events(run.stepper.schedule, -1, 0)
            self._evaluate(states)

    def run_to_the_end(self, progress_bar: bool | None) -> None:
        """Takes the steps that are left."""
        run, schedule = self._run, self._run.stepper.schedule
        fed = feeding.feed(
            self._program,
            run.dataset.train.images,
            _permutations(self._seeds),
            _dispatches(run, self._step),
            1e9 * run.settings.data.on_device_gb,
        )
        bar = tqdm.tqdm(
            total=schedule.n_steps,
            initial=self._step,
            unit="step",
            mininterval=1.0,
            # tqdm's None: off where nobody watches a terminal.
            disable=_negated(progress_bar) if processes.is_main() else True,
        )
        with bar, contextlib.closing(fed):
            for part in fed:
                n_steps = part.dispatch.n_steps
                values = self._take_steps(part)
                bar.update(n_steps)
                bar.set_postfix_str(
                    _postfix(schedule, self._step, values), refresh=False
                )
                is_stopped = processes.any_of(self._stop.signum is not None)
                if self._step % run.steps_per_epoch == 0:
                    self._end_epoch(is_stopped, is_logged=bar.disable)
                elif is_stopped:
                    self._save(self._program.members(self._state), {})
                if is_stopped and self._step < schedule.n_steps:
                    raise Stopped(
                        self._stop.signum or signal.SIGTERM, self._step
                    )

    def final_states(self) -> tuple[TrainState | None, ...]:
        """Returns a state for every seed of the run, or None."""
        found: list[TrainState | None] = [None] * self._run.settings.n_seeds
        states = self._program.members(self._state)
        for i in self._alive:
            found[self._indices[i]] = states[i]
        return tuple(found)

    def _take_steps(self, part: feeding.Fed) -> dict[str, float]:
        """Takes the steps of a dispatch and records them.

        Returns:
            Their metrics, averaged over steps and seeds.
        """
        n_steps = part.dispatch.n_steps
        before = self._state
        with self._clock.steps(n_steps):
            self._state, metrics = self._program.run(
                before, part.images, part.order, part.first, n_steps
            )
        of_seeds = [
            jax.tree.map(lambda leaf, i=i: leaf[i], metrics)
            for i in range(len(self._seeds))
        ]
        for i in list(self._alive):
            if not np.all(np.isfinite(of_seeds[i].loss)):
                sound = self._program.members(before)
                if self._members:
                    self._members[i].save(sound[i])
                self._give_up(i, _divergence(of_seeds[i], self._step))
        after = self._step + n_steps
        values = [_mean_metrics(of_seed) for of_seed in of_seeds]
        for i, member in self._writing():
            member.record(after, "train", values[i])
        _log_events(self._run.stepper.schedule, self._step, after)
        self._step = after
        return _mean_values([values[i] for i in self._alive])

    def _end_epoch(self, is_stopped: bool, is_logged: bool) -> None:
        """Scores, records and saves, as far as that is due."""
        settings, schedule = self._run.settings, self._run.stepper.schedule
        epoch = self._step // self._run.steps_per_epoch
        is_last = self._step == schedule.n_steps
        is_save_due = (
            epoch % settings.checkpoint.every_epochs == 0
            or is_last
            or is_stopped
        )
        # What is saved is scored, so that the best can be told from the rest.
        if not is_save_due and epoch % settings.evaluate.every_epochs:
            return
        states = self._program.members(self._state)
        values = self._evaluate(states)
        speed = self._clock.read(settings.train.batch_size, len(self._seeds))
        for _, member in self._writing():
            member.record(self._step, "speed", speed)
        if values and is_logged:
            means = _mean_values(list(values.values()))
            logging.info(
                "epoch %d, test: %s; %s",
                epoch,
                _postfix(schedule, self._step, means),
                ", ".join(f"{name} {v:.4g}" for name, v in speed.items()),
            )
        if is_save_due:
            bounds = {i: v["mixture_bound"] for i, v in values.items()}
            self._save(states, bounds)

    def _evaluate(
        self, states: Sequence[TrainState]
    ) -> dict[int, dict[str, float]]:
        """Scores the seeds, in the process that writes, and returns records."""
        return {i: m.evaluate(states[i]) for i, m in self._writing()}

    def _save(
        self, states: Sequence[TrainState], bounds: dict[int, float]
    ) -> None:
        """Saves the seeds whose parameters are sound, and gives up others.

        A gradient can break the parameters one step before the loss shows it.
        """
        for i in list(self._alive):
            broken = _broken_parameter(states[i])
            if broken:
                self._give_up(
                    i,
                    FloatingPointError(
                        f"parameters are not finite at step {self._step}: "
                        f"{broken}. In another --workdir, a lower "
                        "train.learning_rate may help"
                    ),
                )
        for i, member in self._writing():
            member.save(states[i], bounds.get(i))

    def _give_up(self, i: int, error: FloatingPointError) -> None:
        """Goes on without a seed; raises the error if it was the last."""
        self._alive.remove(i)
        if self._members and self._run.settings.n_seeds > 1:
            self._members[i].give_up(error)
        if not self._alive:
            raise error

    def _writing(self) -> Iterator[tuple[int, Member]]:
        """The seeds that are alive, with their members, where they write."""
        for i in self._alive if self._members else ():
            yield i, self._members[i]


def _negated(choice: bool | None) -> bool | None:
    return None if choice is None else not choice


def _starting_states(
    seeds: Sequence[Run], members: Sequence[Member]
) -> list[TrainState]:
    """The saved states, or those of a new run; the same in all processes."""
    if members:
        found = saved_states(members) or [runs.first_state(s) for s in seeds]
    else:
        found = [
            jax.tree.map(
                lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
                jax.eval_shape(state_lib.with_key_data, runs.blank_state(seed)),
            )
            for seed in seeds
        ]
        found = [state_lib.with_typed_key(state) for state in found]
    if jax.process_count() == 1:
        return found
    plain = [jax.device_get(state_lib.with_key_data(s)) for s in found]
    return [state_lib.with_typed_key(s) for s in processes.broadcast(plain)]


def _permutations(seeds: Sequence[Run]) -> Callable[[int], np.ndarray]:
    """The order of every seed in an epoch, shape (S, N)."""
    n_examples = len(seeds[0].dataset.train.images)
    keys = [run_key(seed.settings.seed, KeyUse.ORDER) for seed in seeds]

    def of_epoch(epoch):
        return np.stack(
            [batches.epoch_permutation(key, epoch, n_examples) for key in keys]
        )

    return of_epoch


def _dispatches(run: Run, step: int) -> Iterator[feeding.Dispatch]:
    """The rest of a run, from a step on, as it is cut into dispatches.

    The cuts do not depend on where an epoch is taken up again, so that a
    resumed run compiles, and computes, the same scans.
    """
    n = run.steps_per_epoch
    n_dispatches = -(-n // run.settings.train.steps_per_dispatch)
    cuts = [n * i // n_dispatches for i in range(n_dispatches + 1)]
    for epoch in range(step // n, run.stepper.schedule.n_steps // n):
        for first, end in zip(cuts[:-1], cuts[1:], strict=True):
            if epoch * n + first >= step:
                yield feeding.Dispatch(epoch, first, end - first)


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


def _mean_values(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over the seeds, by name."""
    return {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}


def _divergence(metrics: steps.Metrics, step: int) -> FloatingPointError:
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


def _broken_parameter(state: TrainState) -> str | None:
    """Names a parameter that is not finite."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state.params):
        if not np.all(np.isfinite(leaf)):
            return jax.tree_util.keystr(path)
    return None


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
        if phase != progressive.Phase.WAITING:
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
        facets = ", ".join(map(str, event.facets))
        logging.info(
            "step %d: facet %s is %s", event.step, facets, event.phase.label
        )
    if after < schedule.n_steps <= upto:
        logging.info("step %d: finished", schedule.n_steps)
