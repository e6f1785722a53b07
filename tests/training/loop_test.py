# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The loop: it learns, stops, resumes to the same bits, and fails well."""

import json
import pathlib
import shutil
import signal
import tempfile
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.datasets import reader
from mfcvae_jax.training import devices, loop, runs, stopping
from tests import examples


def _run(**overrides):
    return runs.make_run(examples.settings(**overrides))


def _assert_equal_states(left, right):
    """To the last bit, typed keys included."""

    def bits(leaf):
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(bits(a), bits(b)),
        left,
        right,
    )


class _SignalAt:
    """Sends a signal to this process when the loop has taken n dispatches."""

    def __init__(self, signum, n):
        self._signum = signum
        self._left = n

    def __call__(self, *args):
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(self._signum)
        names = ("mixture_bound", "mean_field_bound", "log_p_x_z")
        return dict.fromkeys(names, 0.0) | {
            f"{name}/{j}": 0.0 for name in ("kl_z", "kl_c") for j in (0, 1)
        }


@pytest.mark.slow
class LoopTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_ = _run()
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.workdir = workdir_lib.Workdir(f"{cls.folder.name}/whole")
        (cls.state,) = loop.train(cls.run_, cls.workdir)

    def _new_workdir(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        return workdir_lib.Workdir(f"{folder}/run")

    def test_takes_every_step_and_raises_the_bound(self):
        schedule = self.run_.stepper.schedule
        self.assertEqual(int(self.state.step), schedule.n_steps)
        self.assertEqual(schedule.n_steps, 4 * (1438 // 128))
        train = [r for r in self.workdir.records() if r["split"] == "train"]
        self.assertEqual(train[-1]["step"], schedule.n_steps)
        for bound in ("mixture_bound", "mean_field_bound"):
            self.assertGreater(train[-1][bound], train[0][bound] + 50)
            self.assertLess(train[-1][bound], train[-1]["log_p_x_z"])

    def test_scores_before_training_and_after_every_epoch(self):
        test = [r for r in self.workdir.records() if r["split"] == "test"]
        self.assertEqual([r["epoch"] for r in test], [0, 1, 2, 3, 4])
        for record in test:
            for j in (0, 1):
                self.assertBetween(record[f"many_to_one/{j}/digit"], 0.1, 1)

    def test_bound_leaves_out_a_facet_that_waits(self):
        for record in self.workdir.records():
            if record["split"] == "speed":
                continue
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

    def test_same_seed_same_bits_and_another_seed_not(self):
        (again,) = loop.train(self.run_, self._new_workdir())
        _assert_equal_states(again, self.state)
        (other,) = loop.train(_run(seed=1), self._new_workdir())
        self.assertFalse(
            np.array_equal(
                other.params["decoder"]["output"]["bias"],
                self.state.params["decoder"]["output"]["bias"],
            )
        )

    def test_either_signal_resumes_to_the_same_bits_and_records(self):
        # Of three dispatches an epoch, the 6th is the last of the second.
        for signum, n in ((signal.SIGINT, 5), (signal.SIGTERM, 6)):
            with self.subTest(signal.Signals(signum).name):
                folder = self._new_workdir()
                handler = signal.getsignal(signum)
                with (
                    mock.patch.object(
                        loop, "_mean_metrics", _SignalAt(signum, n)
                    ),
                    self.assertRaisesRegex(
                        stopping.Stopped, "--resume"
                    ) as caught,
                ):
                    loop.train(self.run_, folder)
                self.assertEqual(caught.exception.signum, signum)
                self.assertEqual(signal.getsignal(signum), handler)
                (stopped,) = loop.restore(self.run_, folder)
                self.assertEqual(int(stopped.step), 18 if n == 5 else 22)
                (resumed,) = loop.train(self.run_, folder, resume=True)
                _assert_equal_states(resumed, self.state)
                for split in ("train", "test"):
                    steps, wanted = (
                        [r["step"] for r in w.records() if r["split"] == split]
                        for w in (folder, self.workdir)
                    )
                    self.assertEqual(steps, wanted)

    def test_resume_drops_records_of_steps_that_are_taken_again(self):
        folder = self._new_workdir()
        with (
            mock.patch.object(
                loop, "_mean_metrics", _SignalAt(signal.SIGINT, 4)
            ),
            self.assertRaises(stopping.Stopped),
        ):
            loop.train(self.run_, folder)
        with folder.metrics.open("a") as file:
            file.write(
                json.dumps({"step": 999, "epoch": 90.0, "split": "train"})
                + '\n{"step": 1000, "ep'  # cut short by a crash
            )
        loop.train(self.run_, folder, resume=True)
        self.assertNotIn(999, [r["step"] for r in folder.records()])

    def test_finished_run_resumes_to_itself(self):
        (again,) = loop.train(self.run_, self.workdir, resume=True)
        _assert_equal_states(again, self.state)


@pytest.mark.slow
class SeedsTest(absltest.TestCase):
    """Three seeds at once, and what is left when one goes astray."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.run_ = _run(n_seeds=3, progressive={"stage_epochs": (1, 1)})
        cls.workdir = workdir_lib.Workdir(cls.folder / "three")
        cls.states = loop.train(cls.run_, cls.workdir)

    def test_each_is_the_single_run_of_its_seed(self):
        (single,) = loop.train(
            _run(seed=1, progressive={"stage_epochs": (1, 1)}),
            workdir_lib.Workdir(self.folder / "single"),
        )
        for ours, theirs in zip(
            jax.tree.leaves(self.states[1].params),
            jax.tree.leaves(single.params),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)

    def test_each_has_records_and_checkpoints_of_its_own(self):
        folders = self.workdir.of_each_seed(self.run_.settings)
        last = []
        for folder, state in zip(folders, self.states, strict=True):
            records = [r for r in folder.records() if r["split"] == "test"]
            self.assertEqual([r["epoch"] for r in records], [0, 1, 2])
            last.append(records[-1]["mixture_bound"])
            (saved,) = loop.restore(runs.make_run(folder.settings()), folder)
            _assert_equal_states(saved, state)
        self.assertLen(set(last), 3)

    def test_speed_is_recorded_apart_from_compilation(self):
        (folder, *_) = self.workdir.of_each_seed(self.run_.settings)
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
        workdir = workdir_lib.Workdir(self.folder / "resumed")
        shutil.copytree(self.workdir.path, workdir.path)
        # As if the second save had been cut short before the third seed.
        shutil.rmtree(workdir.path / "seed_2" / "checkpoints" / "22")
        resumed = loop.train(self.run_, workdir, resume=True)
        for ours, theirs in zip(resumed, self.states, strict=True):
            _assert_equal_states(ours, theirs)

    def test_one_that_diverges_is_given_up_and_the_others_go_on(self):
        workdir = workdir_lib.Workdir(self.folder / "diverged")
        with mock.patch.object(
            loop, "Program", _diverging_program(seed=1, after_step=11)
        ):
            found = loop.train(self.run_, workdir)
        self.assertIsNone(found[1])
        for i in (0, 2):
            _assert_equal_states(found[i], self.states[i])
        folders = workdir.of_each_seed(self.run_.settings)
        self.assertIn("not finite at step 15", folders[1].diverged.read_text())
        # Its last sound state is kept.
        self.assertTrue((folders[1].checkpoints / "14").is_dir())
        self.assertFalse((folders[1].checkpoints / "22").exists())
        # It stays out when the run is taken up again.
        again = loop.train(self.run_, workdir, resume=True)
        self.assertIsNone(again[1])
        _assert_equal_states(again[2], self.states[2])

    def test_run_ends_when_every_seed_has_diverged(self):
        run = _run(n_seeds=2, train={"learning_rate": 1e30})
        workdir = workdir_lib.Workdir(self.folder / "lost")
        with self.assertRaisesRegex(FloatingPointError, "not finite"):
            loop.train(run, workdir)
        with self.assertRaisesRegex(FloatingPointError, "every seed"):
            loop.train(run, workdir, resume=True)


class FaultsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.workdir = workdir_lib.Workdir(f"{folder}/run")

    @pytest.mark.slow
    def test_loss_that_is_not_finite_names_term_facet_and_step(self):
        run = _run(train={"learning_rate": 1e30})
        with self.assertRaisesRegex(
            FloatingPointError, r"at step \d+: .*(log_p_x_z|facet \d)"
        ) as caught:
            loop.train(run, self.workdir)
        (saved,) = loop.restore(run, self.workdir)
        self.assertIn(
            f"of step {int(saved.step)} is saved", str(caught.exception)
        )
        self.assertIn("learning_rate", str(caught.exception))
        for leaf in jax.tree.leaves(saved.params):
            self.assertTrue(np.all(np.isfinite(leaf)))

    @pytest.mark.slow
    def test_broken_parameters_are_never_saved(self):
        run = _run()

        def broken_bias(program, state):
            states = devices.Program.members(program, state)
            for at in states:
                if at.step:
                    at.params["decoder"]["output"]["bias"] *= np.nan
            return states

        with (
            mock.patch.object(loop, "Program", _program_with(broken_bias)),
            self.assertRaisesRegex(
                FloatingPointError, "step 11: .*decoder.*output.*bias"
            ),
        ):
            loop.train(run, self.workdir)
        with self.assertRaisesRegex(FileNotFoundError, "no checkpoint"):
            loop.restore(run, self.workdir)

    def test_batch_larger_than_the_data(self):
        with self.assertRaisesRegex(ValueError, "train.batch_size.*1438.*5000"):
            _run(train={"batch_size": 5000})

    def test_more_components_than_examples(self):
        with self.assertRaisesRegex(ValueError, "2000 comp.*n_comp.* 1438"):
            _run(facets={"n_components": (6, 2000)})

    def test_images_that_are_no_numbers_or_out_of_range(self):
        digits = reader.load("digits")
        for value, message in ((np.nan, "NaN|finite"), (1.5, r"\[0, 1\]")):
            images = digits.train.images.copy()
            images[3, 4, 4, 0] = value
            broken = type(digits)(
                digits.spec, digits.train._replace(images=images), digits.test
            )
            with self.assertRaisesRegex(ValueError, message):
                reader.check(broken)

    def test_workdir_of_another_config_names_the_difference(self):
        with self.workdir.claim(examples.settings(), resume=False):
            pass
        other = _run(train={"learning_rate": 0.5})
        with self.assertRaisesRegex(
            ValueError, "train.learning_rate: 0.001 != 0.5"
        ):
            loop.train(other, self.workdir)


def _diverging_program(seed, after_step):
    """A program in which the loss of a seed breaks, one step into a scan."""

    class Diverging(devices.Program):
        def run(self, state, *args):
            first = int(np.ravel(state.step)[0])
            state, metrics = super().run(state, *args)
            if first > after_step:
                loss = metrics.loss.copy()
                loss[seed, 1:] = np.nan
                metrics = metrics._replace(loss=loss)
            return state, metrics

    return Diverging


def _program_with(members):
    """A program whose states come back changed."""

    class Changed(devices.Program):
        pass

    Changed.members = members
    return Changed


if __name__ == "__main__":
    absltest.main()
