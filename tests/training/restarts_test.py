# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several starts of one run: the held-out bound keeps one, whatever happens."""

import dataclasses
import multiprocessing
import re
import shutil
import signal

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from mfcvae_jax.training import (
    disk,
    loop,
    recording,
    restarts,
    runs,
    stopping,
)
from mfcvae_jax.workdir import Workdir
from tests import examples
from tests.training import device_cases, small_runs
from tests.training.small_runs import (
    InterruptedAt,
    assert_close,
    assert_equal_states,
    records,
)

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


def test_best_bounds_are_kept_and_the_others_told():
    found = restarts.choose({0: -3.0, 1: -1.0, 3: -2.0}, 2)
    assert list(found) == [1, 3, 0]
    assert [c.rank for c in found.values()] == [1, 2, 3]
    assert [c.is_kept for c in found.values()] == [True, True, False]
    assert restarts.why_not_kept(found, 0, (5, 6, 7, 8), 12) == (
        "at step 12 its held-out mixture bound is -3.0000 nats per example, "
        "place 3 of 3; that of seed 6 is -1.0000"
    )


def test_a_bound_that_is_not_finite_is_the_worst():
    bounds = {0: np.nan, 1: -1e30, 2: -np.inf}
    assert list(restarts.choose(bounds, 1))[0] == 1


@hypothesis.given(
    st.lists(st.sampled_from((-3.0, -2.0, -1.0, np.nan)), min_size=1),
    st.data(),
)
def test_it_comes_out_the_same_when_some_have_left(bounds, data):
    """As after a kill between the notes of two of them."""
    bounds = dict(enumerate(bounds))
    n_kept = data.draw(st.integers(1, len(bounds)))

    def kept(among):
        found = restarts.choose(among, n_kept)
        return {i for i, choice in found.items() if choice.is_kept}

    wanted = kept(bounds)
    assert len(wanted) == n_kept
    gone = data.draw(st.sets(st.sampled_from(sorted(bounds))))
    left = {i: b for i, b in bounds.items() if i not in gone - wanted}
    assert kept(left) == wanted


def _train_until_killed(path, method, n):
    """The target of a process."""
    recorder = InterruptedAt(Workdir(path), method, n, signal.SIGKILL)
    loop.train(small_runs.run(**_OVERRIDES), recorder)


class _Whole:
    """The run, trained in a workdir."""

    def __init__(self, folder):
        self.run, self.workdir = small_runs.run(**_OVERRIDES), Workdir(folder)
        self.outcome = loop.train(self.run, disk.InWorkdir(self.workdir))
        self.folders = [*self.workdir.by_seed(self.run.settings).values()]
        (self.kept,) = (
            i for i, s in enumerate(self.outcome.states) if s is not None
        )
        self.state = self.outcome.states[self.kept]

    def assert_resumed(self, workdir):
        """Resumes to the same bits, records and notes; returns the scores."""
        recorder = disk.InWorkdir(workdir, resume=True)
        states, scored = loop.train(self.run, recorder)
        assert [s is None for s in states] == [i != self.kept for i in range(4)]
        assert_equal_states(states[self.kept], self.state)
        folders = workdir.by_seed(self.run.settings).values()
        for ours, theirs in zip(folders, self.folders, strict=True):
            assert records(ours) == records(theirs)
            assert ours.why_given_up() == theirs.why_given_up()
        return scored


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return _Whole(tmp_path_factory.mktemp("whole"))


