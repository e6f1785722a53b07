# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Workdirs in buckets, of an S3 server on loopback."""

import html
import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from unittest import mock

import numpy as np
import pytest
from absl.testing import parameterized
from PIL import Image

from mfcvae_jax import storage, workdir
from mfcvae_jax.report import seeds
from mfcvae_jax.training import checkpoint, disk, runs, writers
from mfcvae_jax.training import state as state_lib
from tests import examples, object_store
from tests.commands.calls import call
from tests.training import small_runs
from tests.training.small_runs import assert_equal_states

_ROOT = pathlib.Path(__file__).parents[2]
_RECORD = {"step": 1, "epoch": 0.1, "split": "train"}
_SHORT = small_runs.ONE_FACET | {
    "n_seeds": 2,
    "progressive": {"stage_epochs": (3,), "fade_in_steps": 300},
}


class _InBucket(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enterClassContext(object_store.server())

    def setUp(self):
        super().setUp()
        self.addCleanup(self.server.allow)
        self.address = f"s3://{object_store.BUCKET}/{self.id()}"
        self.workdir = workdir.Workdir(self.address)
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        # What lands on this machine by mistake would land here.
        self.addCleanup(os.chdir, pathlib.Path.cwd())
        os.chdir(self.folder)
        self.addCleanup(
            lambda: self.assertEqual(list(self.folder.glob("*:*")), [])
        )

    def state(self, run, step):
        """One of zeros, after a step."""
        blank = runs.blank_state(run)
        return state_lib.zeros(blank)._replace(step=np.int32(step))

    def refuse(self, ending=""):
        self.server.may_write = lambda path: not path.endswith(ending)


@pytest.mark.slow
class RunTest(_InBucket):
    """Two seeds, trained by processes, the first of which is killed."""

    def test_killed_run_goes_on_and_ends_in_the_same_bits(self):
        config = examples.config(**_SHORT)
        command = [
            *small_runs.command(self.folder, config, self.workdir),
            f"--compilation_cache={self.workdir.compilation_cache}",
        ]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        writes = []

        def kill_in_the_second_checkpoint(path):
            writes.append(path)
            if path.endswith("seed_1/checkpoints/24.zip"):
                process.kill()
                return False
            return True

        self.server.may_write = kill_in_the_second_checkpoint
        with process:
            _, error = process.communicate(timeout=600)
        self.assertEqual(process.returncode, -9, error.decode())
        self.assertIn(
            f"/{object_store.BUCKET}/{self.id()}/seed_0/checkpoints/12.zip",
            writes,
        )
        one = self.workdir.path / "seed_1"
        self.assertEqual(_names(one / "checkpoints"), ["12.zip"])

        self.server.allow()
        done = call("train", *command[2:], "--resume")
        self.assertEqual(done.code, 0, done.err)
        self.assertIn(f"report: {self.address}/report.html", done.out)
        self._check_states_and_records()
        self._check_files()

        evaluated = call("evaluate", f"--workdir={one}")
        self.assertEqual(evaluated.code, 0, evaluated.err)
        self.assertIn("step 36 of 36", evaluated.out)
        before = (one / "results.json").read_bytes()
        (one / "results.json").unlink()
        (one / "report.html").unlink()
        reported = call("report", f"--workdir={one}")
        self.assertEqual(reported.code, 0, reported.err)
        self.assertEqual((one / "results.json").read_bytes(), before)
        self.assertTrue((one / "report.html").exists())
        self._check_paper_and_sample(f"--workdir={one}")

    def _check_states_and_records(self):
        """Compares them with those of a run of this machine."""
        run = small_runs.run(**_SHORT)
        here = workdir.Workdir(self.folder / "run")
        wanted = small_runs.train(run, here)
        found = disk.restore(run, self.workdir)
        folders = zip(
            [*self.workdir.by_seed(run.settings).values()],
            [*here.by_seed(run.settings).values()],
            strict=True,
        )
        for ours, theirs, (there, at) in zip(
            found, wanted, folders, strict=True
        ):
            assert_equal_states(ours, theirs)
            self.assertEqual(small_runs.records(there), small_runs.records(at))
            self.assertLen(_names(there.tensorboard), 2)

    def _check_files(self):
        settings = self.workdir.settings()
        self.assertEqual((self.workdir.path / "lock").read_bytes(), b"")
        self.assertTrue(_names(self.workdir.compilation_cache))
        seeds.read(self.workdir.by_seed(settings))
        for seed in [*self.workdir.by_seed(settings).values()]:
            with seed.assignments.open("rb") as file:
                self.assertEqual(np.load(file).shape, (359, 1))
            pictures = list(seed.figures.glob("*.png"))
            self.assertNotEmpty(pictures)
            for picture in pictures:
                Image.open(io.BytesIO(picture.read_bytes())).verify()
            self.assertIn("</html>", seed.report.read_bytes().decode())
        page = html.unescape(self.workdir.report.read_bytes().decode())
        self.assertIn('href="seed_1/report.html"', page)

    def _check_paper_and_sample(self, flag):
        drawn = call("paper", flag, "--make=figure_6")
        self.assertEqual(drawn.code, 0, drawn.err)
        sampled = call("sample", flag, f"--out={self.folder}/out.png")
        self.assertEqual(sampled.code, 0, sampled.err)


class RefusedTest(_InBucket):
    """Buckets that are not there, or may not be written."""

    def _train(self, address):
        command = small_runs.command(
            self.folder,
            examples.config(**small_runs.ONE_FACET),
            workdir.Workdir(address),
        )
        done = call("train", *command[2:])
        self.assertEqual(done.code, 2)
        self.assertLen(done.err.strip().splitlines(), 1)
        self.assertRegex(done.err, f"error: cannot write in workdir {address}")
        self.assertIn("start again", done.err)
        return done.err

    def test_missing_bucket_is_said_before_training(self):
        self.assertIn("does not exist", self._train("s3://nowhere/run"))

    def test_bucket_that_refuses_writes_is_said_before_training(self):
        self.refuse()
        self.assertIn("you may write", self._train(self.address))

    def test_nothing_to_evaluate_is_said(self):
        done = call("evaluate", f"--workdir={self.address}")
        self.assertEqual(done.code, 2)
        self.assertIn(f"no run in workdir {self.address}", done.err)

    def test_checkpoint_that_is_refused_leaves_the_one_before(self):
        run = small_runs.run()
        saved = checkpoint.Checkpointer(
            self.workdir.checkpoints, run.settings, is_writer=True
        )
        with (
            self.assertRaisesRegex(
                checkpoint.NotSavedError,
                f"saved in {self.workdir.checkpoints}; .* of step 1. See that",
            ),
            saved,
        ):
            saved.save(self.state(run, 1))
            saved.wait()
            self.refuse(".zip")
            saved.save(self.state(run, 2))
        with checkpoint.Checkpointer(
            self.workdir.checkpoints, run.settings
        ) as saved:
            self.assertEqual(saved.steps(), [1])

    def test_damaged_checkpoint_is_left_out(self):
        run = small_runs.run()
        with checkpoint.Checkpointer(
            self.workdir.checkpoints, run.settings
        ) as saved:
            for step in (1, 2):
                saved.save(self.state(run, step), bound=-step)
        file = self.workdir.checkpoints / "2.zip"
        file.write_bytes(file.read_bytes()[:-100])
        with checkpoint.Checkpointer(
            self.workdir.checkpoints, run.settings
        ) as saved:
            found = checkpoint.restore_latest(
                [saved], lambda: [runs.blank_state(run)]
            )[0]
            self.assertEqual(found.step, 1)
            self.assertEqual(saved.best_step(), 1)

    def test_refused_records_are_an_error(self):
        with writers.MetricsWriter(self.workdir, 0) as writer:
            writer.write(_RECORD)
            writer.publish()
            self.assertEqual(self.workdir.records(), [_RECORD])
            self.refuse("metrics.jsonl")
            with self.assertRaisesRegex(
                workdir.NotWrittenError, f"workdir {self.address} "
            ):
                writer.publish()
            self.server.allow()


class ClaimTest(_InBucket):
    """One writer at a time, as far as a bucket can tell."""

    def _claim(self):
        return self.workdir.claim(examples.settings(), resume=False)

    def _sign(self, host, pid, seconds_ago):
        signature = {
            "host": host,
            "pid": pid,
            "time": time.time() - seconds_ago,
        }
        lock = self.workdir.path / "lock"
        lock.write_bytes(json.dumps(signature).encode())

    def test_second_claim_is_refused_until_the_first_is_over(self):
        with (
            self._claim(),
            self.assertRaisesRegex(
                RuntimeError, f"another process.*{socket.gethostname()}"
            ),
            self._claim(),
        ):
            pass
        with self._claim():
            pass
        self.assertEqual(self.workdir.settings(), examples.settings())

    def test_lock_of_a_process_that_is_gone_is_taken(self):
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        self._sign(socket.gethostname(), gone.pid, 0)
        with self._claim():
            pass

    @parameterized.parameters((10, True), (1000, False))
    def test_lock_of_another_host_holds_as_long_as_it_is_fresh(
        self, seconds_ago, is_held
    ):
        self._sign("elsewhere", 1, seconds_ago)
        if is_held:
            with self.assertRaisesRegex(RuntimeError, "elsewhere"):
                self.enterContext(self._claim())
        else:
            self.enterContext(self._claim())

    def test_something_else_is_not_overwritten(self):
        (self.workdir.path / "thesis.tex").write_bytes(b"years of work")
        with self.assertRaisesRegex(ValueError, "holds no run"):
            self.enterContext(self._claim())

    def test_one_of_several_makes_a_file(self):
        lock = self.workdir.path / "lock"
        self.assertTrue(storage.create(lock))
        self.assertFalse(storage.create(lock))


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


class AddressTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_address_of_google_is_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-c", _IN_MEMORY],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(_ROOT)},
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(os.listdir(folder), [])
        written = done.stdout.split()
        for name in ("lock", "config.json", "metrics.jsonl", "results.json"):
            self.assertIn(f"/bucket/run/{name}", written)

    def test_missing_package_is_named(self):
        with (
            mock.patch.dict(sys.modules, {"gcsfs": None}),
            self.assertRaisesRegex(
                ImportError, "gs://bucket/run cannot.*pip install gcsfs"
            ),
        ):
            workdir.Workdir("gs://bucket/run")


def _names(folder):
    return sorted(path.name for path in folder.iterdir())
