# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The sweep: its arms, its files, and that nothing is trained twice."""

import contextlib
import io
import itertools
import os
import pathlib
import sys
import tempfile
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax import workdir
from mfcvae_jax.report import csv_rows, seeds
from tests import examples, scripts
from tests.report.results_test import example

_DIGITS = scripts.CONFIGS / "published" / "digits.py"
sweep = scripts.load("sweep")
slurm_jobs = scripts.load("slurm_jobs")


class ArmsTest(parameterized.TestCase):
    def test_every_combination_is_an_arm_with_its_values(self):
        arms = sweep.make_arms(
            [str(_DIGITS)],
            [
                "train.learning_rate=1e-3,2e-3",
                "train.estimator=five_terms,closed_form",
                "progressive.stage_epochs=(1,2),(3,4)",
            ],
            n_seeds=3,
        )
        wanted = itertools.product(
            (1e-3, 2e-3), ("five_terms", "closed_form"), ((1, 2), (3, 4))
        )
        for arm, values in zip(arms, wanted, strict=True):
            train, progressive = arm.settings.train, arm.settings.progressive
            self.assertEqual(
                (
                    train.learning_rate,
                    train.estimator,
                    progressive.stage_epochs,
                ),
                values,
            )
        self.assertEqual({arm.settings.n_seeds for arm in arms}, {3})
        self.assertLen({arm.name for arm in arms}, 8)

    @parameterized.parameters(
        ("train.learning_rate", "expected section.setting=value"),
        ("train.learning_rat=1", "did you mean train.learning_rate?"),
        ("train.learning_rate=-1.0", "train.learning_rate must be positive"),
        ("seed.x=1", "seed.x: the config has no such"),
        ("seed=1,1", "an arm twice"),
    )
    def test_faults_are_found_before_anything_is_trained(self, vary, message):
        with self.assertRaisesRegex(ValueError, message):
            sweep.make_arms([str(_DIGITS)], [vary], n_seeds=2)

    def test_arm_that_diverges_is_named_and_has_no_results(self):
        (arm,) = sweep.make_arms([str(_DIGITS)], [], n_seeds=2)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        said = self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        with mock.patch.object(
            sweep.loop, "train", side_effect=FloatingPointError("seeds gone")
        ):
            sweep.train(arm, pathlib.Path(folder))
        self.assertEmpty(sweep.gather(arm, pathlib.Path(folder)))
        self.assertIn("digits has no results: seeds gone", said.getvalue())


class RowsTest(absltest.TestCase):
    """An arm of three seeds that was trained before, one of which diverged."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.arm = sweep.Arm("arm", examples.settings(seed=5, n_seeds=3))
        home = workdir.Workdir(self.folder / "arm")
        with home.claim(self.arm.settings, resume=False):
            pass
        folders = [*home.by_seed(self.arm.settings).values()]
        folders[1].diverged.write_text("nan\n")
        self.results = {5: example(seed=0), 7: example(seed=1)}
        for seed, at in ((5, folders[0]), (7, folders[2])):
            at.write_results(self.results[seed].to_json())
        rng = np.random.default_rng(0)
        assignments = {seed: rng.integers(0, 4, (60, 2)) for seed in (5, 7)}
        summary = seeds.to_json(seeds.summarise(self.results, assignments))
        home.write_results(summary)
        self.stability = summary["stability"]

    def _values(self, rows, measure):
        """By seed, facet and labeling."""
        return {
            (row["seed"], row["facet"], row["labeling"]): row["value"]
            for row in rows
            if row["measure"] == measure
        }

    def test_every_number_of_every_seed_that_came_to_its_end_has_a_row(self):
        rows = sweep.gather(self.arm, self.folder)
        for name in ("kept", "gap", "nmi", "redundancy"):
            wanted = {
                (seed, row.facet, row.labeling): row.value
                for seed, found in self.results.items()
                for row in found.rows()
                if row.measure.name == name
            }
            self.assertEqual(self._values(rows, name), wanted)
        self.assertEqual(
            self._values(rows, "stability"),
            {("all", str(j), ""): v for j, v in enumerate(self.stability)},
        )

    def test_single_seed_left_has_no_stability(self):
        home = workdir.Workdir(self.folder / "arm")
        alone = seeds.summarise({5: self.results[5]}, {})
        home.write_results(seeds.to_json(alone))
        (self.folder / "arm" / "seed_7" / "results.json").unlink()
        rows = sweep.gather(self.arm, self.folder)
        self.assertEqual(self._values(rows, "stability"), {})
        self.assertEqual({row["seed"] for row in rows}, {5})

    def test_table_and_file_hold_the_same_numbers(self):
        rows = sweep.gather(self.arm, self.folder)
        sweep.write_results(rows, self.folder)
        found = csv_rows.read(self.folder / "results.csv")
        self.assertEqual(
            [row["value"] for row in found], [str(row["value"]) for row in rows]
        )
        kept = [r.diversity[1]["kept"] for r in self.results.values()]
        mean, std = np.mean(kept), np.std(kept, ddof=1)
        table = (self.folder / "results.md").read_text()
        self.assertIn(
            f"| arm | 1 |  | kept | {mean:.3f} ({std:.3f}) | 2 |", table
        )
        self.assertIn(
            f"| arm | 0 |  | stability | {self.stability[0]:.3f} | 1 |", table
        )
        self.assertEmpty(list(self.folder.glob("*.part")))


class JobsTest(absltest.TestCase):
    """What is said where there is no Slurm; `slurm_test.py` has one."""

    def _run(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        commands = {"one": [sys.executable]}
        list(slurm_jobs.run(commands, folder, [], lambda name: False))

    def test_submitit_is_missing(self):
        with (
            mock.patch.dict(sys.modules, submitit=None),
            self.assertRaisesRegex(ModuleNotFoundError, r"\.\[slurm\]"),
        ):
            self._run()

    def test_slurm_is_missing(self):
        with (
            mock.patch.dict(os.environ, PATH=""),
            self.assertRaisesRegex(RuntimeError, "squeue.*No such file"),
        ):
            self._run()


@pytest.mark.slow
class SweepTest(absltest.TestCase):
    def test_arm_of_two_seeds_is_gathered_and_not_trained_again(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        command = [
            "experiments/sweep.py",
            f"--configs={_DIGITS}",
            f"--workdir={folder}",
            "--n_seeds=2",
            "--vary=train.learning_rate=1e-3",
            "--vary=progressive.stage_epochs=(1,1)",
            "--vary=evaluate.importance_samples=0",
        ]
        done = scripts.run(*command)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = csv_rows.read(folder / "results.csv")
        (arm,) = {row["arm"] for row in rows}
        self.assertIn("train.learning_rate=0.001", arm)
        seeds_seen = {row["seed"] for row in rows}
        self.assertEqual(seeds_seen, {"0", "1", "all"})  # all: agreement
        self.assertIn(
            f"| {arm} |  |  | mixture_bound |",
            (folder / "results.md").read_text(),
        )
        before = {
            path: path.stat().st_mtime_ns
            for path in folder.glob("*/seed_*/results.json")
        }
        self.assertLen(before, 2)
        (folder / "results.csv").unlink()
        done = scripts.run(*command)
        self.assertEqual(done.returncode, 0, done.stderr)
        for path, time in before.items():
            self.assertEqual(path.stat().st_mtime_ns, time)
        self.assertTrue((folder / "results.csv").exists())
