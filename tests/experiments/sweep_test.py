# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The sweep: its arms, its files, and that nothing is trained twice."""

import itertools
import sys
from unittest import mock

import numpy as np
import pytest

from mfcvae_jax import workdir
from mfcvae_jax.report import csv_rows, seeds
from tests import examples, scripts
from tests.report.results_test import example

_DIGITS = scripts.CONFIGS / "published" / "digits.py"
sweep = scripts.load("sweep")
slurm_jobs = scripts.load("slurm_jobs")


def test_every_combination_is_an_arm_with_its_values():
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
    found = [
        (
            arm.train.learning_rate,
            arm.train.estimator,
            arm.progressive.stage_epochs,
        )
        for arm in arms.values()
    ]
    assert found == list(wanted)
    assert {arm.n_seeds for arm in arms.values()} == {3}


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ("train.learning_rate", "expected section.setting=value"),
        ("train.learning_rat=1", "did you mean train.learning_rate?"),
        ("train.learning_rate=-1.0", "train.learning_rate must be positive"),
        ("seed.x=1", "seed.x: the config has no such"),
        ("seed=1,1", "an arm twice"),
    ],
)
def test_faults_are_found_before_anything_is_trained(vary, message):
    with pytest.raises(ValueError, match=message):
        sweep.make_arms([str(_DIGITS)], [vary], n_seeds=2)


def test_arm_that_diverges_is_named_and_has_no_results(tmp_path, capsys):
    home = workdir.Workdir(tmp_path / "digits")
    settings = examples.settings(n_seeds=2)
    with mock.patch.object(
        sweep.loop, "train", side_effect=FloatingPointError("seeds gone")
    ):
        sweep.train(settings, home)
    assert sweep.gather(settings, home) == []
    assert "digits has no results: seeds gone" in capsys.readouterr().out


class TestRows:
    """An arm of three seeds that was trained before, one of which diverged."""

    @pytest.fixture(autouse=True)
    def _arm(self, tmp_path):
        self.settings = examples.settings(seed=5, n_seeds=3)
        self.home = workdir.Workdir(tmp_path / "arm")
        with self.home.claim(self.settings, resume=False):
            pass
        folders = self.home.by_seed(self.settings)
        folders[6].diverged.write_text("nan\n")
        self.results = {5: example(seed=0), 7: example(seed=1)}
        for seed, found in self.results.items():
            folders[seed].write_results(found.to_json())
        rng = np.random.default_rng(0)
        assignments = {seed: rng.integers(0, 4, (60, 2)) for seed in (5, 7)}
        summary = seeds.to_json(seeds.summarise(self.results, assignments))
        self.home.write_results(summary)
        self.stability = summary["stability"]

    def _values(self, measure):
        """By seed, facet and labeling."""
        return {
            (row["seed"], row["facet"], row["labeling"]): row["value"]
            for row in sweep.gather(self.settings, self.home)
            if row["measure"] == measure
        }

    def test_every_number_of_every_seed_that_came_to_its_end_has_a_row(self):
        for name in ("kept", "gap", "nmi", "redundancy"):
            assert self._values(name) == {
                (seed, row.facet, row.labeling): row.value
                for seed, found in self.results.items()
                for row in found.rows()
                if row.measure.name == name
            }
        assert self._values("stability") == {
            ("all", str(j), ""): v for j, v in enumerate(self.stability)
        }

    def test_single_seed_left_has_no_stability(self):
        alone = seeds.summarise({5: self.results[5]}, {})
        self.home.write_results(seeds.to_json(alone))
        self.home.by_seed(self.settings)[7].results.unlink()
        assert self._values("stability") == {}
        assert {seed for seed, *_ in self._values("gap")} == {5}

    def test_table_and_file_hold_the_same_numbers(self, tmp_path):
        rows = sweep.gather(self.settings, self.home)
        sweep.write_results(rows, tmp_path)
        found = csv_rows.read(tmp_path / "results.csv")
        assert [r["value"] for r in found] == [str(r["value"]) for r in rows]
        kept = [r.diversity[1]["kept"] for r in self.results.values()]
        mean, std = np.mean(kept), np.std(kept, ddof=1)
        table = (tmp_path / "results.md").read_text()
        assert f"| arm | 1 |  | kept | {mean:.3f} ({std:.3f}) | 2 |" in table
        agreement = f"{self.stability[0]:.3f}"
        assert f"| arm | 0 |  | stability | {agreement} | 1 |" in table
        assert not list(tmp_path.glob("*.part"))


class TestJobs:
    """What is said where there is no Slurm; `slurm_test.py` has one."""

    def _run(self, folder):
        commands = {"one": [sys.executable]}
        list(slurm_jobs.run(commands, folder, [], lambda name: False))

    def test_submitit_is_missing(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "submitit", None)
        with pytest.raises(ModuleNotFoundError, match=r"\.\[slurm\]"):
            self._run(tmp_path)

    def test_slurm_is_missing(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "")
        with pytest.raises(RuntimeError, match="squeue.*No such file"):
            self._run(tmp_path)


@pytest.mark.slow
def test_arm_of_two_seeds_is_gathered_and_not_trained_again(tmp_path):
    def run():
        done = scripts.run(
            "experiments/sweep.py",
            f"--configs={_DIGITS}",
            f"--workdir={tmp_path}",
            "--n_seeds=2",
            "--vary=train.learning_rate=1e-3",
            "--vary=progressive.stage_epochs=(1,1)",
            "--vary=evaluate.importance_samples=0",
        )
        assert done.returncode == 0, done.stderr

    run()
    rows = csv_rows.read(tmp_path / "results.csv")
    (arm,) = {row["arm"] for row in rows}
    assert "train.learning_rate=0.001" in arm
    # All stands for their agreement.
    assert {row["seed"] for row in rows} == {"0", "1", "all"}
    table = (tmp_path / "results.md").read_text()
    assert f"| {arm} |  |  | mixture_bound |" in table
    before = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.glob("*/seed_*/results.json")
    }
    assert len(before) == 2
    (tmp_path / "results.csv").unlink()
    run()
    for path, time in before.items():
        assert path.stat().st_mtime_ns == time
    assert (tmp_path / "results.csv").exists()
