# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The loop: it learns, stops, resumes to the same bits, and fails well."""

import pathlib
import shutil
import signal
import tempfile
import threading
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import devices, disk, loop, recording, runs, stopping
from tests.training import small_runs
from tests.training.small_runs import assert_equal_states

_TWO_STAGES = {"progressive": {"stage_epochs": (1, 1)}}


class _Folder(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.workdir = workdir_lib.Workdir(f"{folder}/run")


@pytest.mark.slow
class LoopTest(_Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_ = small_runs.run()
        cls.recorder = recording.InMemory()
        (cls.state,), (cls.scored,) = loop.train(cls.run_, cls.recorder)

    def _records(self, split):
        return [r for r in self.recorder.records if r["split"] == split]

    def test_takes_every_step_and_raises_the_bound(self):
        schedule = self.run_.stepper.schedule
        self.assertEqual(int(self.state.step), schedule.n_steps)
        self.assertEqual(schedule.n_steps, 4 * (1438 // 128))
        train = self._records("train")
        self.assertEqual(train[-1]["step"], schedule.n_steps)
        for bound in ("mixture_bound", "mean_field_bound"):
            self.assertGreater(train[-1][bound], train[0][bound] + 50)
            self.assertLess(train[-1][bound], train[-1]["log_p_x_z"])

    def test_scores_before_training_and_after_every_epoch(self):
        test = self._records("test")
        self.assertEqual([r["epoch"] for r in test], [0, 1, 2, 3, 4])
        for record in test:
            for j in (0, 1):
                self.assertBetween(record[f"many_to_one/{j}/digit"], 0.1, 1)

    def test_last_score_is_handed_on(self):
        wanted = runs.score(self.run_, self.state)
        jax.tree.map(
            np.testing.assert_array_equal,
            self.scored.predictions,
            wanted.predictions,
        )
        self.assertEqual(self.scored.terms, wanted.terms)

    def test_bound_leaves_out_a_facet_that_waits(self):
        for record in self._records("train") + self._records("test"):
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

    def test_disk_and_memory_keep_the_same_of_the_same_run(self):
        (again,) = small_runs.train(self.run_, self.workdir)
        assert_equal_states(again, self.state)
        self.assertEqual(
            small_runs.records(self.workdir),
            [r for r in self.recorder.records if r["split"] != "speed"],
        )
        # A finished run resumes to itself, and scores nothing anew.
        recorder = disk.InWorkdir(self.workdir, resume=True)
        (again,), (scored,) = loop.train(self.run_, recorder)
        assert_equal_states(again, self.state)
        self.assertIsNone(scored)

    def test_another_seed_is_another_run(self):
        other = runs.first_state(small_runs.run(seed=1))
        first = runs.first_state(self.run_)
        self.assertFalse(
            np.array_equal(
                other.params["decoder"]["output"]["kernel"],
                first.params["decoder"]["output"]["kernel"],
            )
        )

    def test_either_signal_resumes_to_the_same_bits_and_records(self):
        # Of three dispatches an epoch, the 6th is the last of the second.
        for signum, n, step in (
            (signal.SIGINT, 5, 18),
            (signal.SIGTERM, 6, 22),
        ):
            with self.subTest(signal.Signals(signum).name):
                folder = workdir_lib.Workdir(f"{self.workdir.path}_{n}")
                handler = signal.getsignal(signum)
                with self.assertRaisesRegex(
                    stopping.Stopped, "--resume"
                ) as caught:
                    loop.train(
                        self.run_, small_runs.SignalAt(folder, signum, n)
                    )
                self.assertEqual(caught.exception.signum, signum)
                self.assertEqual(signal.getsignal(signum), handler)
                (stopped,) = disk.restore(self.run_, folder)
                self.assertEqual(int(stopped.step), step)
                with folder.metrics.open("a") as file:
                    file.write(
                        '{"step": 999, "epoch": 90.0, "split": "train"}\n'
                        '{"step": 1000, "ep'  # cut short by a crash
                    )
                (resumed,) = small_runs.train(self.run_, folder, resume=True)
                assert_equal_states(resumed, self.state)
                for split in ("train", "test"):
                    self.assertEqual(
                        [
                            r["step"]
                            for r in folder.records()
                            if r["split"] == split
                        ],
                        [r["step"] for r in self._records(split)],
                    )


_WARM_UPS = {
    "progressive": {
        "stage_epochs": (2, 2),
        "warm_up_epochs": (1, 1),
        "redundancy_price": 20.0,
    },
    "facets": {"covariance": ("full", "diagonal")},
    "checkpoint": {"every_epochs": 100, "keep": 9},
}


@pytest.mark.slow
class WarmUpTest(_Folder):
    """Two facets, of 22 steps each, the first 11 of which warm it up."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.run_ = small_runs.run(**_WARM_UPS)
        cls.whole = workdir_lib.Workdir(pathlib.Path(folder.name) / "whole")
        (cls.state,) = small_runs.train(cls.run_, cls.whole)

    def test_fits_are_recorded_and_saved(self):
        fits = [r for r in self.whole.records() if r["split"] == "fit"]
        self.assertEqual([r["step"] for r in fits], [11, 33])
        for record, j in zip(fits, (1, 0), strict=True):
            self.assertTrue(np.isfinite(record[f"log_likelihood/{j}"]))
            self.assertGreaterEqual(record[f"iterations/{j}"], 1)
        # No other save is due before the end.
        saved = [
            int(path.name) for path in self.whole.checkpoints.glob("[0-9]*")
        ]
        self.assertEqual(sorted(saved), [11, 33, 44])

    def test_facet_that_warms_up_has_no_bound_in_training(self):
        for record in self.whole.records():
            if record["split"] == "train":
                is_warming = 0 < (record["step"] - 1) % 22 < 11
                self.assertEqual(record["mixture_bound"] is None, is_warming)
                j = 0 if record["step"] > 22 else 1
                self.assertEqual(record[f"kl_z/{j}"] is None, is_warming)
                self.assertIsNotNone(record["log_p_x_z"])
                self.assertEqual(record["redundancy_price"], 20)
                self.assertEqual(
                    record["shared_variance/0"] > 0, record["step"] > 22
                )
                self.assertEqual(record["shared_variance/1"], 0)

    def test_fit_makes_the_prior_that_of_the_encodings(self):
        """So the held-out bound leaps, and few clusters stay empty."""
        bounds = {
            r["epoch"]: r["mixture_bound"]
            for r in self.whole.records()
            if r["split"] == "test"
        }
        self.assertGreater(bounds[1], bounds[0])

    def test_stopped_before_at_or_after_a_fit_it_resumes_to_the_same_bits(self):
        # Of three dispatches an epoch, the third ends the warm-up.
        for n in (2, 3, 4, 9):
            with self.subTest(n):
                folder = workdir_lib.Workdir(f"{self.workdir.path}_{n}")
                with self.assertRaises(stopping.Stopped):
                    loop.train(
                        self.run_,
                        small_runs.SignalAt(folder, signal.SIGTERM, n),
                    )
                (resumed,) = small_runs.train(self.run_, folder, resume=True)
                assert_equal_states(resumed, self.state)
                # A stop adds a score.
                for split in ("train", "fit"):
                    self.assertEqual(
                        *(
                            [r for r in at.records() if r["split"] == split]
                            for at in (folder, self.whole)
                        )
                    )

    def test_each_of_several_seeds_has_the_fits_of_its_single_run(self):
        run = small_runs.run(n_seeds=2, **_WARM_UPS)
        states = small_runs.train(run, self.workdir)
        small_runs.assert_close(
            *(jax.tree.leaves(s.params) for s in (states[0], self.state))
        )
        folders = [*self.workdir.by_seed(run.settings).values()]
        found = [
            [r for r in folder.records() if r["split"] == "fit"]
            for folder in folders
        ]
        self.assertEqual([len(fits) for fits in found], [2, 2])
        self.assertNotEqual(found[0], found[1])


@pytest.mark.slow
class SeedsTest(_Folder):
    """Three seeds at once, and what is left when one goes astray."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.run_ = small_runs.run(n_seeds=3, **_TWO_STAGES)
        cls.whole = workdir_lib.Workdir(pathlib.Path(folder.name) / "three")
        cls.states = small_runs.train(cls.run_, cls.whole)

    def test_each_is_the_single_run_of_its_seed(self):
        (single,), _ = loop.train(
            small_runs.run(seed=1, **_TWO_STAGES), recording.Recorder()
        )
        small_runs.assert_close(
            *(jax.tree.leaves(s.params) for s in (self.states[1], single))
        )

    def test_each_has_records_and_checkpoints_of_its_own(self):
        folders = [*self.whole.by_seed(self.run_.settings).values()]
        last = []
        for folder, state in zip(folders, self.states, strict=True):
            records = [r for r in folder.records() if r["split"] == "test"]
            self.assertEqual([r["epoch"] for r in records], [0, 1, 2])
            last.append(records[-1]["mixture_bound"])
            (saved,) = disk.restore(runs.make_run(folder.settings()), folder)
            assert_equal_states(saved, state)
        self.assertLen(set(last), 3)

    def test_speed_is_recorded_apart_from_compilation(self):
        (folder, *_) = self.whole.by_seed(self.run_.settings).values()
        first, second = (r for r in folder.records() if r["split"] == "speed")
        self.assertGreater(first["compile_seconds"], 0)
        self.assertNotIn("compile_seconds", second)
        # The batch of each of three seeds.
        np.testing.assert_allclose(
            second["examples_per_second"],
            second["steps_per_second"] * 3 * 128,
            rtol=1e-6,
        )

    def test_all_go_on_from_the_last_step_they_share(self):
        shutil.copytree(self.whole.path, self.workdir.path)
        # As if the second save had been cut short before the third seed.
        shutil.rmtree(self.workdir.path / "seed_2" / "checkpoints" / "22")
        resumed = small_runs.train(self.run_, self.workdir, resume=True)
        for ours, theirs in zip(resumed, self.states, strict=True):
            assert_equal_states(ours, theirs)

    def test_one_that_diverges_is_given_up_and_the_others_go_on(self):
        class Diverging(devices.Program):
            """The loss of seed 1 breaks at step 15, one step into a scan."""

            def run(self, state, *args):
                first = int(np.ravel(state.step)[0])
                state, metrics = super().run(state, *args)
                if first > 11:
                    loss = metrics.loss.copy()
                    loss[1, 1:] = np.nan
                    metrics = metrics._replace(loss=loss)
                return state, metrics

        with mock.patch.object(loop, "Program", Diverging):
            found = small_runs.train(self.run_, self.workdir)
        self.assertIsNone(found[1])
        for i in (0, 2):
            assert_equal_states(found[i], self.states[i])
        folders = [*self.workdir.by_seed(self.run_.settings).values()]
        self.assertIn("not finite at step 15", folders[1].diverged.read_text())
        # Its last sound state is kept.
        self.assertTrue((folders[1].checkpoints / "14").is_dir())
        self.assertFalse((folders[1].checkpoints / "22").exists())
        # It stays out when the run is taken up again.
        again = small_runs.train(self.run_, self.workdir, resume=True)
        self.assertIsNone(again[1])
        assert_equal_states(again[2], self.states[2])


@pytest.mark.slow
class DivergenceTest(_Folder):
    def test_loss_that_is_not_finite_names_term_facet_and_step(self):
        run = small_runs.run(train={"learning_rate": 1e30}, **_TWO_STAGES)
        with self.assertRaisesRegex(
            FloatingPointError, r"at step \d+: .*(log_p_x_z|facet \d)"
        ) as caught:
            small_runs.train(run, self.workdir)
        (saved,) = disk.restore(run, self.workdir)
        self.assertIn(
            f"of step {int(saved.step)} is saved", str(caught.exception)
        )
        self.assertIn("learning_rate", str(caught.exception))
        for leaf in jax.tree.leaves(saved.params):
            self.assertTrue(np.all(np.isfinite(leaf)))

    def test_run_ends_when_every_seed_has_diverged(self):
        run = small_runs.run(n_seeds=2, train={"learning_rate": 1e30})
        with self.assertRaisesRegex(FloatingPointError, "not finite"):
            small_runs.train(run, self.workdir)
        with self.assertRaisesRegex(FloatingPointError, "every seed"):
            small_runs.train(run, self.workdir, resume=True)

    def test_broken_parameters_are_never_saved(self):
        class Broken(devices.Program):
            def members(self, state):
                states = super().members(state)
                for at in states:
                    if at.step:
                        at.params["decoder"]["output"]["bias"] *= np.nan
                return states

        run = small_runs.run(**_TWO_STAGES)
        with (
            mock.patch.object(loop, "Program", Broken),
            self.assertRaisesRegex(
                FloatingPointError, "step 11: .*decoder.*output.*bias"
            ),
        ):
            small_runs.train(run, self.workdir)
        with self.assertRaisesRegex(FileNotFoundError, "no checkpoint"):
            disk.restore(run, self.workdir)


class ThreadsTest(_Folder):
    @pytest.mark.slow
    def test_runs_in_threads_with_folders_are_those_of_one_thread(self):
        run = small_runs.run(**small_runs.ONE_FACET)
        (wanted,), _ = loop.train(run, recording.InMemory())
        found = {}

        def train(i):
            folder = workdir_lib.Workdir(f"{self.workdir.path}_{i}")
            found[i] = small_runs.train(run, folder)

        threads = [threading.Thread(target=train, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(3):
            assert_equal_states(found[i][0], wanted)
