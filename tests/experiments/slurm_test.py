# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sweeps and distributed runs on a real Slurm, which the tests start."""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from absl.testing import absltest

from mfcvae_jax import workdir as workdir_lib
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
_CONFIG = examples.config(
    **{
        **small_runs.ONE_FACET,
        "progressive": {"stage_epochs": (60,), "fade_in_steps": 300},
        "train": {"batch_size": 238, "steps_per_dispatch": 6},
    }
)
_SLOW, _FAST = "small,train.learning_rate=0.001", "small,train.learning_rate=0.002"
# A job that has gone is a job that the test has lost.
_PATIENCE_SECONDS = 600


class SlurmTest(absltest.TestCase):
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
        cls.config = cls._write("small.py", _CONFIG)

    @classmethod
    def _write(cls, name, config):
        file = cls.folder / name
        file.write_text(
            "import ml_collections\n"
            "def get_config():\n"
            f"    return ml_collections.ConfigDict({config!r})\n"
        )
        return str(file)

    def _start(self, *command):
        return subprocess.Popen(
            [*map(str, command)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _run(self, *command, code=0):
        process = self._start(*command)
        text, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        self.assertEqual(process.returncode, code, text)
        return text
