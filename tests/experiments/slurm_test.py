# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sweeps and distributed runs on a real Slurm, which the tests start."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from absl.testing import absltest

from mfcvae_jax import workdir
from mfcvae_jax.report import csv_rows, results
from mfcvae_jax.training import disk, runs
from tests import examples, scripts
from tests.experiments import slurm_cluster
from tests.training import small_runs

pytest.importorskip("submitit", reason="sweeps on Slurm need submitit")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        slurm_cluster.missing() != "",
        reason="apt-get install slurm-wlm munge: there is no "
        + slurm_cluster.missing(),
    ),
]

_CONFIG = examples.config(
    **small_runs.ONE_FACET
    | {"train": {"batch_size": 238, "steps_per_dispatch": 6}}
)
# The second is long enough to be cancelled in the middle.
_EPOCHS = ("(4,)", "(60,)")
_SHORT, _LONG = (f"small,progressive.stage_epochs={n}" for n in _EPOCHS)
# What is waited for here comes, or the test is lost.
_PATIENCE_SECONDS = 600


class SlurmTest(absltest.TestCase):
    """All share one Slurm, and one sweep that was trained without it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster = cls.enterClassContext(slurm_cluster.Cluster())
        cls.folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        cls.environment = cls.cluster.environment
        examples.config_file(cls.folder / "small.py", _CONFIG)
        cls.here = cls.folder / "here"
        cls._run(*_sweep(cls.here))

    def test_jobs_come_to_the_same_results(self):
        """Though the sweep is killed meanwhile, and called again."""
        there = self.folder / "there"
        command = [
            *_sweep(there),
            "--launcher=slurm",
            "--slurm=cpus-per-task=1",
        ]
        with self._started(*command) as killed:
            while _LONG not in killed.stdout.readline():
                self.assertIsNone(killed.poll())
            killed.kill()
        self.assertIn(_LONG, self.cluster.jobs())
        text = self._run(*command)
        self.assertNotIn("job", text)  # none was submitted again
        for file in ("results.csv", "results.md"):
            self.assertEqual(
                (there / file).read_text(), (self.here / file).read_text()
            )
        # All is done, so nothing is left to do.
        (there / "results.csv").unlink()
        self._run(*command)
        self.assertEqual(
            (there / "results.csv").read_text(),
            (self.here / "results.csv").read_text(),
        )
        self.assertLen(list(there.glob("slurm/*/*_submission.sh")), 2)

    def test_job_that_is_cancelled_goes_on_and_one_that_fails_is_named(self):
        """Neither keeps the results of other arms back."""
        bad = {"data": {"name": "npy", "path": "nowhere"}}
        examples.config_file(self.folder / "bad.py", _CONFIG | bad)
        there = self.folder / "cancelled"
        command = [
            *_sweep(there, "bad.py,small.py", _EPOCHS[1:]),
            "--launcher=slurm",
        ]
        home = workdir.Workdir(there / _LONG)
        with self._started(*command) as sweep:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not any(p.name.isdigit() for p in home.checkpoints.glob("*")):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.cluster.cancel(_LONG)
            text, _ = sweep.communicate(timeout=_PATIENCE_SECONDS)
        self.assertEqual(sweep.returncode, 2, text)
        self.assertFalse(home.results.exists(), "was not cancelled in time")
        (log,) = re.findall(f"{re.escape(_LONG)} has no.*: see (.*)", text)
        self.assertIn("stopped by SIGTERM", pathlib.Path(log).read_text())

        text = self._run(*command, code=2)
        (log,) = re.findall("bad,.* has no results: see (.*)", text)
        self.assertIn("nowhere", pathlib.Path(log).read_text())
        rows = csv_rows.read(self.here / "results.csv")
        wanted = [row for row in rows if row["arm"] == _LONG]
        self.assertEqual(csv_rows.read(there / "results.csv"), wanted)
        run = runs.make_run(home.settings())
        for ours, theirs in zip(
            disk.restore(run, home),
            disk.restore(run, workdir.Workdir(self.here / _LONG)),
            strict=True,
        ):
            small_runs.assert_equal_states(ours, theirs)

    def test_two_tasks_of_srun_are_one_distributed_run(self):
        """One that comes to what one process comes to."""
        alone, tasks = self.here / _SHORT, self.folder / "tasks"
        self._run(
            *("srun", "-n2", sys.executable, "-m", "mfcvae_jax", "train"),
            *("--config=small.py", f"--workdir={tasks}", "--distributed"),
            f"--config.progressive.stage_epochs={_EPOCHS[0]}",
        )
        ours, theirs = map(_scores, (tasks, alone))
        self.assertEqual(ours.keys(), theirs.keys())
        for key, value in theirs.items():
            # The processes sum in another order: an example may change sides.
            np.testing.assert_allclose(
                ours[key], value, rtol=1e-3, atol=1e-2, err_msg=key
            )

    def test_options_that_slurm_refuses_are_said(self):
        text = self._run(
            *_sweep(self.folder / "refused"),
            *("--launcher=slurm", "--slurm=partition=nowhere"),
            code=2,
        )
        self.assertIn("error: ", text)
        self.assertIn("invalid partition", text)
        self.assertNotIn("Traceback", text)

    @classmethod
    def _started(cls, *command):
        return subprocess.Popen(
            command,
            env=cls.environment,
            cwd=cls.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @classmethod
    def _run(cls, *command, code=0):
        with cls._started(*command) as process:
            text, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        assert process.returncode == code, text
        return text


def _sweep(workdir, configs="small.py", epochs=_EPOCHS):
    return [
        *(sys.executable, str(scripts.ROOT / "experiments" / "sweep.py")),
        *(f"--configs={configs}", f"--workdir={workdir}", "--n_seeds=1"),
        f"--vary=progressive.stage_epochs={','.join(epochs)}",
    ]


def _scores(folder):
    found = json.loads((folder / "results.json").read_text())
    return {
        f"{row.measure.name} {row.facet} {row.labeling}": row.value
        for row in results.Results.from_json(found).rows()
    }
