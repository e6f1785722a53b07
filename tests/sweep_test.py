# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The sweep: its arms, its files, and that nothing is trained twice."""

import csv
import pathlib
import statistics
import subprocess
import sys
import tempfile

import pytest
from absl.testing import absltest, parameterized

_ROOT = pathlib.Path(__file__).parents[1]
_DIGITS = _ROOT / "experiments" / "configs" / "digits.py"
# The experiments are commands, not a package.
sys.path.insert(0, str(_ROOT / "experiments"))
import sweep  # noqa: E402


class ArmsTest(parameterized.TestCase):
    def test_every_combination_is_an_arm_with_its_values(self):
        arms = sweep.make_arms(
            [str(_DIGITS)],
            [
                "train.learning_rate=1e-3,2e-3",
                "train.estimator=five_terms,closed_form",
            ],
            n_seeds=3,
        )
        self.assertEqual(
            [
                (arm.settings.train.learning_rate, arm.settings.train.estimator)
                for arm in arms
            ],
            [
                (1e-3, "five_terms"),
                (1e-3, "closed_form"),
                (2e-3, "five_terms"),
                (2e-3, "closed_form"),
            ],
        )
        self.assertEqual({arm.settings.n_seeds for arm in arms}, {3})
        self.assertLen({arm.name for arm in arms}, 4)

    def test_tuples_are_values_too(self):
        (one, other) = sweep.make_arms(
            [str(_DIGITS)], ["progressive.stage_epochs=(1,2),(3,4)"], n_seeds=1
        )
        self.assertEqual(one.settings.progressive.stage_epochs, (1, 2))
        self.assertEqual(other.settings.progressive.stage_epochs, (3, 4))

    @parameterized.parameters(
        ("train.learning_rate", "expected section.setting=value"),
        ("train.learning_rat=1", "train.learning_rat: the config has no such"),
        ("train.learning_rate=-1.0", "train.learning_rate must be positive"),
        ("seed.x=1", "seed.x: the config has no such"),
        ("seed=1,1", "an arm twice"),
    )
    def test_faults_are_found_before_anything_is_trained(self, vary, message):
        with self.assertRaisesRegex(ValueError, message):
            sweep.make_arms([str(_DIGITS)], [vary], n_seeds=2)

    def test_config_that_is_not_there(self):
        with self.assertRaisesRegex(FileNotFoundError, "nowhere.py"):
            sweep.make_arms(["nowhere.py"], [], n_seeds=2)


@pytest.mark.slow
class SweepTest(absltest.TestCase):
    def test_two_arms_of_two_seeds_are_gathered_and_not_trained_again(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        command = [
            sys.executable,
            _ROOT / "experiments" / "sweep.py",
            f"--configs={_DIGITS}",
            f"--workdir={folder}",
            "--n_seeds=2",
            "--vary=train.learning_rate=1e-3,2e-3",
            "--vary=progressive.stage_epochs=(1,1)",
            "--vary=evaluate.importance_samples=0",
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with (folder / "results.csv").open() as file:
            rows = list(csv.DictReader(file))
        self.assertLen({row["arm"] for row in rows}, 2)
        seeds = {row["seed"] for row in rows}
        self.assertEqual(seeds, {"0", "1", "all"})  # all: their agreement
        arm = rows[0]["arm"]
        self.assertIn("train.learning_rate=0.001", arm)
        bounds = [
            float(row["value"])
            for row in rows
            if row["arm"] == arm and row["measure"] == "mixture_bound"
        ]
        mean, std = statistics.mean(bounds), statistics.stdev(bounds)
        self.assertIn(
            f"| {arm} |  |  | mixture_bound | {mean:.3f} ({std:.3f}) | 2 |",
            (folder / "results.md").read_text(),
        )
        before = {
            path: path.stat().st_mtime_ns
            for path in folder.glob("*/seed_*/results.json")
        }
        self.assertLen(before, 4)
        (folder / "results.csv").unlink()
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for path, time in before.items():
            self.assertEqual(path.stat().st_mtime_ns, time)
        self.assertTrue((folder / "results.csv").exists())


if __name__ == "__main__":
    absltest.main()
