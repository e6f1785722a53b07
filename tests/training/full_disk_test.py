# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run says and keeps when the disk is full."""

import contextlib
import re
import resource
import subprocess
import tempfile

import pytest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import disk, runs, writers
from tests import examples
from tests.training import small_runs

_RECORD = {"step": 1, "epoch": 0.1, "split": "train"}


@pytest.fixture
def workdir(tmp_path):
    found = workdir_lib.Workdir(tmp_path / "run")
    found.path.mkdir()
    return found


@contextlib.contextmanager
def _raises(workdir):
    """The error says where, how much is free, and what to do, in a line."""
    message = rf"{workdir.path}.* MB are free.*ake room.*start again"
    with pytest.raises(workdir_lib.NotWrittenError, match=message) as caught:
        yield
    assert "\n" not in str(caught.value)


def test_config(workdir):
    part = workdir.config.with_suffix(".part")
    part.symlink_to("/dev/full")
    with _raises(workdir), workdir.claim(examples.settings(), resume=False):
        pass
    part.unlink()
    with workdir.claim(examples.settings(), resume=False):
        pass


def test_metrics(workdir):
    workdir.metrics.with_suffix(".part").symlink_to("/dev/full")
    writer = writers.MetricsWriter(workdir, -1)
    with _raises(workdir):
        writer.write(_RECORD | {"loss": 1.0})
    with _raises(workdir):
        writer.__exit__()


def test_tensorboard_neither_hangs_nor_is_silent(workdir):
    writer = writers.MetricsWriter(workdir, -1)
    (path,) = workdir.tensorboard.iterdir()
    # The process can write no more than that into any one file.
    limit = path.stat().st_size + 100
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with _raises(workdir), writer:
            # Of the record in JSON, 100 bytes more would have fitted.
            for _ in range(9):
                writer.write(_RECORD | {"a name of a number": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def command(workdir, tmp_path, compiled):
    """Trains a run with more checkpoints than fit on the disk."""
    config = examples.config(
        **(small_runs.ONE_FACET | {"progressive": {"stage_epochs": (12,)}}),
        checkpoint={"keep": 99},
    )
    return [
        *small_runs.command(tmp_path, config, workdir),
        f"--compilation_cache={compiled}",
    ]


def _explained(stderr, workdir):
    """The command says what is wrong in one line, and how to go on."""
    assert "Traceback" not in stderr
    (line,) = [x for x in stderr.splitlines() if x.startswith("error: ")]
    assert re.search(
        rf"{workdir.path}.* MB are free.*room and continue with --resume", line
    )
    return line


@pytest.mark.slow
def test_small_disk(workdir, command):
    unshare = _private_mounts()
    if unshare is None:
        pytest.skip("needs a mount namespace, which is not allowed here")
    done = subprocess.run(
        [
            *(*unshare, "sh", "-c"),
            """
            mount -t tmpfs -o size=1m none "$0" || exit 100
            "$@"
            echo "ended with $?"
            mount -o remount,size=64m "$0" || exit 100
            echo >&2 "-- more room --"
            "$@" --resume
            echo "ended with $?"
            rm -rf "$0/figures"
            cp -r "$0" "$0.copy"
            """,
            *(str(workdir.path), *command),
        ],
        capture_output=True,
        text=True,
        timeout=2 * small_runs.PATIENCE_SECONDS,
    )
    codes = re.findall(r"ended with (\d+)", done.stdout)
    assert codes == ["2", "0"], done.stderr
    full, resumed = done.stderr.split("-- more room --")
    _explained(full, workdir)
    (step,) = re.findall(r"resumed at step (\d+)", resumed)
    assert int(step) >= 12
    copy = workdir_lib.Workdir(f"{workdir.path}.copy")
    run = runs.make_run(copy.settings())
    assert int(disk.restore(run, copy)[0].step) == 144


@pytest.mark.slow
def test_small_files(workdir, command):
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 40; exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        timeout=small_runs.PATIENCE_SECONDS,
    )
    assert done.returncode == 2, done.stderr
    assert "last good one is none" in _explained(done.stderr, workdir)


def _private_mounts():
    """The command after which another can mount what it likes, or None."""
    mount = ("mount", "-t", "tmpfs", "none", tempfile.gettempdir())
    for options in (("--mount",), ("--user", "--map-root-user", "--mount")):
        command = ("unshare", *options)
        with contextlib.suppress(OSError):
            done = subprocess.run([*command, *mount], capture_output=True)
            if done.returncode == 0:
                return command
    return None
