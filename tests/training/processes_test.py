# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""One run in two processes of two devices each, on loopback."""

import os
import re
import signal
import subprocess
import time
from unittest import mock

import jax
import numpy as np
import pytest

from mfcvae_jax.training import disk, loop, processes, recording, stopping
from mfcvae_jax.workdir import Workdir
from tests import examples
from tests.training import device_cases, small_runs
from tests.training.small_runs import records

_OVERRIDES = small_runs.ONE_FACET | {
    "net": small_runs.ONE_FACET["net"] | {"batch_norm": False},
    "progressive": {"stage_epochs": (10,), "warm_up_epochs": (3,)},
    "train": {"batch_size": 128, "steps_per_dispatch": 6},
}


@pytest.mark.parametrize(
    "n_processes, text, error, message",
    [
        (
            2,
            "UNKNOWN: Gloo:\npeer gone",
            processes.LostError,
            "another process.*--resume.*peer gone",
        ),
        (2, "RESOURCE_EXHAUSTED: memory", RuntimeError, "^RESOURCE"),
        (1, "INTERNAL: a single process", RuntimeError, "^INTERNAL"),
    ],
)
def test_what_jax_raises_is_explained_if_a_process_is_lost(
    n_processes, text, error, message
):
    with (
        mock.patch.object(jax, "process_count", return_value=n_processes),
        pytest.raises(error, match=message),
        processes.explained(),
    ):
        raise jax.errors.JaxRuntimeError(text)


class _Pair:
    """Two processes that train together. A context manager."""

    def __init__(self, folder, workdir, *args):
        config = examples.config(**_OVERRIDES)
        command = [
            *small_runs.command(folder, config, workdir),
            f"--compilation_cache={folder / 'cache'}",
            "--distributed",
            f"--coordinator=127.0.0.1:{device_cases.free_port()}",
            "--n_processes=2",
            *args,
        ]
        environment = os.environ | {"XLA_FLAGS": device_cases.with_devices(2)}
        self.logs = [folder / f"{i}.log" for i in range(2)]
        self.processes = []
        for i, log in enumerate(self.logs):
            with log.open("w") as file:
                self.processes.append(
                    subprocess.Popen(
                        [*command, f"--process_id={i}"],
                        stdout=file,
                        stderr=file,
                        env=environment,
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

        def is_new():
            assert [p.poll() for p in self.processes] == [None] * 2, self.text()
            return _last_step(self._workdir) != self._before

        self.wait_until(is_new)

    def wait_until(self, condition):
        # What is waited for comes, or the test is lost.
        deadline = time.monotonic() + small_runs.PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.01)

    def wait(self, i):
        """Waits for the end of process i, and returns its exit code."""
        return self.processes[i].wait(small_runs.PATIENCE_SECONDS)

    def text(self):
        return "\n".join(log.read_text() for log in self.logs)


def _last_step(workdir):
    names = [path.name for path in workdir.checkpoints.glob("[0-9]*")]
    return max((int(name) for name in names if name.isdigit()), default=0)


@pytest.mark.slow
def test_run_that_changes_hands_is_that_of_one_process(tmp_path):
    """Each process is killed once, one is told to stop, and one takes over.

    Every time, the run goes on from where it was, in two processes or in one;
    it ends with the parameters of a run in one process that nothing happened
    to.
    """
    run, workdir = small_runs.run(**_OVERRIDES), Workdir(tmp_path / "run")
    _kill(1, _Pair(tmp_path, workdir))
    _kill(0, _Pair(tmp_path, workdir, "--resume"))
    _take_over(run, workdir)
    _stop(1, _Pair(tmp_path, workdir, "--resume"), workdir)
    # Process 0 takes a while over log p(x), and the other waits for it.
    slow = "--config.evaluate.importance_samples=2000"
    with _Pair(tmp_path, workdir, "--resume", slow) as pair:
        assert [pair.wait(i) for i in (0, 1)] == [0, 0], pair.text()
        assert "resumed at step" in pair.logs[1].read_text()
    (state,) = disk.restore(run, workdir)
    whole = recording.InMemory()
    (wanted,), _ = loop.train(run, whole)
    assert int(state.step) == int(wanted.step)
    np.testing.assert_array_equal(state.key, wanted.key)
    # Where a gradient is next to 0, rounding decides its sign, and Adam's first
    # steps after a fit are as long as any: 1e-3 each.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=5e-3),
        state.params,
        wanted.params,
    )
    for split in ("train", "test", "fit"):
        steps, wanted_steps = (
            [record["step"] for record in records(source, split)]
            for source in (workdir, whole)
        )
        assert steps == wanted_steps
    assert steps == [33]  # of the fit


def _kill(i, pair):
    """Kills process i in mid-training: the other ends, and says why."""
    with pair:
        pair.wait_for_a_checkpoint()
        pair.processes[i].kill()
        assert pair.wait(1 - i) != 0
        message = re.compile(
            "^error: .*another process of the run has ended or cannot be "
            "reached: start all processes again, with --resume",
            re.MULTILINE,
        )
        log = pair.logs[1 - i]
        # A shell writes the line just after.
        pair.wait_until(lambda: message.search(log.read_text()))
        assert "Traceback" not in log.read_text()
        assert "most recent call first" not in log.read_text()


def _take_over(run, workdir):
    """Goes on in this process alone, up to the middle of an epoch."""
    before = _last_step(workdir)
    recorder = small_runs.InterruptedAt(workdir, "train", 1, signal.SIGINT)
    with pytest.raises(stopping.Stopped):
        loop.train(run, recorder)
    assert _last_step(workdir) > before
    assert _last_step(workdir) % 11 != 0


def _stop(i, pair, workdir):
    """Sends SIGTERM to process i alone: both stop, with the state saved."""
    with pair:
        pair.wait_for_a_checkpoint()
        pair.processes[i].send_signal(signal.SIGTERM)
        codes = [pair.wait(j) for j in (0, 1)]
        assert codes == [128 + signal.SIGTERM] * 2, pair.text()
        (step,) = re.findall(
            r"stopped by SIGTERM at step (\d+); the state is saved",
            pair.logs[0].read_text(),
        )
        assert int(step) == _last_step(workdir)
        assert "error:" not in pair.text()
