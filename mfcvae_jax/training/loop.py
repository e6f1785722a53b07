# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop around the pure steps.

What is kept of a run, and where, is the recorder's business.
"""

import contextlib
import functools
import signal
from collections.abc import Generator
from typing import NamedTuple

import numpy as np
from absl import logging
from jax.experimental import multihost_utils

from mfcvae_jax import forking, progressive, storage
from mfcvae_jax.training import (
    compilation,
    feeding,
    prior_fit,
    processes,
    records,
    restarts,
    runs,
)
from mfcvae_jax.training import state as state_lib
from mfcvae_jax.training.devices import Program
from mfcvae_jax.training.progress import Clock, Progress
from mfcvae_jax.training.recording import Recorder
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.training.stopping import Stopped, StopRequest

__all__ = ["Outcome", "train"]


class Outcome(NamedTuple):
    """What a run comes to.

    Attributes:
        states: the final state of each seed; None for one that was given up.
        scored: what each state was found to be worth on the held-out split;
            None where that was not asked, as in a process that does not write,
            or if the run had been at its end before.
    """

    states: tuple[TrainState | None, ...]
    scored: tuple[runs.Scored | None, ...]


def train(
    run: Run,
    recorder: Recorder,
    *,
    compilation_cache: storage.Path | None = None,
    progress_bar: bool | None = None,
) -> Outcome:
    """Trains a run to its end; returns its states and their scores.

    SIGINT and SIGTERM save the state and stop at the next return from the
    device; a second one stops at once. Of several seeds, one whose loss is not
    finite is given up, and the others go on. Of several starts, those with the
    worse held-out bounds are given up one after the other, and one is kept.

    Args:
        run: what to train.
        recorder: where it starts, and what becomes of states and records; with
            several processes, that of process 0 alone counts.
        compilation_cache: folder for compiled programs, see ``compilation``.
        progress_bar: see ``Progress``.

    Raises:
        Stopped: if a signal ended training early.
        FloatingPointError: if no seed has a finite loss any more; the last
            sound states are saved.
        LostError: if another process of this run has ended.
        Exception: what the recorder raises.
    """
    forking.check()
    if not processes.is_main():
        recorder = Recorder()
    with (
        recorder.recording(run),
        compilation.cache_in(compilation_cache),
        StopRequest() as stop,
        processes.explained(),
    ):
        training = _Training(run, recorder, stop)
        training.start()
        training.run_to_the_end(progress_bar)
        return training.outcome()


class _Training:
    """The seeds of a run that are being trained, and where they stand.

    Every process has one and takes the same decisions. Seeds go by their number
    in the run, from 0. One that diverged stays in the program that trains it,
    but is no longer alive.
    """

    def __init__(self, run: Run, recorder: Recorder, stop: StopRequest):
        self._run, self._recorder, self._stop = run, recorder, stop
        self._seeds = runs.of_each_seed(run)
        self._schedule = run.stepper.schedule
        self._choices = progressive.choices(
            run.settings.progressive, run.settings.n_init
        )
        self._scored: dict[int, runs.Scored] = {}
        is_left = np.ones(len(self._seeds), bool)
        is_left[recorder.given_up()] = False
        is_left = multihost_utils.broadcast_one_to_all(is_left)
        if not is_left.any():
            raise FloatingPointError(
                "every seed of this run was given up: see diverged.txt or "
                "not_kept.txt of each"
            )
        if self._choices:  # Can the start that is kept be trained alone?
            Program(run.stepper, run.settings.train.batch_size)
        self._make_program(np.flatnonzero(is_left).tolist())

    def _make_program(self, seeds: list[int]) -> None:
        self._trained, self._alive = seeds, list(seeds)
        self._clock = Clock()
        self._program = Program(
            self._run.stepper, self._run.settings.train.batch_size, len(seeds)
        )

    def _place(self, states: dict[int, TrainState]) -> None:
        self._state = self._program.place([states[i] for i in self._trained])

    def _members(self, state: TrainState) -> dict[int, TrainState]:
        found = self._program.members(state)
        return dict(zip(self._trained, found, strict=True))

    def start(self) -> None:
        """Puts the first states in place, or those to go on from."""
        states = self._starting_states()
        self._step = int(states[self._trained[0]].step)
        self._place(states)
        self._recorder.start(self._step)
        if not self._step:
            records.log_events(self._schedule, -1, 0)
            self._score(states)
            self._record_scores()
            return
        logging.info("resumed at step %d", self._step)
        if self._has_to_choose():
            # All was recorded and saved, but not every start noted that is not
            # kept. The choice is the same: it does not depend on those noted.
            self._score(states)
            self._drop(self._choose(), states)

    def run_to_the_end(self, progress_bar: bool | None) -> None:
        """Takes the steps that are left."""
        n_steps = self._schedule.n_steps
        is_shown = progress_bar if processes.is_main() else False
        progress = Progress(n_steps, self._step, is_shown)
        with progress, contextlib.closing(self._fed()) as fed:
            for part in fed:
                is_compiled = self._clock.knows(part.n_steps)
                values = self._take_steps(part)
                line = records.line(self._schedule, self._step, values)
                progress.take(part.n_steps, line, is_compiled=is_compiled)
                is_stopped = processes.any_of(self._stop.signum is not None)
                # A warm-up ends with an epoch.
                if self._step % self._run.steps_per_epoch == 0:
                    is_fitted = self._fit_priors()
                    self._end_epoch(
                        is_fitted or is_stopped, is_logged=not progress.is_bar
                    )
                elif is_stopped:
                    self._save(self._members(self._state))
                if is_stopped and self._step < n_steps:
                    raise Stopped(
                        self._stop.signum or signal.SIGTERM, self._step
                    )

    def _fed(self) -> Generator[feeding.Fed]:
        """Feeds the program, and those that take over when starts leave."""
        while self._step < self._schedule.n_steps:
            program = self._program
            seeds = [self._seeds[i] for i in self._trained]
            fed = feeding.feed(
                program,
                self._run.dataset.train.images,
                functools.partial(feeding.permutations, seeds),
                feeding.dispatches(self._run, self._step),
                1e9 * self._run.settings.data.on_device_gb,
            )
            with contextlib.closing(fed):
                for part in fed:
                    yield part
                    if self._program is not program:
                        break

    def outcome(self) -> Outcome:
        """Returns the states of all seeds, and the scores of these states."""
        found = self._members(self._state)
        of_seeds = [
            (found[i], self._scored.get(i)) if i in self._alive else (None,) * 2
            for i in range(len(self._seeds))
        ]
        return Outcome(*zip(*of_seeds, strict=True))

    def _starting_states(self) -> dict[int, TrainState]:
        """Saved states, or those of a new run; the same in all processes."""
        seeds = [self._seeds[i] for i in self._trained]
        if processes.is_main():
            found = self._recorder.restore(self._trained)
            found = found or [runs.first_state(seed) for seed in seeds]
        else:
            found = list(map(runs.blank_state, seeds))
        return dict(zip(self._trained, state_lib.from_main(found), strict=True))

    def _fit_priors(self) -> bool:
        """Fits the priors of facets whose warm-up is over, if there are any.

        Every process does so, so that none waits long for another, and all
        take what process 0 has found.
        """
        facets = progressive.fitted_at(self._schedule, self._step)
        if not facets:
            return False
        states = self._members(self._state)
        for i in self._alive:
            if records.breakage(states[i], self._step):
                continue  # it is given up when it is to be saved, right after
            states[i], values = prior_fit.fit_priors(
                self._seeds[i], states[i], facets
            )
            self._record(i, "fit", values)
        self._state = self._program.place(
            state_lib.from_main(list(states.values()))
        )
        return True

    def _take_steps(self, part: feeding.Fed) -> dict[str, float]:
        """Takes and records the steps of a dispatch; returns mean metrics."""
        before, first = self._state, self._step
        self._scored = {}
        with self._clock.steps(part.n_steps):
            self._state, metrics = self._program.run(before, *part)
        of_seeds = dict(zip(self._trained, metrics, strict=True))
        for i in list(self._alive):
            if not np.all(np.isfinite(of_seeds[i].loss)):
                self._recorder.save(i, self._members(before)[i], None)
                self._give_up(i, records.divergence(of_seeds[i], first))
        self._step += part.n_steps
        records.log_events(self._schedule, first, self._step)
        rows = [
            records.mean_metrics(of_seeds[i], self._schedule, first)
            for i in self._alive
        ]
        for i, values in zip(self._alive, rows, strict=True):
            self._record(i, "train", values)
        return records.mean_values(rows)

    def _end_epoch(self, is_save_due: bool, is_logged: bool) -> None:
        """Scores, records and saves, as far as that is due."""
        settings = self._run.settings
        epoch = self._step // self._run.steps_per_epoch
        is_save_due = (
            is_save_due
            or epoch % settings.checkpoint.every_epochs == 0
            or self._step == self._schedule.n_steps
            or self._has_to_choose()
        )
        # What is saved is scored, so that the best can be told from the rest.
        if not is_save_due and epoch % settings.evaluate.every_epochs:
            return
        states = self._members(self._state)
        self._score(states)
        rows = self._record_scores()
        speed = self._clock.read(settings.train.batch_size, len(self._trained))
        for i in self._alive:
            self._record(i, "speed", speed)
        if rows and is_logged:
            logging.info(
                "epoch %d, test: %s; %s",
                epoch,
                records.line(
                    self._schedule, self._step, records.mean_values(rows)
                ),
                ", ".join(f"{name} {v:.4g}" for name, v in speed.items()),
            )
        if is_save_due:
            self._save(states)

    def _has_to_choose(self) -> bool:
        """Whether fewer starts are to be left after this step than there are.

        That number does not depend on how many are left now, so that a choice
        that was cut short comes out the same when it is made again.
        """
        epoch, rest = divmod(self._step, self._run.steps_per_epoch)
        n_kept = self._choices.get(epoch, len(self._alive))
        return not rest and len(self._alive) > n_kept

    def _choose(self) -> restarts.Choices:
        """Says what becomes of each start, if it is time; process 0 decides."""
        if not self._has_to_choose():
            return {}
        bounds = np.zeros(len(self._alive))
        if processes.is_main():
            bounds[:] = [
                self._scored[i].terms["mixture_bound"] for i in self._alive
            ]
        found = multihost_utils.broadcast_one_to_all(bounds).tolist()
        return restarts.choose(
            dict(zip(self._alive, found, strict=True)),
            self._choices[self._step // self._run.steps_per_epoch],
        )

    def _drop(
        self, choice: restarts.Choices, states: dict[int, TrainState]
    ) -> None:
        """Goes on with the starts that are kept, in a program of their own."""
        if not choice:
            return
        seeds = [seed.settings.seed for seed in self._seeds]
        for i, one in choice.items():
            if not one.is_kept:
                why = restarts.why_not_kept(choice, i, seeds, self._step)
                self._recorder.drop(i, why)
        self._make_program(sorted(i for i in choice if choice[i].is_kept))
        self._place(states)

    def _score(self, states: dict[int, TrainState]) -> None:
        """Scores the seeds, in the process that writes."""
        if processes.is_main():
            self._scored = {
                i: runs.score(self._seeds[i], states[i]) for i in self._alive
            }

    def _record_scores(self) -> list[dict[str, float]]:
        rows = list(map(records.score_values, self._scored.values()))
        for i, row in zip(self._scored, rows, strict=True):
            self._record(i, "test", row)
        return rows

    def _record(self, i: int, split: str, values: dict[str, float]) -> None:
        """Records numbers of a seed, eight digits of each."""
        epoch = self._step / self._run.steps_per_epoch
        about = {"step": self._step, "epoch": epoch, "split": split}
        numbers = {
            name: float(f"{value:.8g}") if np.isfinite(value) else None
            for name, value in values.items()
        }
        self._recorder.record(i, about | numbers)

    def _save(self, states: dict[int, TrainState]) -> None:
        """Saves the seeds whose parameters are sound, and gives up others.

        A gradient can break the parameters one step before the loss shows it.
        Starts leave once they are saved: then nothing is lost in between.
        """
        for i in list(self._alive):
            error = records.breakage(states[i], self._step)
            if error:
                self._give_up(i, error)
        choice = self._choose()
        for i, one in choice.items():
            self._record(i, "choice", one._asdict())
        phases = progressive.phases(self._schedule, self._step)
        is_full = (phases == progressive.Phase.ACTIVE).all()
        for i in self._alive:
            scored = self._scored.get(i) if is_full else None
            bound = scored and scored.terms["mixture_bound"]
            self._recorder.save(i, states[i], bound)
        self._drop(choice, states)

    def _give_up(self, i: int, error: FloatingPointError) -> None:
        """Goes on without a seed; raises the error if it was the last."""
        self._alive.remove(i)
        if len(self._seeds) > 1:
            self._recorder.give_up(i, error)
        if not self._alive:
            raise error
