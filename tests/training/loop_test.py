# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The loop: it learns, stops, resumes to the same bits, and fails well."""

import shutil
import signal
from concurrent import futures
from unittest import mock

import jax
import numpy as np
import pytest

from mfcvae_jax.training import devices, disk, loop, recording, runs, stopping
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.workdir import Workdir
from tests.training import small_runs
from tests.training.small_runs import assert_equal_states, records

pytestmark = pytest.mark.slow

_TWO_STAGES = {"progressive": {"stage_epochs": (1, 1)}}


@pytest.fixture(scope="module")
def plain():
    """Two facets, of 22 steps each, in memory."""
    run, recorder = small_runs.run(), recording.InMemory()
    outcome = loop.train(run, recorder)
    return run, recorder, outcome


class TestPlain:
    def test_takes_every_step_and_raises_the_bound(self, plain):
        run, recorder, outcome = plain
        n_steps = run.stepper.schedule.n_steps
        assert int(outcome.states[0].step) == n_steps == 4 * (1438 // 128)
        first, *_, last = records(recorder, "train")
        assert last["step"] == n_steps
        for bound in ("mixture_bound", "mean_field_bound"):
            assert first[bound] + 50 < last[bound] < last["log_p_x_z"]

    def test_scores_before_training_and_after_every_epoch(self, plain):
        run, recorder, outcome = plain
        test = records(recorder, "test")
        assert [record["epoch"] for record in test] == [0, 1, 2, 3, 4]
        for record in test:
            for j in (0, 1):
                assert 0.1 <= record[f"many_to_one/{j}/digit"] <= 1
        # The last score is handed on.
        wanted, (scored,) = runs.score(run, outcome.states[0]), outcome.scored
        jax.tree.map(
            np.testing.assert_array_equal,
            scored.predictions,
            wanted.predictions,
        )
        assert scored.terms == wanted.terms

    def test_bound_leaves_out_a_facet_that_waits(self, plain):
        for record in records(plain[1], "train", "test"):
            kl = [record[f"kl_z/{j}"] + record[f"kl_c/{j}"] for j in (0, 1)]
            # The first scan of stage 1 begins with a step at fade-in 0.
            if 2 < record["epoch"] < 2.3:
                continue
            is_in = record["epoch"] > 2
            np.testing.assert_allclose(
                # With one sample, the loss in five terms is that of M.
                record["mixture_bound"],
                record["log_p_x_z"] - kl[1] - (kl[0] if is_in else 0),
                rtol=1e-5,
            )

    def test_another_seed_is_another_run(self, plain):
        kernels = [
            runs.first_state(run).params["decoder"]["output"]["kernel"]
            for run in (plain[0], small_runs.run(seed=1))
        ]
        assert not np.array_equal(*kernels)

    @pytest.mark.parametrize(
        # Of three dispatches an epoch, the 6th is the last of the second.
        "signum, n, step",
        [(signal.SIGINT, 5, 18), (signal.SIGTERM, 6, 22)],
    )
    def test_either_signal_resumes_to_the_same_bits_and_records(
        self, plain, tmp_path, signum, n, step
    ):
        run, recorder, ((state,), _) = plain
        workdir = Workdir(tmp_path / "run")
        handler = signal.getsignal(signum)
        with pytest.raises(stopping.Stopped, match="--resume") as caught:
            loop.train(
                run, small_runs.InterruptedAt(workdir, "train", n, signum)
            )
        assert caught.value.signum == signum
        assert signal.getsignal(signum) == handler
        assert int(disk.restore(run, workdir)[0].step) == step
        with workdir.metrics.open("a") as file:
            file.write(
                '{"step": 999, "epoch": 90.0, "split": "train"}\n'
                '{"step": 1000, "ep'  # cut short by a crash
            )
        # A run in memory has the same as one on disk.
        (resumed,) = small_runs.train(run, workdir, resume=True)
        assert_equal_states(resumed, state)
        assert records(workdir) == records(recorder)


_WARM_UPS = {
    "progressive": {
        "stage_epochs": (2, 2),
        "warm_up_epochs": (1, 1),
        "redundancy_price": 20.0,
    },
    "facets": {"covariance": ("full", "diagonal")},
    "checkpoint": {"every_epochs": 100, "keep": 9},
}


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    run = small_runs.run(**_WARM_UPS)
    workdir = Workdir(tmp_path_factory.mktemp("warm"))
    return run, workdir, small_runs.train(run, workdir)


class TestWarmUp:
    """Two facets, of 22 steps each, the first 11 of which warm it up."""

    def test_fits_are_recorded_and_saved(self, warm):
        _, workdir, _ = warm
        fits = records(workdir, "fit")
        assert [record["step"] for record in fits] == [11, 33]
        for record, j in zip(fits, (1, 0), strict=True):
            assert np.isfinite(record[f"log_likelihood/{j}"])
            assert record[f"iterations/{j}"] >= 1
        # No other save is due before the end.
        saved = workdir.checkpoints.glob("[0-9]*")
        assert sorted(int(path.name) for path in saved) == [11, 33, 44]
        # The prior is that of the encodings: the held-out bound leaps.
        before, after, *_ = records(workdir, "test")
        assert after["mixture_bound"] > before["mixture_bound"]

    def test_facet_that_warms_up_has_no_bound_in_training(self, warm):
        for record in records(warm[1], "train"):
            is_warming = 0 < (record["step"] - 1) % 22 < 11
            is_second = record["step"] > 22
            j = 0 if is_second else 1
            assert (record["mixture_bound"] is None) == is_warming
            assert (record[f"kl_z/{j}"] is None) == is_warming
            assert record["log_p_x_z"] is not None
            assert record["redundancy_price"] == 20
            assert (record["shared_variance/0"] > 0) == is_second
            assert record["shared_variance/1"] == 0

    # Of three dispatches an epoch, the third ends the warm-up.
    @pytest.mark.parametrize("n", [2, 3, 4, 9])
    def test_stopped_before_at_or_after_a_fit_it_resumes_to_the_same_bits(
        self, warm, tmp_path, n
    ):
        run, whole, (state,) = warm
        workdir = Workdir(tmp_path / "run")
        recorder = small_runs.InterruptedAt(workdir, "train", n, signal.SIGTERM)
        with pytest.raises(stopping.Stopped):
            loop.train(run, recorder)
        (resumed,) = small_runs.train(run, workdir, resume=True)
        assert_equal_states(resumed, state)
        # A stop adds a score.
        for split in ("train", "fit"):
            assert records(workdir, split) == records(whole, split)

    def test_each_of_several_seeds_has_the_fits_of_its_single_run(
        self, warm, tmp_path
    ):
        run, workdir = small_runs.run(n_seeds=2, **_WARM_UPS), Workdir(tmp_path)
        states = small_runs.train(run, workdir)
        alone = loop.train(
            small_runs.run(seed=1, **_WARM_UPS), recording.InMemory()
        ).states
        for state, (single,) in zip(states, (warm[2], alone), strict=True):
            small_runs.assert_close(state.params, single.params)
        first, second = (
            records(folder, "fit")
            for folder in workdir.by_seed(run.settings).values()
        )
        assert len(first) == len(second) == 2
        assert first != second


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    run = small_runs.run(n_seeds=3, **_TWO_STAGES)
    workdir = Workdir(tmp_path_factory.mktemp("three"))
    states = small_runs.train(run, workdir)
    return run, workdir, [*workdir.by_seed(run.settings).values()], states


class TestSeeds:
    """Three seeds at once, and what is left when one goes astray."""

    def test_each_has_records_and_checkpoints_of_its_own(self, three):
        _, _, folders, states = three
        last = []
        for folder, state in zip(folders, states, strict=True):
            test = records(folder, "test")
            assert [record["epoch"] for record in test] == [0, 1, 2]
            last.append(test[-1]["mixture_bound"])
            (saved,) = disk.restore(runs.make_run(folder.settings()), folder)
            assert_equal_states(saved, state)
        assert len(set(last)) == 3

    def test_speed_is_recorded_apart_from_compilation(self, three):
        first, second = records(three[2][0], "speed")
        assert first["compile_seconds"] > 0
        assert "compile_seconds" not in second
        # The batch of each of three seeds.
        np.testing.assert_allclose(
            second["examples_per_second"],
            second["steps_per_second"] * 3 * 128,
            rtol=1e-6,
        )

    def test_all_go_on_from_the_last_step_they_share(self, three, tmp_path):
        run, whole, _, states = three
        workdir = Workdir(tmp_path / "run")
        shutil.copytree(whole.path, workdir.path)
        # As if the second save had been cut short before the third seed.
        shutil.rmtree(workdir.path / "seed_2" / "checkpoints" / "22")
        resumed = small_runs.train(run, workdir, resume=True)
        for ours, theirs in zip(resumed, states, strict=True):
            assert_equal_states(ours, theirs)

    def test_one_that_diverges_is_given_up_and_the_others_go_on(
        self, three, tmp_path
    ):
        run, *_, states = three
        workdir = Workdir(tmp_path / "run")
        with small_runs.diverging([1], after=11):
            found = small_runs.train(run, workdir)
        assert found[1] is None
        for i in (0, 2):
            assert_equal_states(found[i], states[i])
        _, folder, _ = workdir.by_seed(run.settings).values()
        assert "not finite at step 15" in folder.diverged.read_text()
        # Its last sound state is kept.
        assert (folder.checkpoints / "14").is_dir()
        assert not (folder.checkpoints / "22").exists()
        # It stays out when the run is taken up again.
        again = small_runs.train(run, workdir, resume=True)
        assert again[1] is None
        assert_equal_states(again[2], states[2])


class TestDivergence:
    def test_loss_that_is_not_finite_names_term_facet_and_step(self, tmp_path):
        run = small_runs.run(train={"learning_rate": 1e30}, **_TWO_STAGES)
        workdir = Workdir(tmp_path)
        with pytest.raises(
            FloatingPointError,
            match=r"at step \d+: .*(log_p_x_z|facet \d).*learning_rate",
        ) as caught:
            small_runs.train(run, workdir)
        (saved,) = disk.restore(run, workdir)
        assert f"of step {int(saved.step)} is saved" in str(caught.value)
        for leaf in jax.tree.leaves(saved.params):
            assert np.all(np.isfinite(leaf))

    def test_run_ends_when_every_seed_has_diverged(self, tmp_path):
        run = small_runs.run(n_seeds=2, train={"learning_rate": 1e30})
        workdir = Workdir(tmp_path)
        with pytest.raises(FloatingPointError, match="not finite"):
            small_runs.train(run, workdir)
        with pytest.raises(FloatingPointError, match="every seed"):
            small_runs.train(run, workdir, resume=True)

    def test_broken_parameters_are_never_saved(self, tmp_path):
        class Broken(devices.Program):
            def members(self, tree):
                found = super().members(tree)
                for at in found:
                    if isinstance(at, TrainState) and at.step:
                        at.params["decoder"]["output"]["bias"] *= np.nan
                return found

        run, workdir = small_runs.run(**_TWO_STAGES), Workdir(tmp_path)
        message = "step 11: .*decoder.*output.*bias"
        with (
            mock.patch.object(loop, "Program", Broken),
            pytest.raises(FloatingPointError, match=message),
        ):
            small_runs.train(run, workdir)
        with pytest.raises(FileNotFoundError, match="no checkpoint"):
            disk.restore(run, workdir)


def test_runs_in_threads_with_folders_are_those_of_one_thread(tmp_path):
    run = small_runs.run(**small_runs.ONE_FACET)
    (wanted,), _ = loop.train(run, recording.InMemory())

    def train(i):
        return small_runs.train(run, Workdir(tmp_path / str(i)))

    with futures.ThreadPoolExecutor(3) as pool:
        for (found,) in pool.map(train, range(3)):
            assert_equal_states(found, wanted)
