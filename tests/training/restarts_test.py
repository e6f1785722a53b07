# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several starts of one run: the held-out bound keeps one, whatever happens."""

import dataclasses
import multiprocessing
import os
import pathlib
import signal
import tempfile
from concurrent import futures
from unittest import mock

import hypothesis
import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from hypothesis import strategies as st

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import (
    devices,
    disk,
    loop,
    processes,
    recording,
    restarts,
    runs,
    stopping,
)
from tests import examples
from tests.training import device_cases, small_runs
from tests.training.small_runs import assert_close, assert_equal_states

# Of 4 starts, 2 go after 3 epochs, and one more after the 4th, the last.
_OVERRIDES = small_runs.ONE_FACET | {
    "n_init": 4,
    "progressive": {
        "stage_epochs": (4,),
        "fade_in_steps": 300,
        "warm_up_epochs": (1,),
    },
    # A multiple of the devices: 11 steps an epoch, in one dispatch.
    "train": {"batch_size": 120, "steps_per_dispatch": 11},
    # No other save is due before the end.
    "checkpoint": {"every_epochs": 9, "keep": 2},
    "evaluate": {"every_epochs": 9, "batch_size": 359},
}


class ChooseTest(parameterized.TestCase):
    def test_best_bounds_are_kept_and_the_others_told(self):
        found = restarts.choose({0: -3.0, 1: -1.0, 3: -2.0}, 2, (5, 6, 7, 8))
        self.assertEqual(list(found), [1, 3, 0])
        self.assertEqual([c.rank for c in found.values()], [1, 2, 3])
        self.assertEqual([c.is_kept for c in found.values()], [True] * 2 + [0])
        self.assertEqual(
            found[0].why(12),
            "at step 12 its held-out mixture bound is -3.0000 nats per "
            "example, place 3 of 3; that of seed 6 is -1.0000",
        )

    def test_a_bound_that_is_not_finite_is_the_worst(self):
        bounds = {0: np.nan, 1: -1e30, 2: -np.inf}
        self.assertEqual(list(restarts.choose(bounds, 1, (0, 1, 2)))[0], 1)

    @hypothesis.given(
        st.lists(st.sampled_from((-3.0, -2.0, -1.0, np.nan)), min_size=1),
        st.data(),
    )
    def test_it_comes_out_the_same_when_some_have_left(self, bounds, data):
        """As after a kill between the notes of two of them."""
        bounds = dict(enumerate(bounds))
        n_kept = data.draw(st.integers(1, len(bounds)))

        def kept(among):
            found = restarts.choose(among, n_kept, range(len(bounds)))
            return {i for i, choice in found.items() if choice.is_kept}

        wanted = kept(bounds)
        self.assertLen(wanted, n_kept)
        gone = data.draw(st.sets(st.sampled_from(sorted(bounds))))
        left = {i: b for i, b in bounds.items() if i not in gone - wanted}
        self.assertEqual(kept(left), wanted)


class _Killed(BaseException):
    """Stands for SIGKILL where it can be told what was done before."""


class _KilledAt(disk.InWorkdir):
    """Ends at the nth call of a method, before it has done anything."""

    def __init__(self, workdir, method, n, *, is_real=False):
        super().__init__(workdir, resume=workdir.config.exists())
        self._method, self._left, self._is_real = method, n, is_real

    def _count(self, method):
        self._left -= method == self._method
        if self._left == 0:
            if self._is_real:
                os.kill(os.getpid(), signal.SIGKILL)
            raise _Killed

    def record(self, seed, record):
        self._count(record["split"])
        super().record(seed, record)

    def save(self, seed, state, bound):
        self._count("save")
        super().save(seed, state, bound)

    def drop(self, seed, why):
        self._count("drop")
        super().drop(seed, why)


def _train_until_killed(path, method, n):
    """The target of a process."""
    workdir = workdir_lib.Workdir(path)
    run = small_runs.run(**_OVERRIDES)
    loop.train(run, _KilledAt(workdir, method, n, is_real=True))


