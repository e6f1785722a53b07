# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run survives: SIGKILL, damaged files, a rival."""

import json
import multiprocessing
import random
import resource
import signal
import subprocess
import tempfile
import time

import jax
import pytest
from absl.testing import parameterized

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import (
    checkpoint,
    disk,
    loop,
    recording,
    runs,
)
from mfcvae_jax.training import state as state_lib
from tests.training import small_runs
from tests.training.small_runs import assert_equal_states


def _context():
    """Starts processes that have imported everything, but computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "mfcvae_jax.training.loop"])
    return context


def _train(path, overrides, file_bytes=None):
    """Starts or continues a run; the target of a process.

    Args:
        path: of the workdir; an error is written beside it.
        overrides: of the settings.
        file_bytes: no file may grow larger, as if the disk were full.
    """
    workdir = workdir_lib.Workdir(path)
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    small_runs.train(
        small_runs.run(**overrides),
        workdir,
        resume=workdir.config.exists(),
        compilation_cache=workdir.compilation_cache,
    )


def _wait_until(condition, process=None):
    """Waits for a condition, or for the end of a process.

    Returns:
        Whether the condition came true.
    """
    deadline = time.monotonic() + small_runs.PATIENCE_SECONDS
    while not condition():
        if process is not None and not process.is_alive():
            return False
        if time.monotonic() > deadline:
            raise TimeoutError("nothing has happened for a long time")
        time.sleep(0.001)
    return True


class _Folders(parameterized.TestCase):
    def new_workdir(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        return workdir_lib.Workdir(f"{folder}/run")


@pytest.mark.slow
class KillTest(_Folders, parameterized.TestCase):
    """A run with a view and a warm-up, killed several times, or never."""

    def test_killed_4_times_ends_in_the_same_bits_and_records(self):
        self._kill(4)

    @pytest.mark.thorough
    def test_killed_20_times_ends_in_the_same_bits_and_records(self):
        self._kill(20)

    def _kill(self, n_kills):
        run = small_runs.run(**small_runs.LONG)
        recorder = recording.InMemory()
        (wanted,), _ = loop.train(run, recorder)
        killed = self.new_workdir()
        rng = random.Random(0)
        n_in_saves = 0
        for i in range(n_kills):
            process = _context().Process(
                target=_train, args=(killed.path, small_runs.LONG)
            )
            process.start()
            try:
                if i % 2:  # in a save
                    self._wait_for_saves(killed, process, rng.choice((1, 2)))
                    time.sleep(rng.uniform(0, 0.02))
                elif i % 4:  # between two steps, or in a score
                    self._wait_for_records(killed, process, rng.randint(1, 6))
                    time.sleep(rng.uniform(0, 0.02))
                else:  # while it reads, compiles or restores
                    _wait_until(killed.config.exists, process)
                    time.sleep(rng.uniform(0, 2))
                self.assertTrue(process.is_alive(), f"over before kill {i}")
            finally:
                process.kill()
                process.join()
            self.assertEqual(process.exitcode, -signal.SIGKILL)
            n_in_saves += bool(_unfinished(killed))
        self.assertGreaterEqual(n_in_saves, n_kills // 4)
        (state,) = small_runs.train(
            run,
            killed,
            resume=True,
            compilation_cache=killed.compilation_cache,
        )
        assert_equal_states(state, wanted)
        assert_equal_states(disk.restore(run, killed)[0], wanted)
        self.assertEqual(
            small_runs.records(killed),
            [r for r in recorder.records if r["split"] != "speed"],
        )
        self.assertEmpty(_unfinished(killed))

    def _wait_for_records(self, workdir, process, n):
        """Waits until a process has written n records."""

        def n_starts():
            return len(list(workdir.tensorboard.glob("*")))

        before = n_starts()
        _wait_until(lambda: n_starts() > before, process)
        n += len(workdir.records())
        self.assertTrue(
            _wait_until(lambda: len(workdir.records()) >= n, process)
        )

    def _wait_for_saves(self, workdir, process, n):
        """Waits until a process has begun its nth save."""
        old, seen = set(_unfinished(workdir)), set()

        def is_seen():
            seen.update(set(_unfinished(workdir)) - old)
            return len(seen) >= n

        self.assertTrue(_wait_until(is_seen, process), "it ended by itself")


def _unfinished(workdir):
    """Folders of saves that are under way, or were when the writer died."""
    return [p.name for p in workdir.checkpoints.glob("*.orbax-checkpoint-tmp*")]


class DamageTest(_Folders):
    """Checkpoints of which a file is truncated or missing."""

    def setUp(self):
        super().setUp()
        self.run_ = small_runs.run()
        self.workdir = self.new_workdir()
        self.blank = runs.blank_state(self.run_)

    def _save(self, *steps):
        """Saves states that differ, as a run would, and returns them."""
        state = jax.tree.map(
            lambda leaf: jax.numpy.ones(leaf.shape, leaf.dtype),
            jax.eval_shape(state_lib.with_key_data, self.blank),
        )
        state = state_lib.with_typed_key(state)
        states = [state._replace(step=jax.numpy.int32(n)) for n in steps]
        with checkpoint.Checkpointer(
            self.workdir.checkpoints, self.run_.settings, is_writer=True
        ) as saved:
            for state in states:
                saved.save(state, 0.5)
        return states

    @pytest.mark.slow
    def test_any_damaged_file_is_noticed_or_does_no_harm(self):
        before, last = self._save(1, 2)
        folder = self.workdir.checkpoints / "2"
        files = [p for p in folder.rglob("*") if p.is_file()]
        kept = {p: p.read_bytes() for p in files}
        n_skipped = 0
        for i, path in enumerate(sorted(files)):
            # Each file in one way, so each way for several files.
            for damage in (("missing", "truncated", "empty")[i % 3],):
                with self.subTest(f"{damage} {path.relative_to(folder)}"):
                    if damage == "missing":
                        path.unlink()
                    else:
                        n = len(kept[path]) // 2 if damage[0] == "t" else 0
                        path.write_bytes(kept[path][:n])
                    try:
                        (found,) = disk.restore(self.run_, self.workdir)
                    finally:
                        path.write_bytes(kept[path])
                    is_skipped = int(found.step) == 1
                    n_skipped += is_skipped
                    assert_equal_states(found, before if is_skipped else last)
        # The pieces that orbax has merged into others do no harm.
        self.assertGreaterEqual(n_skipped, 3)

    @pytest.mark.slow
    def test_none_that_can_be_read(self):
        with self.workdir.claim(self.run_.settings, resume=False):
            pass
        self._save(1, 2)
        for folder in self.workdir.checkpoints.iterdir():
            _truncate(folder)
        path = str(self.workdir.checkpoints)
        with self.assertRaisesRegex(checkpoint.DamagedError, path):
            disk.restore(self.run_, self.workdir)
        with (
            self.assertRaisesRegex(checkpoint.DamagedError, path),
        ):
            small_runs.train(self.run_, self.workdir, resume=True)

    @pytest.mark.slow
    def test_training_goes_on_from_the_one_before(self):
        run = small_runs.run(**small_runs.ONE_FACET)
        cache = self.workdir.path.parent / "cache"
        (wanted,) = small_runs.train(run, self.workdir, compilation_cache=cache)
        last = self.workdir.checkpoints / "24"
        for damage in (_truncate, _remove_a_file):
            with self.subTest(damage.__name__):
                damage(last)
                with self.assertLogs(level="ERROR") as logged:
                    self.assertEqual(
                        int(disk.restore(run, self.workdir)[0].step), 12
                    )
                    (state,) = small_runs.train(
                        run,
                        self.workdir,
                        resume=True,
                        compilation_cache=cache,
                    )
                for line in logged.output:
                    self.assertIn(f"{last} cannot be read", line)
                self.assertLen(logged.output, 2)
                assert_equal_states(state, wanted)
                assert_equal_states(disk.restore(run, self.workdir)[0], wanted)


def _truncate(folder):
    """Halves the largest file of a checkpoint."""
    path = _largest(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _remove_a_file(folder):
    _largest(folder).unlink()


def _largest(folder):
    files = [p for p in folder.rglob("*") if p.is_file()]
    return max(files, key=lambda p: p.stat().st_size)


class ClaimTest(_Folders):
    @pytest.mark.slow
    def test_second_process_is_refused_until_the_first_is_killed(self):
        workdir = self.new_workdir()
        process = _context().Process(
            target=_train,
            args=(
                workdir.path,
                small_runs.LONG | {"progressive": {"stage_epochs": (9999,)}},
            ),
        )
        process.start()
        try:
            self.assertTrue(_wait_until(workdir.config.exists, process))
            config = json.loads(workdir.config.read_text())
            done = subprocess.run(
                [
                    *small_runs.command(workdir.path.parent, config, workdir),
                    "--resume",
                ],
                capture_output=True,
                text=True,
                timeout=small_runs.PATIENCE_SECONDS,
            )
            self.assertTrue(process.is_alive())
        finally:
            process.kill()
            process.join()
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(
            done.stderr, f"error: another process is .*{workdir.path}"
        )
        with workdir.claim(workdir.settings(), resume=True):
            pass
