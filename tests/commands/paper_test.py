# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's figures and arms, of a trained run of three seeds."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

import pytest
from absl.testing import absltest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.report import exhibits, write
from mfcvae_jax.training import disk, loop, runs
from tests import examples, untrained
from tests.commands.calls import Done, call

_ROOT = pathlib.Path(__file__).parents[2]


def _ablation(folder):
    """The comparison of arms, as a script in a process of its own."""
    done = subprocess.run(
        [sys.executable, "experiments/ablation.py", f"--sweep={folder}"],
        capture_output=True,
        text=True,
        cwd=_ROOT,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _train(folder, **overrides):
    """Trains a run and scores it, without pictures; returns its workdir."""
    run = runs.make_run(examples.settings(**overrides))
    home = workdir_lib.Workdir(folder)
    states, _ = loop.train(run, disk.InWorkdir(home))
    with mock.patch.object(exhibits, "draw", return_value=[]):
        write.write_reports(run, states, home)
    return home


def _parts(text):
    """What is said of each figure and table, by name."""
    return dict(
        part.split("\n", 1)
        for part in re.split(r"\n\n(?=[a-z_0-9]+\n)", text.strip())[1:]
    )


@pytest.mark.slow
class PaperTest(absltest.TestCase):
    """Three seeds of two facets; and what may have happened to them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        cls.home = _train(
            folder / "run",
            n_seeds=3,
            **untrained.facets(12, 5) | {"progressive": {"stage_epochs": (6,)}},
            # All that is enough, in so few steps, to learn anything.
            likelihood={"kind": "gaussian", "std": 0.05, "output": "sigmoid"},
            train={"learning_rate": 5e-3},
            checkpoint={"every_epochs": 3},
            evaluate={"every_epochs": 3},
        )
        cls.best = json.loads(cls.home.results.read_text())["seeds"][0]

        bare = folder / "bare"
        shutil.copytree(cls.home.path / "seed_0", bare)
        shutil.rmtree(bare / "checkpoints")
        # Stopped half-way, when one seed had diverged.
        half = folder / "half"
        shutil.copytree(cls.home.path, half)
        (half / "results.json").unlink()
        (half / "seed_0" / "diverged.txt").write_text("at step 3\n")
        for seed in range(3):
            (half / f"seed_{seed}" / "results.json").unlink()
            (last,) = (half / f"seed_{seed}" / "checkpoints").glob("*66")
            shutil.rmtree(last)

        # Written before results said how diverse samples are.
        old = folder / "old"
        shutil.copytree(cls.home.path, old)
        results = json.loads((old / "seed_1" / "results.json").read_text())
        del results["diversity"]
        (old / "seed_1" / "results.json").write_text(json.dumps(results))

        def paper(home, *args):
            return call("paper", f"--workdir={home}", *args)

        run = cls.home.path
        cls.half = half
        cls.outcomes = {
            "all": paper(run),
            "no run": paper(folder),
            "no checkpoint": paper(bare),
            "old": paper(old, "--make=table_2,figure_6"),
            "half": paper(half, "--make=grid,table_2"),
            "diverged": paper(half, "--make=grid", "--seed=0"),
            "seed": paper(run, "--seed=3"),
            "chosen seed": paper(run, "--seed=1", "--make=grid"),
            "make": paper(run, "--make=figure_5,figure_9"),
            "empty make": paper(run, "--make="),
            "pairs": paper(run, "--pairs=3-4"),
            "negative pair": paper(run, "--pairs=-1:4"),
            "far pair": paper(run, "--pairs=3:4,0:359"),
            "good pairs": paper(run, "--make=figure_5", "--pairs=3:4,7:7"),
            "sweep": _ablation(run),
            "no sweep": _ablation(bare),
        }

    def _error(self, name):
        outcome = self.outcomes[name]
        self.assertEqual(outcome.code, 2, outcome)
        self.assertRegex(outcome.err, r"^error: .*\n$")
        self.assertEqual(outcome.err.count("\n"), 1)
        return outcome.err

    def test_all_is_drawn_of_the_seed_with_the_best_bound(self):
        outcome = self.outcomes["all"]
        self.assertEqual(outcome.code, 0, outcome.err)
        seed = self.home.path / f"seed_{self.best}"
        self.assertIn(f"{seed}, step 66 of 66\n\n", outcome.out)
        self.assertNotIn("not drawn", outcome.out)
        self.assertNotIn("not at its end", outcome.out)
        parts = _parts(outcome.out)
        wanted = {
            name: [seed / "paper" / exhibit.name for exhibit in of_name]
            for name, of_name in exhibits.of_paper().items()
        }
        self.assertEqual(list(parts), list(wanted))
        for name, part in parts.items():
            paths = re.findall(r"^/.*\.(?:png|md)$", part, re.MULTILINE)
            self.assertEqual(list(map(pathlib.Path, paths)), wanted[name])
            for path in paths:
                self.assertGreater(pathlib.Path(path).stat().st_size, 100)
        table = (seed / "paper" / "table_1.md").read_text()
        self.assertIn(table, f"{parts['table_1']}\n")
        self.assertIn("ours, facet 0, K = 12, 3 seeds", parts["table_2"])

    def test_probes_of_what_was_learnt_beat_chance(self):
        table = _parts(self.outcomes["all"].out)["table_1"]
        (both,) = re.findall(r"z of all facets \| (\d+\.\d+)", table)
        self.assertGreater(float(both), 15)

    def test_workdir_without_a_run_or_checkpoint(self):
        self.assertIn("no run in workdir", self._error("no run"))
        self.assertIn("no checkpoint", self._error("no checkpoint"))

    def test_results_of_an_older_version_stop_nothing_else(self):
        outcome = self.outcomes["old"]
        self.assertEqual(outcome.code, 0, outcome.err)
        parts = _parts(outcome.out)
        self.assertRegex(
            parts["table_2"], "not drawn: .* seed 1 .* with mfcvae report"
        )
        self.assertIn("old/seed_", parts["figure_6"])

    def test_half_finished_run_is_drawn_and_says_so(self):
        outcome = self.outcomes["half"]
        self.assertEqual(outcome.code, 0, outcome.err)
        # The first seed that has not diverged.
        self.assertIn(f"{self.half}/seed_1, step 33 of 66\n", outcome.out)
        self.assertIn("This run is not at its end", outcome.out)
        self.assertIn(f"grid\n{self.half}/seed_1/paper/grid.png", outcome.out)
        self.assertIn(
            "table_2\nnot drawn: no seed has a results.json", outcome.out
        )

    def test_seeds_are_chosen_and_faulty_ones_named(self):
        self.assertIn("/seed_1, step 66", self.outcomes["chosen seed"].out)
        self.assertIn("has the seeds 0, 1, 2", self._error("seed"))
        self.assertRegex(
            self._error("diverged"), "seed_0 diverged .* choose another --seed"
        )

    def test_bad_flags_are_named(self):
        self.assertIn(
            "--make=figure_9: choose from figure_4, table_1",
            self._error("make"),
        )
        self.assertIn(
            "--make=: choose from figure_4", self._error("empty make")
        )
        self.assertIn("--pairs=3-4: expected pairs", self._error("pairs"))
        self.assertIn(
            "--pairs=-1:4: expected pairs", self._error("negative pair")
        )

    def test_pair_out_of_range_is_named_before_anything_is_drawn(self):
        self.assertIn(
            "examples 0 to 358, got 0 to 359", self._error("far pair")
        )
        self.assertNotIn("figure_4", self.outcomes["far pair"].out)

    def test_given_pairs_are_swapped(self):
        outcome = self.outcomes["good pairs"]
        self.assertEqual(outcome.code, 0, outcome.err)
        part = _parts(outcome.out)["figure_5"]
        self.assertIn("/paper/swaps.png\n", part)
        self.assertIn("| swapped facet |", part)

    def test_ablation_of_the_seeds(self):
        outcome = self.outcomes["sweep"]
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertIn(f"{self.home.path}/accuracy_digit.png\n", outcome.out)
        table = (self.home.path / "accuracies.md").read_text()
        self.assertIn("| seed_2 | 0, K = 12 | digit |", table)
        self.assertIn("no runs in", self._error("no sweep"))
