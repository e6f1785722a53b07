# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sweeps and distributed runs on a real Slurm, which the tests start."""

import csv
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
from mfcvae_jax.report import results
from mfcvae_jax.training import disk, runs
from tests import examples
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

_ROOT = pathlib.Path(__file__).parents[2]
# Long enough to be cancelled in the middle.
_CONFIG = {
    **examples.config(**small_runs.ONE_FACET),
    "progressive": {
        **examples.config()["progressive"],
        "stage_epochs": (60,),
    },
}
_BATCHES = (119, 238)
_ARMS = [f"small,train.batch_size={size}" for size in _BATCHES]
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
        # What one process has compiled, all can use.
        cls.environment = {
            "JAX_COMPILATION_CACHE_DIR": str(cls.folder / "cache"),
            **cls.cluster.environment,
        }
        _write(_CONFIG, cls.folder / "small.py")
        cls.here = cls.folder / "here"
        _run(cls, *_sweep(cls.here), code=0)

    def test_jobs_come_to_the_same_results(self):
        """Though the sweep is killed meanwhile, and called again."""
        there = self.folder / "there"
        command = [
            *_sweep(there),
            "--launcher=slurm",
            "--slurm=cpus-per-task=1",
        ]
        with self._started(*command) as killed:
            self._wait_for(lambda: set(self.cluster.jobs()) == set(_ARMS))
            killed.kill()
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
        self.assertLen(list(there.glob("slurm/*/*_submission.sh")), len(_ARMS))

    def test_job_that_is_cancelled_goes_on_and_one_that_fails_is_named(self):
        """Neither keeps the results of other arms back."""
        bad = {**_CONFIG["data"], "name": "npy", "path": "nowhere"}
        _write({**_CONFIG, "data": bad}, self.folder / "bad.py")
        there = self.folder / "cancelled"
        command = [
            *_sweep(there, "bad.py,small.py", _BATCHES[0]),
            "--launcher=slurm",
        ]
        home = workdir.Workdir(there / _ARMS[0])
        with self._started(*command) as sweep:
            self._wait_for(lambda: any(home.path.glob("seed_*/checkpoints/2*")))
            self.cluster.cancel(_ARMS[0])
            text, _ = sweep.communicate(timeout=_PATIENCE_SECONDS)
        self.assertEqual(sweep.returncode, 2, text)
        self.assertFalse(home.results.exists(), "was not cancelled in time")
        (log,) = re.findall(f"{re.escape(_ARMS[0])} has no.*: see (.*)", text)
        self.assertIn("stopped by SIGTERM", pathlib.Path(log).read_text())

        text = self._run(*command, code=2)
        (log,) = re.findall("bad,.* has no results: see (.*)", text)
        self.assertIn("nowhere", pathlib.Path(log).read_text())
        wanted = [row for row in _rows(self.here) if row["arm"] == _ARMS[0]]
        self.assertEqual(_rows(there), wanted)
        run = runs.make_run(home.settings())
        for ours, theirs in zip(
            disk.restore(run, home),
            disk.restore(run, workdir.Workdir(self.here / _ARMS[0])),
            strict=True,
        ):
            small_runs.assert_equal_states(ours, theirs)

    def test_two_tasks_of_srun_are_one_distributed_run(self):
        config = self.folder / "even.py"
        _write(
            {
                **_CONFIG,
                "train": {**_CONFIG["train"], "batch_size": 238},
                "progressive": {**_CONFIG["progressive"], "stage_epochs": (4,)},
            },
            config,
        )
        command = [
            sys.executable,
            "-m",
            "mfcvae_jax",
            "train",
            f"--config={config}",
        ]
        found = []
        for name, start, flags in (
            ("alone", [], []),
            ("tasks", ["srun", "-n", "2"], ["--distributed"]),
        ):
            path = self.folder / name
            self._run(*start, *command, f"--workdir={path}", *flags)
            found.append(
                results.Results.from_json(
                    json.loads((path / "results.json").read_text())
                )
            )
        one, two = (
            {(r.measure.name, r.facet, r.labeling): r.value for r in f.rows()}
            for f in found
        )
        self.assertEqual(one.keys(), two.keys())
        for key, value in one.items():
            np.testing.assert_allclose(
                two[key], value, rtol=1e-3, err_msg=str(key)
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

    def _run(self, *command, code=0):
        return _run(self, *command, code=code)

    def _started(self, *command):
        return _started(self, *command)

    def _wait_for(self, is_there):
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_there():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)


def _write(config, file):
    file.write_text(
        "import ml_collections\n"
        "def get_config():\n"
        f"    return ml_collections.ConfigDict({config!r})\n"
    )


def _sweep(workdir, configs="small.py", *batches):
    sizes = ",".join(map(str, batches or _BATCHES))
    return [
        *(sys.executable, str(_ROOT / "experiments" / "sweep.py")),
        *(f"--configs={configs}", f"--workdir={workdir}", "--n_seeds=2"),
        f"--vary=train.batch_size={sizes}",
    ]


def _started(of, *command):
    return subprocess.Popen(
        command,
        env=of.environment,
        cwd=of.folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _run(of, *command, code):
    with _started(of, *command) as process:
        text, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == code, text
    return text


def _rows(folder):
    with (folder / "results.csv").open() as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    absltest.main()
