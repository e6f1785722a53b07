# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""One run in two processes of two devices each, on loopback."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import (
    disk,
    loop,
    processes,
    recording,
    runs,
    stopping,
)
from tests import examples
from tests.training import device_cases, small_runs

# A process that is gone is missed within 30 seconds, see ``processes``; what is
# waited for here comes, or the test is lost, so the limit is generous.
_PATIENCE_SECONDS = 900
_OVERRIDES = small_runs.ONE_FACET | {
    "net": small_runs.ONE_FACET["net"] | {"batch_norm": False},
    "progressive": {"stage_epochs": (10,), "warm_up_epochs": (3,)},
    "train": {"batch_size": 128, "steps_per_dispatch": 6},
}


class ExplainedTest(absltest.TestCase):
    """What JAX raises, and what becomes of it."""

    def _raise(self, text):
        with processes.explained():
            raise jax.errors.JaxRuntimeError(text)

    def test_lost_process(self):
        with (
            mock.patch.object(jax, "process_count", return_value=2),
            self.assertRaisesRegex(
                processes.LostError, "another process.*--resume.*peer gone"
            ),
        ):
            self._raise("UNKNOWN: Gloo:\npeer gone")

    def test_other_trouble_stays_what_it_is(self):
        with self.assertRaisesRegex(jax.errors.JaxRuntimeError, "^INTERNAL"):
            self._raise("INTERNAL: a single process")
        with (
            mock.patch.object(jax, "process_count", return_value=2),
            self.assertRaisesRegex(jax.errors.JaxRuntimeError, "^RESOURCE"),
        ):
            self._raise("RESOURCE_EXHAUSTED: out of memory")


class _Pair:
    """Two processes that train together. A context manager."""

    def __init__(self, folder, workdir, *args):
        config = examples.config(**_OVERRIDES)
        command = small_runs.command(folder, config, workdir)
        port = device_cases.free_port()
        self.logs = [folder / f"{i}.log" for i in range(2)]
        flags = device_cases.with_devices(2)
        self.processes = []
        for i, log in enumerate(self.logs):
            with log.open("w") as file:
                self.processes.append(
                    subprocess.Popen(
                        [
                            *command,
                            f"--compilation_cache={folder / 'cache'}",
                            "--distributed",
                            f"--coordinator=127.0.0.1:{port}",
                            "--n_processes=2",
                            f"--process_id={i}",
                            *args,
                        ],
                        stdout=file,
                        stderr=file,
                        env={**os.environ, "XLA_FLAGS": flags},
                    )
                )
        self._workdir = workdir
        self._before = _last_step(workdir)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            process.kill()
            process.wait()

    def wait_for_a_checkpoint(self):
        """Waits for one that is new, and returns at once."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while _last_step(self._workdir) == self._before:
            ended = [p.poll() for p in self.processes]
            assert ended == [None, None], self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.01)

    def wait(self, i, seconds=_PATIENCE_SECONDS):
        """Waits for the end of process i, and returns its exit code."""
        return self.processes[i].wait(seconds)

    def text(self):
        return "\n".join(log.read_text() for log in self.logs)


def _last_step(workdir):
    names = [path.name for path in workdir.checkpoints.glob("[0-9]*")]
    return max((int(name) for name in names if name.isdigit()), default=0)


@pytest.mark.slow
class TwoProcessesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.run_ = runs.make_run(examples.settings(**_OVERRIDES))

    def test_run_that_changes_hands_is_that_of_one_process(self):
        """Each process is killed once, one is told to stop, and one takes over.

        Every time, the run goes on from where it was, in two processes or in
        one; it ends with the parameters of a run in one process that nothing
        happened to.
        """
        workdir = workdir_lib.Workdir(self.folder / "run")
        self._kill(1, workdir)
        self._kill(0, workdir, "--resume")
        self._take_over(workdir)
        self._stop(1, workdir)
        # Process 0 takes a while over log p(x), and the other waits for it.
        slow = "--config.evaluate.importance_samples=2000"
        with _Pair(self.folder, workdir, "--resume", slow) as pair:
            codes = [pair.wait(i) for i in (0, 1)]
            self.assertEqual(codes, [0, 0], pair.text())
            self.assertIn("resumed at step", pair.logs[1].read_text())
        (state,) = disk.restore(self.run_, workdir)
        whole = recording.InMemory()
        (wanted,), _ = loop.train(self.run_, whole)
        self.assertEqual(int(state.step), int(wanted.step))
        np.testing.assert_array_equal(
            jax.random.key_data(state.key), jax.random.key_data(wanted.key)
        )
        # Where a gradient is next to 0, rounding decides its sign, and Adam's
        # first steps after a fit are as long as any: 1e-3 each.
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=5e-3),
            state.params,
            wanted.params,
        )
        for split in ("train", "test", "fit"):
            steps, wanted_steps = (
                [r["step"] for r in records if r["split"] == split]
                for records in (workdir.records(), whole.records)
            )
            self.assertEqual(steps, wanted_steps)
        self.assertEqual(steps, [33])  # of the fit

    def _kill(self, i, workdir, *args):
        """Kills process i in mid-training: the other ends, and says why."""
        with _Pair(self.folder, workdir, *args) as pair:
            pair.wait_for_a_checkpoint()
            pair.processes[i].kill()
            self.assertNotEqual(pair.wait(1 - i), 0)
            # A shell writes the line just after.
            pattern = re.compile(
                "^error: .*another process of the run has ended or cannot be "
                "reached: start all processes again, with --resume",
                re.MULTILINE,
            )
            deadline = time.monotonic() + _PATIENCE_SECONDS
            log = pair.logs[1 - i]
            while not pattern.findall(log.read_text()):
                self.assertLess(time.monotonic(), deadline, pair.text())
                time.sleep(0.1)
            self.assertNotIn("Traceback", log.read_text())
            self.assertNotIn("most recent call first", log.read_text())

    def _take_over(self, workdir):
        """Goes on in this process alone, up to the middle of an epoch."""
        before = _last_step(workdir)
        recorder = small_runs.SignalAt(workdir, signal.SIGINT, 1, resume=True)
        with self.assertRaises(stopping.Stopped):
            loop.train(self.run_, recorder)
        self.assertGreater(_last_step(workdir), before)
        self.assertNotEqual(_last_step(workdir) % 11, 0)

    def _stop(self, i, workdir):
        """Sends SIGTERM to process i alone: both stop, with the state saved."""
        with _Pair(self.folder, workdir, "--resume") as pair:
            pair.wait_for_a_checkpoint()
            pair.processes[i].send_signal(signal.SIGTERM)
            codes = [pair.wait(j) for j in (0, 1)]
            self.assertEqual(codes, [128 + signal.SIGTERM] * 2, pair.text())
            (step,) = re.findall(
                r"stopped by SIGTERM at step (\d+); the state is saved",
                pair.logs[0].read_text(),
            )
            self.assertEqual(int(step), _last_step(workdir))
            self.assertNotIn("error:", pair.text())
