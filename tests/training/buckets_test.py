# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Workdirs in buckets, of an S3 server on loopback."""

import html
import io
import json
import os
import socket
import subprocess
import sys
import time
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from mfcvae_jax.report import seeds
from mfcvae_jax.training import checkpoint, disk, writers
from mfcvae_jax.workdir import NotWrittenError, Workdir
from tests import examples, object_store, scripts
from tests.commands.calls import call
from tests.training import small_runs
from tests.training.small_runs import assert_equal_states, records, some_state

_RECORD = {"step": 1, "epoch": 0.1, "split": "train"}
_SHORT = small_runs.ONE_FACET | {
    "n_seeds": 2,
    "progressive": {"stage_epochs": (3,), "fade_in_steps": 300},
}


@pytest.fixture
def server():
    with object_store.server() as found:
        yield found
    found.allow()


@pytest.fixture
def bucket(server, tmp_path, monkeypatch):
    """A workdir in a bucket."""
    # What lands on this machine by mistake would land here.
    monkeypatch.chdir(tmp_path)
    yield Workdir(f"s3://{object_store.BUCKET}/{tmp_path.name}")
    assert not list(tmp_path.glob("*:*"))


def _refuse(server, ending=""):
    server.may_write = lambda path: not path.endswith(ending)


@pytest.mark.slow
def test_killed_run_goes_on_and_ends_in_the_same_bits(bucket, server, tmp_path):
    """Two seeds, trained by processes, the first of which is killed."""
    command = [
        *small_runs.command(tmp_path, examples.config(**_SHORT), bucket),
        f"--compilation_cache={bucket.compilation_cache}",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    writes = []

    def kill_in_the_second_checkpoint(path):
        writes.append(path)
        if path.endswith("seed_1/checkpoints/24.zip"):
            process.kill()
            return False
        return True

    server.may_write = kill_in_the_second_checkpoint
    with process:
        _, error = process.communicate(timeout=600)
    assert process.returncode == -9, error.decode()
    assert any(path.endswith("/seed_0/checkpoints/12.zip") for path in writes)
    one = Workdir(bucket.path / "seed_1")
    assert _names(one.checkpoints) == ["12.zip"]

    server.allow()
    done = _called("train", *command[2:], "--resume")
    assert f"report: {bucket.path}/report.html" in done.out
    _check_states_and_records(bucket, Workdir(tmp_path / "run"))
    _check_files(bucket)

    flag = f"--workdir={one.path}"
    assert "step 36 of 36" in _called("evaluate", flag).out
    before = one.results.read_bytes()
    one.results.unlink()
    one.report.unlink()
    _called("report", flag)
    assert one.results.read_bytes() == before
    assert one.report.exists()
    _called("paper", flag, "--make=figure_6")
    _called("sample", flag, f"--out={tmp_path}/out.png")


def _called(name, *args):
    done = call(name, *args)
    assert done.code == 0, done.err
    return done


def _check_states_and_records(bucket, here):
    """Compares them with those of a run of this machine."""
    run = small_runs.run(**_SHORT)
    wanted = small_runs.train(run, here)
    folders = (at.by_seed(run.settings).values() for at in (bucket, here))
    for ours, theirs, found, state in zip(
        *folders, disk.restore(run, bucket), wanted, strict=True
    ):
        assert_equal_states(found, state)
        assert records(ours) == records(theirs)
        assert len(_names(ours.tensorboard)) == 2


def _check_files(bucket):
    folders = bucket.by_seed(bucket.settings())
    assert (bucket.path / "lock").read_bytes() == b""
    assert _names(bucket.compilation_cache)
    seeds.read(folders)
    for seed in folders.values():
        with seed.assignments.open("rb") as file:
            assert np.load(file).shape == (359, 1)
        pictures = list(seed.figures.glob("*.png"))
        assert pictures
        for picture in pictures:
            Image.open(io.BytesIO(picture.read_bytes())).verify()
        assert "</html>" in seed.report.read_bytes().decode()
    page = html.unescape(bucket.report.read_bytes().decode())
    assert 'href="seed_1/report.html"' in page


@pytest.mark.parametrize(
    "address, why",
    [("s3://nowhere/run", "does not exist"), ("", "you may write")],
)
def test_bucket_that_cannot_be_written_is_said_before_training(
    bucket, server, tmp_path, address, why
):
    if not address:
        _refuse(server)
    workdir = Workdir(address) if address else bucket
    config = examples.config(**small_runs.ONE_FACET)
    _, _, *flags = small_runs.command(tmp_path, config, workdir)
    done = call("train", *flags)
    assert done.code == 2
    (line,) = done.err.strip().splitlines()
    assert f"error: cannot write in workdir {workdir.path}" in line
    assert why in line
    assert "start again" in line


def test_nothing_to_evaluate_is_said(bucket):
    done = call("evaluate", f"--workdir={bucket.path}")
    assert done.code == 2
    assert f"no run in workdir {bucket.path}" in done.err


@pytest.fixture(scope="module")
def run():
    return small_runs.run()


def _checkpointer(bucket, run):
    return checkpoint.Checkpointer(bucket.checkpoints, run)


def test_checkpoint_that_is_refused_leaves_the_one_before(bucket, server, run):
    saved = _checkpointer(bucket, run)
    message = f"saved in {bucket.checkpoints}; .* of step 1. See that"
    with pytest.raises(checkpoint.NotSavedError, match=message), saved:
        saved.save(some_state(run, 1))
        saved.wait()
        _refuse(server, ".zip")
        saved.save(some_state(run, 2))
    with _checkpointer(bucket, run) as saved:
        assert saved.steps() == [1]


def test_damaged_checkpoint_is_left_out(bucket, run):
    with _checkpointer(bucket, run) as saved:
        for step in (1, 2):
            saved.save(some_state(run, step), bound=-step)
    file = bucket.checkpoints / "2.zip"
    file.write_bytes(file.read_bytes()[:-100])
    with _checkpointer(bucket, run) as saved:
        (found,) = checkpoint.restore_latest([saved])
        assert found.step == 1
        assert saved.best_step() == 1


def test_refused_records_are_an_error(bucket, server):
    with writers.MetricsWriter(bucket, 0) as writer:
        writer.write(_RECORD)
        writer.publish()
        assert bucket.records() == [_RECORD]
        _refuse(server, "metrics.jsonl")
        with pytest.raises(NotWrittenError, match=f"workdir {bucket.path} "):
            writer.publish()
        server.allow()


def _claim(bucket):
    """One writer at a time, as far as a bucket can tell."""
    return bucket.claim(examples.settings(), resume=False)


def _sign(bucket, host, pid, seconds_ago):
    signature = {"host": host, "pid": pid, "time": time.time() - seconds_ago}
    lock = bucket.path / "lock"
    lock.write_bytes(json.dumps(signature).encode())


def test_second_claim_is_refused_until_the_first_is_over(bucket):
    busy = f"another process.*{socket.gethostname()}"
    with (
        _claim(bucket),
        pytest.raises(RuntimeError, match=busy),
        _claim(bucket),
    ):
        pass
    with _claim(bucket):
        pass
    assert bucket.settings() == examples.settings()


def test_lock_of_a_process_that_is_gone_is_taken(bucket):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    _sign(bucket, socket.gethostname(), gone.pid, 0)
    with _claim(bucket):
        pass


def test_lock_of_another_host_holds_as_long_as_it_is_fresh(bucket):
    _sign(bucket, "elsewhere", 1, seconds_ago=10)
    with pytest.raises(RuntimeError, match="elsewhere"), _claim(bucket):
        pass
    _sign(bucket, "elsewhere", 1, seconds_ago=1000)
    with _claim(bucket):
        pass


def test_something_else_is_not_overwritten(bucket):
    (bucket.path / "thesis.tex").write_bytes(b"years of work")
    with pytest.raises(ValueError, match="holds no run"), _claim(bucket):
        pass


# In the place of gcsfs, whose protocols are the same.
_IN_MEMORY = """
import fsspec
from fsspec.implementations import memory
class Bucket(memory.MemoryFileSystem):
    protocol = ("gs", "gcs")
    store, pseudo_dirs = {}, [""]
    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.partition("://")[2] if "://" in path else path
for name in Bucket.protocol:
    fsspec.register_implementation(name, Bucket)

from mfcvae_jax import workdir
from mfcvae_jax.training import writers
from tests import examples
run = workdir.Workdir("gs://bucket/run")
with run.claim(examples.settings(), resume=False):
    with writers.MetricsWriter(run, 0) as writer:
        writer.write({"step": 1, "epoch": 0.1, "split": "train"})
run.write_results({})
assert run.settings() == examples.settings()
assert len(run.records()) == 1
print(*Bucket.store)
"""


@pytest.mark.slow
def test_address_of_google_is_kept(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _IN_MEMORY],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(scripts.ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == []
    written = done.stdout.split()
    for name in ("lock", "config.json", "metrics.jsonl", "results.json"):
        assert f"/bucket/run/{name}" in written


def test_missing_package_is_named():
    with (
        mock.patch.dict(sys.modules, {"gcsfs": None}),
        pytest.raises(
            ImportError, match="gs://bucket/run cannot.*pip install gcsfs"
        ),
    ):
        Workdir("gs://bucket/run")


def _names(folder):
    return sorted(path.name for path in folder.iterdir())
