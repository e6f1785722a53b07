# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run survives: SIGKILL, damaged files, a rival."""

import contextlib
import json
import multiprocessing
import pathlib
import random
import signal
import subprocess
import time

import pytest

from mfcvae_jax.training import checkpoint, disk, loop, recording
from mfcvae_jax.workdir import Workdir
from tests.training import small_runs
from tests.training.small_runs import assert_equal_states, records

pytestmark = pytest.mark.slow


def _train(path, overrides):
    """Starts or continues a run; the target of a process."""
    workdir = Workdir(path)
    small_runs.train(
        small_runs.run(**overrides),
        workdir,
        resume=workdir.config.exists(),
        compilation_cache=workdir.compilation_cache,
    )


@contextlib.contextmanager
def _process(workdir, overrides):
    """Trains in a process, which is killed at the end."""
    # It has imported everything, but computed nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "mfcvae_jax.training.loop"])
    process = context.Process(target=_train, args=(workdir.path, overrides))
    process.start()
    try:
        yield process
        assert process.is_alive(), "it is over before it is killed"
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL


def _wait_until(condition, process):
    """Waits for a condition, which a process must live to see."""
    deadline = time.monotonic() + small_runs.PATIENCE_SECONDS
    while not condition():
        assert process.is_alive(), "it ended by itself"
        assert time.monotonic() < deadline, "nothing has happened for long"
        time.sleep(0.001)


@pytest.mark.parametrize(
    "n_kills", [4, pytest.param(20, marks=pytest.mark.thorough)]
)
def test_killed_it_ends_in_the_same_bits_and_records(n_kills, tmp_path):
    """A run with a view and a warm-up, killed several times, or never."""
    run = small_runs.run(**small_runs.LONG)
    recorder = recording.InMemory()
    (wanted,), _ = loop.train(run, recorder)
    killed = Workdir(tmp_path / "run")
    rng = random.Random(0)
    n_in_saves = 0
    for i in range(n_kills):
        with _process(killed, small_runs.LONG) as process:
            if i % 2:  # in a save
                _wait_for_saves(killed, process, rng.choice((1, 2)))
                time.sleep(rng.uniform(0, 0.02))
            elif i % 4:  # between two steps, or in a score
                _wait_for_records(killed, process, rng.randint(1, 6))
                time.sleep(rng.uniform(0, 0.02))
            else:  # while it reads, compiles or restores
                _wait_until(killed.config.exists, process)
                time.sleep(rng.uniform(0, 2))
        n_in_saves += bool(_unfinished(killed))
    assert n_in_saves >= n_kills // 4
    (state,) = small_runs.train(
        run, killed, resume=True, compilation_cache=killed.compilation_cache
    )
    assert_equal_states(state, wanted)
    assert_equal_states(disk.restore(run, killed)[0], wanted)
    assert records(killed) == records(recorder)
    assert not _unfinished(killed)


def _wait_for_records(workdir, process, n):
    """Waits until a process has written n records."""

    def n_starts():
        return len(list(workdir.tensorboard.glob("*")))

    before = n_starts()
    _wait_until(lambda: n_starts() > before, process)
    n += len(workdir.records())
    _wait_until(lambda: len(workdir.records()) >= n, process)


def _wait_for_saves(workdir, process, n):
    """Waits until a process has begun its nth save."""
    old, seen = _unfinished(workdir), set()

    def is_seen():
        seen.update(_unfinished(workdir) - old)
        return len(seen) >= n

    _wait_until(is_seen, process)


def _unfinished(workdir):
    """Folders of saves that are under way, or were when the writer died."""
    return {p.name for p in workdir.checkpoints.glob("*.orbax-checkpoint-tmp*")}


@pytest.fixture(name="saved")
def _saved(tmp_path):
    """Two checkpoints that differ, as a run would save them."""
    run, workdir = small_runs.run(), Workdir(tmp_path / "run")
    states = [small_runs.some_state(run, step) for step in (1, 2)]
    recorder = disk.InWorkdir(workdir)
    with recorder.recording(run):
        for state in states:
            recorder.save(0, state, 0.5)
    return run, workdir, states


def test_any_damaged_file_is_noticed_or_does_no_harm(saved, subtests):
    run, workdir, (before, last) = saved
    folder = workdir.checkpoints / "2"
    n_skipped = 0
    for i, path in enumerate(sorted(_files(folder))):
        # Each file in one way, so each way for several files.
        damage = (pathlib.Path.unlink, _truncate, _empty)[i % 3]
        kept = path.read_bytes()
        with subtests.test(f"{damage.__name__} {path.relative_to(folder)}"):
            damage(path)
            try:
                (found,) = disk.restore(run, workdir)
            finally:
                path.write_bytes(kept)
            is_skipped = int(found.step) == 1
            n_skipped += is_skipped
            assert_equal_states(found, before if is_skipped else last)
    # The pieces that orbax has merged into others do no harm.
    assert n_skipped >= 3


def test_none_that_can_be_read(saved):
    run, workdir, _ = saved
    for folder in workdir.checkpoints.iterdir():
        _truncate(_largest(folder))
    path = str(workdir.checkpoints)
    with pytest.raises(checkpoint.DamagedError, match=path):
        disk.restore(run, workdir)
    with pytest.raises(checkpoint.DamagedError, match=path):
        small_runs.train(run, workdir, resume=True)


def test_training_goes_on_from_the_one_before_the_damaged(
    tmp_path, caplog, subtests
):
    run = small_runs.run(**small_runs.ONE_FACET)
    workdir, cache = Workdir(tmp_path / "run"), tmp_path / "cache"
    (wanted,) = small_runs.train(run, workdir, compilation_cache=cache)
    last = workdir.checkpoints / "24"
    for damage in (_truncate, pathlib.Path.unlink):
        with subtests.test(damage.__name__):
            caplog.clear()
            damage(_largest(last))
            assert int(disk.restore(run, workdir)[0].step) == 12
            (state,) = small_runs.train(
                run, workdir, resume=True, compilation_cache=cache
            )
            first, second = (
                record.message
                for record in caplog.records
                if record.levelname == "ERROR"
            )
            assert f"{last} cannot be read" in first
            assert f"{last} cannot be read" in second
            assert_equal_states(state, wanted)
            assert_equal_states(disk.restore(run, workdir)[0], wanted)


def _files(folder):
    return [p for p in folder.rglob("*") if p.is_file()]


def _largest(folder):
    return max(_files(folder), key=lambda p: p.stat().st_size)


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path):
    path.write_bytes(b"")


def test_second_process_is_refused_until_the_first_is_killed(tmp_path):
    workdir = Workdir(tmp_path / "run")
    endless = small_runs.LONG | {"progressive": {"stage_epochs": (9999,)}}
    with _process(workdir, endless) as process:
        _wait_until(workdir.config.exists, process)
        config = json.loads(workdir.config.read_text())
        done = subprocess.run(
            [*small_runs.command(tmp_path, config, workdir), "--resume"],
            capture_output=True,
            text=True,
            timeout=small_runs.PATIENCE_SECONDS,
        )
    assert done.returncode == 2, done.stderr
    message = f"error: another process is training in workdir {workdir.path}"
    assert message in done.stderr
    with workdir.claim(workdir.settings(), resume=True):
        pass