@pytest.mark.slow
class RestartsTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        cls.run_ = small_runs.run(**_OVERRIDES)
        cls.whole = workdir_lib.Workdir(cls.folder / "whole")
        cls.outcome = loop.train(cls.run_, disk.InWorkdir(cls.whole))
        cls.folders = [*cls.whole.by_seed(cls.run_.settings).values()]
        (cls.kept,) = (
            i for i, s in enumerate(cls.outcome.states) if s is not None
        )

    def _choices(self, folders):
        return [
            [r for r in folder.records() if r["split"] == "choice"]
            for folder in folders
        ]

    def _bounds(self, step):
        """As they were scored."""
        return {
            i: record["mixture_bound"]
            for i, folder in enumerate(self.folders)
            for record in folder.records()
            if record["split"] == "test" and record["step"] == step
        }

    def test_best_by_its_bound_is_kept_when_it_is_time(self):
        found = self._choices(self.folders)
        self.assertEqual(sorted(map(len, found)), [1, 1, 2, 2])
        for step, n in ((33, 4), (44, 2)):
            bounds = self._bounds(step)
            self.assertLen(bounds, n)
            order = sorted(bounds, key=lambda i: -bounds[i])
            for rank, i in enumerate(order, 1):
                (choice,) = (r for r in found[i] if r["step"] == step)
                self.assertEqual(choice["mixture_bound"], bounds[i])
                self.assertEqual(choice["rank"], rank)
                self.assertEqual(choice["n_starts"], n)
                self.assertEqual(choice["is_kept"], rank <= n // 2)
        self.assertEqual(order[0], self.kept)

    def test_those_that_left_cost_nothing_more_and_say_why(self):
        for i, folder in enumerate(self.folders):
            (*_, last) = folder.records()
            n_choices = len(self._choices([folder])[0])
            self.assertEqual(last["step"], 33 if n_choices == 1 else 44)
            why = "" if i == self.kept else "was not kept"
            self.assertEqual(folder.why_given_up(), why)
            self.assertFalse(folder.diverged.exists())
            if why:
                text = folder.not_kept.read_text()
                self.assertRegex(text, rf"step {last['step']} .*, place \d of")

    def test_kept_one_is_the_run_of_its_seed_alone(self):
        settings = self.run_.settings.of_each_seed[self.kept]
        (single,), _ = loop.train(
            self.run_._replace(settings=settings), recording.Recorder()
        )
        found = [self.outcome.states[self.kept], single]
        assert_close(*_leaves(found))

    def test_score_and_checkpoint_are_those_of_the_kept_one(self):
        state = self.outcome.states[self.kept]
        restored = disk.restore(self.run_, self.whole)
        for i in range(4):
            self.assertEqual(restored[i] is None, i != self.kept)
            self.assertEqual(self.outcome.scored[i] is None, i != self.kept)
        assert_equal_states(restored[self.kept], state)
        seed = runs.of_each_seed(self.run_)[self.kept]
        self.assertEqual(
            self.outcome.scored[self.kept].terms, runs.score(seed, state).terms
        )

    def _assert_same(self, workdir, states):
        for ours, theirs in zip(states, self.outcome.states, strict=True):
            self.assertEqual(ours is None, theirs is None)
            if ours is not None:
                assert_equal_states(ours, theirs)
        folders = [*workdir.by_seed(self.run_.settings).values()]
        for ours, theirs in zip(folders, self.folders, strict=True):
            self.assertEqual(
                small_runs.records(ours), small_runs.records(theirs)
            )
            self.assertEqual(ours.why_given_up(), theirs.why_given_up())

    @parameterized.parameters(
        ("choice", 3),  # two of four have recorded the first choice
        ("save", 7),  # two of four are saved, at step 33 after the fit
        ("drop", 3),  # at the end, before the only note
    )
    def test_killed_around_a_choice_it_ends_in_the_same_bits(self, method, n):
        workdir = workdir_lib.Workdir(self.folder / f"{method}_{n}")
        with self.assertRaises(_Killed):
            loop.train(self.run_, _KilledAt(workdir, method, n))
        states = small_runs.train(self.run_, workdir, resume=True)
        self._assert_same(workdir, states)

    def test_killed_for_good_between_two_notes(self):
        workdir = workdir_lib.Workdir(self.folder / "killed")
        process = multiprocessing.get_context("spawn").Process(
            target=_train_until_killed, args=(workdir.path, "drop", 2)
        )
        process.start()
        process.join()
        self.assertEqual(process.exitcode, -signal.SIGKILL)
        folders = [*workdir.by_seed(self.run_.settings).values()]
        self.assertEqual(sum(f.not_kept.exists() for f in folders), 1)
        states = small_runs.train(self.run_, workdir, resume=True)
        self._assert_same(workdir, states)

    def test_stopped_by_a_signal_at_a_choice(self):
        workdir = workdir_lib.Workdir(self.folder / "stopped")
        # The 3rd dispatch of 4 starts, each of which has a record of its own.
        recorder = small_runs.SignalAt(workdir, signal.SIGTERM, 3 * 4)
        with self.assertRaises(stopping.Stopped):
            loop.train(self.run_, recorder)
        states = small_runs.train(self.run_, workdir, resume=True)
        self._assert_same(workdir, states)

    def test_at_its_end_it_stays_as_it_is(self):
        states = small_runs.train(self.run_, self.whole, resume=True)
        assert_equal_states(states[self.kept], self.outcome.states[self.kept])

    def test_in_memory_each_record_says_whose_it_is(self):
        recorder = recording.InMemory()
        outcome = loop.train(self.run_, recorder)
        assert_equal_states(
            outcome.states[self.kept], self.outcome.states[self.kept]
        )
        for i, folder in enumerate(self.folders):
            self.assertEqual(
                [
                    {k: v for k, v in r.items() if k != "start"}
                    for r in recorder.records
                    if r["start"] == i and r["split"] != "speed"
                ],
                small_runs.records(folder),
            )

    def test_all_but_one_diverge(self):
        class Diverging(devices.Program):
            def run(self, *args):
                state, metrics = super().run(*args)
                loss = metrics.loss.copy()
                loss[[0, 1, 3]] = np.nan
                return state, metrics._replace(loss=loss)

        recorder = recording.InMemory()
        with mock.patch.object(loop, "Program", Diverging):
            found = loop.train(self.run_, recorder).states
        self.assertEqual([s is None for s in found], [True, True, False, True])
        # There was nothing to choose.
        splits = {r["split"] for r in recorder.records}
        self.assertEqual(splits, {"train", "test", "speed", "fit"})


class RefusedTest(absltest.TestCase):
    def test_several_seeds_and_several_starts(self):
        with self.assertRaisesRegex(ValueError, "n_seeds=2 and n_init=4: .*1"):
            examples.settings(n_seeds=2, n_init=4)

    def test_members_are_runs_of_one_seed(self):
        settings = examples.settings(seed=7, n_init=3)
        self.assertEqual(settings.n_starts, 3)
        self.assertEqual(
            settings.of_each_seed,
            tuple(examples.settings(seed=seed) for seed in (7, 8, 9)),
        )
        alone = dataclasses.replace(settings, n_init=1)
        self.assertEqual(alone.of_each_seed, (alone,))


def _leaves(states):
    return [
        None
        if state is None
        else [np.asarray(leaf) for leaf in jax.tree.leaves(state.params)]
        for state in states
    ]


def _trained():
    run = small_runs.run(**_OVERRIDES)
    return _leaves(loop.train(run, recording.Recorder()).states)


def _trained_together(port, process_id):
    processes.start(f"127.0.0.1:{port}", 2, process_id)
    # Told before anything is trained, not when one start is left.
    overrides = _OVERRIDES | {"train": {"batch_size": 119}}
    with pytest.raises(ValueError, match="batch_size=119 cannot be split"):
        loop.train(small_runs.run(**overrides), recording.Recorder())
    return _trained()


@pytest.mark.slow
class DevicesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.wanted = _trained()

    def _check(self, found):
        for ours, theirs in zip(found, self.wanted, strict=True):
            self.assertEqual(ours is None, theirs is None)
            assert_close(ours or (), theirs or ())

    def test_two_processes_keep_the_same(self):
        port = device_cases.free_port()
        context = multiprocessing.get_context("spawn")
        with futures.ProcessPoolExecutor(2, mp_context=context) as workers:
            jobs = [
                workers.submit(_trained_together, port, i) for i in range(2)
            ]
            for job in jobs:
                self._check(job.result())
