# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run says and keeps when the disk is full."""

import pathlib
import re
import resource
import subprocess
import tempfile

import pytest
from absl.testing import absltest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import disk, runs, writers
from tests import examples
from tests.training import small_runs

_RECORD = {"step": 1, "epoch": 0.1, "split": "train"}


class FullDiskTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.workdir = workdir_lib.Workdir(f"{folder}/run")

    def _assert_explains(self, message, path, how="--resume"):
        """It is one line that says where, how much is free, and what to do."""
        self.assertRegex(message, rf"{path}.* MB are free.*ake room.*{how}")
        self.assertNotIn("\n", message)

    def test_config(self):
        self.workdir.path.mkdir()
        self.workdir.config.with_suffix(".part").symlink_to("/dev/full")
        with (
            self.assertRaises(workdir_lib.NotWrittenError) as caught,
            self.workdir.claim(examples.settings(), resume=False),
        ):
            pass
        self._assert_explains(
            str(caught.exception), self.workdir.path, "start again"
        )
        self.workdir.config.with_suffix(".part").unlink()
        with self.workdir.claim(examples.settings(), resume=False):
            pass

    def test_metrics(self):
        self.workdir.path.mkdir()
        self.workdir.metrics.with_suffix(".part").symlink_to("/dev/full")
        writer = writers.MetricsWriter(self.workdir, -1)
        with self.assertRaises(workdir_lib.NotWrittenError) as caught:
            writer.write(_RECORD | {"loss": 1.0})
        self._assert_explains(
            str(caught.exception), self.workdir.path, "start again"
        )
        with self.assertRaises(workdir_lib.NotWrittenError):
            writer.__exit__()

    def test_tensorboard_neither_hangs_nor_is_silent(self):
        self.workdir.path.mkdir()
        writer = writers.MetricsWriter(self.workdir, -1)
        (path,) = self.workdir.tensorboard.iterdir()
        # The process can write no more than that into any one file.
        limit = path.stat().st_size + 100
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with (
                self.assertRaises(workdir_lib.NotWrittenError) as caught,
                writer,
            ):
                # Of the record in JSON, 100 bytes more would have fitted.
                for _ in range(9):
                    writer.write(_RECORD | {"a name of a number": 1.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        self._assert_explains(
            str(caught.exception), self.workdir.path, "start again"
        )


@pytest.mark.slow
class FullDiskCommandTest(absltest.TestCase):
    """The command says what is wrong in one line, and goes on from there."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.compiled = cls.enterClassContext(tempfile.TemporaryDirectory())

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.path = self.folder / "run"
        self.path.mkdir()
        self.workdir = workdir_lib.Workdir(self.path)
        # More checkpoints than fit on the disk.
        config = examples.config(
            **(small_runs.ONE_FACET | {"progressive": {"stage_epochs": (12,)}}),
            checkpoint={"keep": 99},
        )
        self.command = (
            *small_runs.command(self.folder, config, self.workdir),
            f"--compilation_cache={self.compiled}",
        )

    def _assert_explains(self, stderr):
        self.assertNotIn("Traceback", stderr)
        (line,) = [x for x in stderr.splitlines() if x.startswith("error: ")]
        self.assertRegex(
            line, rf"{self.path}.* MB are free.*room and continue with --resume"
        )
        return line

    def test_small_disk(self):
        unshare = _private_mounts()
        if unshare is None:
            self.skipTest("needs a mount namespace, which is not allowed here")
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
                *(str(self.path), *self.command),
            ],
            capture_output=True,
            text=True,
            timeout=2 * small_runs.PATIENCE_SECONDS,
        )
        codes = re.findall(r"ended with (\d+)", done.stdout)
        self.assertEqual(codes, ["2", "0"], done.stderr)
        full, resumed = done.stderr.split("-- more room --")
        self._assert_explains(full)
        (step,) = re.findall(r"resumed at step (\d+)", resumed)
        self.assertGreaterEqual(int(step), 12)
        copy = workdir_lib.Workdir(f"{self.path}.copy")
        run = runs.make_run(copy.settings())
        self.assertEqual(int(disk.restore(run, copy)[0].step), 144)

    def test_small_files(self):
        done = subprocess.run(
            ["sh", "-c", 'ulimit -f 40; exec "$@"', "sh", *self.command],
            capture_output=True,
            text=True,
            timeout=small_runs.PATIENCE_SECONDS,
        )
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(
            "last good one is none", self._assert_explains(done.stderr)
        )


def _private_mounts():
    """The command after which another can mount what it likes, or None."""
    for options in (("--mount",), ("--user", "--map-root-user", "--mount")):
        command = ("unshare", *options)
        try:
            subprocess.run(
                [
                    *command,
                    "mount",
                    "-t",
                    "tmpfs",
                    "none",
                    tempfile.gettempdir(),
                ],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    return None
