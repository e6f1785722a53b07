# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The loop: it learns, stops, resumes to the same bits, and fails well."""

import json
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
                stopped = loop.restore(self.run_, folder)
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
        saved = loop.restore(run, self.workdir)
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


def _program_with(members):
    """A program whose states come back changed."""

    class Changed(devices.Program):
        pass

    Changed.members = members
    return Changed


if __name__ == "__main__":
    absltest.main()