@pytest.mark.slow
class TestRestarts:
    def test_best_by_its_bound_is_kept_when_it_is_time(self, whole):
        found = [records(folder, "choice") for folder in whole.folders]
        assert sorted(map(len, found)) == [1, 1, 2, 2]
        for step, n in ((33, 4), (44, 2)):
            # As they were scored.
            bounds = {
                i: record["mixture_bound"]
                for i, folder in enumerate(whole.folders)
                for record in records(folder, "test")
                if record["step"] == step
            }
            assert len(bounds) == n
            order = sorted(bounds, key=lambda i: -bounds[i])
            for rank, i in enumerate(order, 1):
                (choice,) = (r for r in found[i] if r["step"] == step)
                assert choice["mixture_bound"] == bounds[i]
                assert choice["rank"] == rank
                assert choice["n_starts"] == n
                assert choice["is_kept"] == (rank <= n // 2)
        assert order[0] == whole.kept

    def test_those_that_left_cost_nothing_more_and_say_why(self, whole):
        for i, folder in enumerate(whole.folders):
            (*_, last) = folder.records()
            n_choices = len(records(folder, "choice"))
            assert last["step"] == (33 if n_choices == 1 else 44)
            why = "" if i == whole.kept else "was not kept"
            assert folder.why_given_up() == why
            assert not folder.diverged.exists()
            if why:
                said = rf"step {last['step']} .*, place \d of"
                assert re.search(said, folder.not_kept.read_text())

    def test_kept_one_is_the_run_of_its_seed_alone(self, whole):
        settings = whole.run.settings.of_each_seed[whole.kept]
        alone = whole.run._replace(settings=settings)
        (single,), _ = loop.train(alone, recording.Recorder())
        assert_close(whole.state.params, single.params)

    def test_score_and_checkpoint_are_those_of_the_kept_one(self, whole):
        restored = disk.restore(whole.run, whole.workdir)
        for i in range(4):
            assert (restored[i] is None) == (i != whole.kept)
            assert (whole.outcome.scored[i] is None) == (i != whole.kept)
        assert_equal_states(restored[whole.kept], whole.state)
        seed = runs.of_each_seed(whole.run)[whole.kept]
        wanted = runs.score(seed, whole.state).terms
        assert whole.outcome.scored[whole.kept].terms == wanted

    @pytest.mark.parametrize(
        "method, n",
        [
            ("choice", 3),  # two of four have recorded the first choice
            ("save", 7),  # two of four are saved, at step 33 after the fit
            ("drop", 3),  # at the end, before the only note
        ],
    )
    def test_killed_around_a_choice_it_ends_in_the_same_bits(
        self, whole, tmp_path, method, n
    ):
        workdir = Workdir(tmp_path / "run")
        with pytest.raises(small_runs.Killed):
            loop.train(whole.run, InterruptedAt(workdir, method, n))
        whole.assert_resumed(workdir)

    def test_killed_for_good_between_two_notes(self, whole, tmp_path):
        workdir = Workdir(tmp_path / "run")
        process = multiprocessing.get_context("spawn").Process(
            target=_train_until_killed, args=(workdir.path, "drop", 2)
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        folders = workdir.by_seed(whole.run.settings).values()
        assert sum(folder.not_kept.exists() for folder in folders) == 1
        whole.assert_resumed(workdir)

    def test_stopped_by_a_signal_at_a_choice(self, whole, tmp_path):
        workdir = Workdir(tmp_path / "run")
        # The 3rd dispatch of 4 starts, each of which has a record of its own.
        recorder = InterruptedAt(workdir, "train", 3 * 4, signal.SIGTERM)
        with pytest.raises(stopping.Stopped):
            loop.train(whole.run, recorder)
        whole.assert_resumed(workdir)

    def test_at_its_end_it_stays_as_it_is_and_nothing_is_scored(
        self, whole, tmp_path
    ):
        copy = shutil.copytree(whole.workdir.path, tmp_path / "run")
        scored = whole.assert_resumed(Workdir(copy))
        assert scored == (None,) * 4

    def test_in_memory_each_record_says_whose_it_is(self, whole):
        recorder = recording.InMemory()
        outcome = loop.train(whole.run, recorder)
        assert_equal_states(outcome.states[whole.kept], whole.state)
        for i, folder in enumerate(whole.folders):
            wanted = [record | {"start": i} for record in records(folder)]
            found = [r for r in records(recorder) if r["start"] == i]
            assert found == wanted

    def test_all_but_one_diverge(self, whole):
        recorder = recording.InMemory()
        with small_runs.diverging([0, 1, 3]):
            found = loop.train(whole.run, recorder).states
        assert [state is None for state in found] == [True, True, False, True]
        # There was nothing to choose.
        splits = {record["split"] for record in recorder.records}
        assert splits == {"train", "test", "speed", "fit"}

    def test_two_processes_keep_the_same(self, whole):
        for found in device_cases.of_two_processes(1, _trained_together):
            assert [s is None for s in found] == [
                i != whole.kept for i in range(4)
            ]
            assert_close(found[whole.kept], whole.state.params)


def _trained_together():
    # Told before anything is trained, not when one start is left.
    overrides = _OVERRIDES | {"train": {"batch_size": 119}}
    with pytest.raises(ValueError, match="batch_size=119 cannot be split"):
        loop.train(small_runs.run(**overrides), recording.Recorder())
    found = loop.train(small_runs.run(**_OVERRIDES), recording.Recorder())
    return [state and state.params for state in found.states]


def test_several_seeds_and_several_starts_are_refused():
    with pytest.raises(ValueError, match="n_seeds=2 and n_init=4: .*1"):
        examples.settings(n_seeds=2, n_init=4)


def test_members_are_runs_of_one_seed():
    settings = examples.settings(seed=7, n_init=3)
    assert settings.n_starts == 3
    assert settings.of_each_seed == tuple(
        examples.settings(seed=seed) for seed in (7, 8, 9)
    )
    alone = dataclasses.replace(settings, n_init=1)
    assert alone.of_each_seed == (alone,)
