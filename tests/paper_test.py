# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Figures and tables of runs of every kind, also of those that lack some."""

import contextlib
import io
import json
import pathlib
import re
import shutil
import tempfile

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax import exhibits, report, tables
from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.commands import paper, running
from mfcvae_jax.training import loop, runs
from tests import examples

_QUICK = {
    "progressive": {"stage_epochs": (1,), "fade_in_steps": 1},
    "checkpoint": {"every_epochs": 9},
    "evaluate": {"every_epochs": 9, "batch_size": 400},
}


def _train(path, **overrides):
    """Trains a run for an epoch, without a report."""
    run = runs.make_run(examples.settings(**(_QUICK | overrides)))
    folder = workdir_lib.Workdir(path)
    return run, loop.train(run, folder), folder


def _facets(*n_components):
    n = len(n_components)
    ladder = {
        "encoder_backbone": ((16,),) * n,
        "encoder_rungs": ((),) * n,
        "decoder_rungs": ((16,),) * n,
        "decoder_backbone": ((16,),) * n,
    }
    return {
        "facets": {
            "n_components": n_components,
            "latent_dim": (2,) * n,
            "covariance": ("diagonal",) * n,
            "learn_weights": (True,) * n,
        },
        "net": {**examples.config()["net"], **ladder},
    }


def _draw(workdir, *args):
    """Runs the command; returns its exit code, what it says, its errors."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        values = running.parse(paper, ["paper", f"--workdir={workdir}", *args])
        code = running.exit_code(lambda: paper.main(values))
    return code, out.getvalue(), err.getvalue()


class CommandTest(parameterized.TestCase):
    """One run of two seeds, without a report at first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.run_, cls.states, cls.folder = _train(f"{folder}/run", n_seeds=2)

    def test_tables_over_seeds_need_the_results(self):
        code, text, _ = _draw(self.folder.path, "--make=table_2")
        self.assertEqual(code, 0)
        self.assertIn("table_2\nnot drawn: no seed has a results.json", text)
        # No bound tells the best of them.
        self.assertIn(f"{self.folder.path}/seed_0, step 11 of 11", text)

    @parameterized.parameters(
        ("--make=figure_9", "--make=figure_9: choose from figure_4"),
        ("--make=", "--make=: choose from figure_4"),
        ("--pairs=3-4", "--pairs=3-4: expected pairs"),
        ("--make=figure_5 --pairs=0:359", "0 to 358, got 0 to 359"),
        ("--seed=2", "--seed=2: the run in .* has the seeds 0, 1"),
    )
    def test_bad_flag_is_named(self, flags, message):
        code, _, errors = _draw(self.folder.path, *flags.split())
        self.assertEqual(code, 2)
        self.assertRegex(errors, f"^error: .*{message}")
        self.assertEqual(errors.count("\n"), 1)

    def test_workdir_without_checkpoint_or_run(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.assertRegex(_draw(folder)[2], "^error: no run in workdir")
        shutil.copytree(self.folder.path / "seed_0", folder / "run")
        shutil.rmtree(folder / "run" / "checkpoints")
        code, _, errors = _draw(folder / "run")
        self.assertEqual(code, 2)
        self.assertRegex(errors, "^error: .*no checkpoint")
        self.assertEqual(errors.count("\n"), 1)

    def test_given_pairs_are_swapped(self):
        code, text, _ = _draw(
            self.folder.path, "--make=figure_5", "--pairs=0:1,2:3", "--seed=1"
        )
        self.assertEqual(code, 0)
        self.assertIn("seed_1/paper/swaps.png", text)


@pytest.mark.slow
class EveryKindOfRunTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("one_facet", _facets(5), {"figure_5", "grid"}),
        ("three_facets", _facets(4, 5, 3), set()),
        # The middles of all components lie on one spot: one takes all.
        (
            "empty_clusters",
            {"prior_init": {"means": "glorot"}} | _facets(40, 3),
            set(),
        ),
    )
    def test_all_is_drawn_or_said_why_not(self, overrides, missing):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        run, states, home = _train(f"{folder}/run", **overrides)
        report.write_reports(run, states, home)
        code, text, errors = _draw(home.path)
        self.assertEqual(code, 0, errors)
        parts = dict(
            part.split("\n", 1)
            for part in re.split(r"\n\n(?=[a-z])", text.strip())[1:]
        )
        self.assertEqual(set(parts), set(exhibits.EXHIBITS))
        found = {name for name, part in parts.items() if "not drawn" in part}
        self.assertEqual(
            found - {"figure_5"} if not missing else found, missing
        )
        for name in missing:
            self.assertIn("there is one facet", parts[name])
        for path in re.findall(r"^/.*\.(?:png|md)$", text, re.MULTILINE):
            self.assertTrue(pathlib.Path(path).stat().st_size > 0, path)
        page = home.report.read_text()
        self.assertIn("How many clusters", page)

    def test_without_labels(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        np.savez(folder / "mine.npz", images=examples.images(400))
        data = {"name": "npz", "path": str(folder / "mine.npz")}
        run, states, home = _train(folder / "run", data=data)
        report.write_reports(run, states, home)
        _, text, _ = _draw(home.path, "--make=table_1,table_2,pruning")
        self.assertIn("table_1\nnot drawn: these examples have no labels", text)
        self.assertIn("table_2\nnot drawn: these examples have no labels", text)
        self.assertRegex(text, r"\| 1 \| 10 \| \d+ \|")

    def test_half_finished_run_and_seeds_that_diverged(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        run, states, home = _train(folder / "run", n_seeds=3)
        report.write_reports(run, [states[0], states[1], None], home)
        best = json.loads(home.results.read_text())["seeds"][0]
        (home.path / "seed_2" / "diverged.txt").write_text("at step 5\n")
        _, text, _ = _draw(home.path, "--make=table_2")
        self.assertIn(f"seed_{best}, step 11 of 11", text)
        self.assertIn("facet 0, K = 6, 2 seeds", text)
        _, _, errors = _draw(home.path, "--make=grid", "--seed=2")
        self.assertRegex(errors, "^error: the seed in .* diverged")
        # The same run, had it been meant to go on.
        config = json.loads((home.path / "seed_0/config.json").read_text())
        config["progressive"]["stage_epochs"] = [7]
        (home.path / "seed_0/config.json").write_text(json.dumps(config))
        for path in (home.path / "seed_0/checkpoints").glob("*/settings/*"):
            if path.is_file() and path.name == "metadata":
                path.write_text(json.dumps(config))
        _, text, _ = _draw(home.path / "seed_0", "--make=grid")
        self.assertIn("step 11 of 77", text)
        self.assertIn("This run is not at its end", text)


class WritingTest(absltest.TestCase):
    def test_percent_is_mean_and_sample_deviation(self):
        self.assertEqual(tables.percent([0.5]), "50.00")
        values = np.array([0.25, 0.5, 0.9])
        self.assertEqual(
            tables.percent(values),
            f"{100 * values.mean():.2f} ({100 * values.std(ddof=1):.2f})",
        )


if __name__ == "__main__":
    absltest.main()
