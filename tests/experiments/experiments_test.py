# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The experiments' configs, and the scripts as a user types them.

What a signal, a script or a second process could change runs in a process of
its own, the rest in this one.
"""

import ast
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax import config as config_lib
from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import disk, loop, recording, runs
from tests import examples, fixtures, scripts
from tests.commands.calls import call, in_process
from tests.report.results_test import example
from tests.training.small_runs import assert_equal_states

_PUBLISHED = scripts.CONFIGS / "published"
_SMALL = (
    "--config.seed=3",
    "--config.progressive.stage_epochs=(2,2)",
    "--config.progressive.fade_in_steps=5",
    "--config.checkpoint.every_epochs=1",
    "--config.evaluate.every_epochs=2",
    "--config.evaluate.importance_samples=3",
    "--config.train.steps_per_dispatch=4",
)
_PICTURES = (
    *("clusters.png", "samples.png"),
    *("reconstructions.png", "learning_curves.png"),
)
summarise = scripts.load("summarise")


class ConfigsTest(parameterized.TestCase):
    @parameterized.parameters(
        *sorted(
            str(p.relative_to(scripts.CONFIGS))
            for p in scripts.CONFIGS.rglob("*.py")
        )
    )
    def test_config_makes_settings_and_survives_its_json(self, name):
        config = config_lib.load(scripts.CONFIGS / name).to_dict()
        settings = config_lib.from_config(config)
        whole = config_lib.to_config(settings)
        for key in ("prior", "view"):
            # Nothing stands for the default of every facet.
            config["facets"][key] = (
                config["facets"].get(key) or whole["facets"][key]
            )
        self.assertEqual(whole, config)
        as_json = json.dumps(config)
        self.assertEqual(config_lib.from_config(json.loads(as_json)), settings)
        # It says what to type.
        opening = ast.get_docstring(
            ast.parse((scripts.CONFIGS / name).read_text())
        )
        self.assertIn(f"--config=experiments/configs/{name}", opening)
        # The folder says whether its schedule is the published one.
        is_published = (
            not any(settings.progressive.warm_ups)
            and settings.progressive.redundancy_price == 0
            and not any(settings.facets.view)
        )
        self.assertEqual(is_published, name.startswith("published/"))


class SummariseTest(absltest.TestCase):
    def _summarise(self, *runs):
        """Of runs as they are left, each with one accuracy."""
        home = self.enterContext(tempfile.TemporaryDirectory())
        folders = []
        for seed, (accuracy, overrides) in enumerate(runs):
            folder = workdir_lib.Workdir(f"{home}/{seed}")
            settings = examples.settings(seed=seed, **overrides)
            with folder.claim(settings, resume=False):
                pass
            found = example(labelings=("digit",))
            found.terms["mixture_bound"] = seed
            for score in found.scores:
                score["many_to_one"] = accuracy
            plain = found.to_json()
            del plain["clusters_needed"]  # as if an older version had written
            folder.write_results(plain)
            np.save(folder.assignments, np.arange(20).reshape(10, 2) % 6)
            folders.append(str(folder.path))
        return in_process(lambda: summarise.main(["summarise.py", *folders]))

    def test_mean_and_sample_standard_deviation_over_seeds(self):
        done = self._summarise((0.8, {}), (0.9, {}))
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("| Facet 0, K = 9 | digit | 85.0 (7.1) |", done.out)
        self.assertIn("| M, nats | 0.50 (0.71) | 1.00 | 0.00 |", done.out)

    def test_runs_of_different_settings_are_refused(self):
        done = self._summarise(
            (0.8, {}), (0.9, {"prior_init": {"variance": 0.5}})
        )
        self.assertEqual(done.code, 2)
        self.assertIn("prior_init.variance", done.err)


@pytest.mark.slow
class TrainTest(absltest.TestCase):
    def test_run_goes_on_after_ctrl_c_and_can_be_reported_again(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        command = (
            "experiments/train.py",
            f"--config={_PUBLISHED / 'digits_tinted.py'}",
            f"--workdir={folder}",
            *_SMALL,
        )
        with subprocess.Popen(
            [sys.executable, *command],
            cwd=scripts.ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process:
            metrics = folder / "metrics.jsonl"
            while not metrics.exists() or "train" not in metrics.read_text():
                self.assertIsNone(process.poll(), "ended before its signal")
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, first_log = process.communicate()
            self.assertEqual(process.returncode, 128 + signal.SIGINT)
        done = scripts.run(*command, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("resumed at step", done.stderr)
        self.assertIn("facet 0 is fading in", first_log + done.stderr)
        self.assertRegex(done.stdout, r"Facet 1, K = \d+")
        for name in (*_PICTURES, "confusion.png"):
            path = folder / "figures" / name
            self.assertIn(str(path), done.stdout)
            self.assertGreater(path.stat().st_size, 5000)
        page = folder / "report.html"
        self.assertIn(str(page), done.stdout)
        self.assertIn("Explorer", page.read_text())
        # The bits are those of a run that was never stopped.
        home = workdir_lib.Workdir(folder)
        run = runs.make_run(home.settings())
        (wanted,) = loop.train(run, recording.InMemory()).states
        (found,) = disk.restore(run, home)
        assert_equal_states(found, wanted)
        self.assertNotEmpty(list((folder / "tensorboard").iterdir()))
        environment = json.loads((folder / "environment.json").read_text())
        self.assertIn("jax", environment["versions"])
        config = json.loads((folder / "config.json").read_text())
        self.assertEqual(config["seed"], 3)
        results = folder / "results.json"
        found = json.loads(results.read_text())
        self.assertLen(found["scores"], 4)

        results.unlink()
        again = call("report", f"--workdir={folder}")
        self.assertEqual(again.code, 0, again.err)
        self.assertEqual(json.loads(results.read_text()), found)


@pytest.mark.slow
class NpzTest(absltest.TestCase):
    def test_images_without_labels_are_trained_on_and_reported(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        np.savez(folder / "mine.npz", images=examples.images(300))
        done = call(
            "train",
            f"--config={_PUBLISHED / 'digits.py'}",
            f"--workdir={folder / 'run'}",
            "--config.data.name=npz",
            f"--config.data.path={folder / 'mine.npz'}",
            *_SMALL,
        )
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("mine.npz, seed 3, 60 held-out examples", done.out)
        self.assertIn("These examples have no labels", done.out)
        page = (folder / "run" / "report.html").read_text()
        self.assertIn("have no labels", page)
        results = folder / "run" / "results.json"
        first = json.loads(results.read_text())
        self.assertEqual(first["scores"], [])
        self.assertLen(first["clusters_in_use"], 2)
        drawn = set(os.listdir(folder / "run" / "figures"))
        self.assertNotIn("confusion.png", drawn)
        self.assertContainsSubset(_PICTURES, drawn)
        again = call("report", f"--workdir={folder / 'run'}")
        self.assertEqual(again.code, 0, again.err)
        self.assertEqual(json.loads(results.read_text()), first)


@pytest.mark.slow
class ImportTest(absltest.TestCase):
    def test_official_weights_become_a_run_that_can_be_reported(self):
        torch = pytest.importorskip("torch", reason="PyTorch is optional")
        data_dir = fixtures.FOLDER.parent / "data" / "tfds"
        if not data_dir.is_dir():
            self.skipTest(f"no prepared MNIST in {data_dir}")
        fixture = fixtures.load("F7")
        folder = self.enterContext(tempfile.TemporaryDirectory())
        # F7 is a model of 28 x 28 images with widths of its own.
        state_dict = {
            key: torch.tensor(value)
            for key, value in fixture.under("before/").items()
        }
        torch.save({"state_dict": state_dict}, f"{folder}/model.pt")
        done = scripts.run(
            "experiments/import_weights.py",
            f"--config={_PUBLISHED / 'mnist.py'}",
            f"--weights={folder}/model.pt",
            f"--workdir={folder}/run",
            f"--config.data.data_dir={data_dir}",
            "--config.facets.n_components=(7,5)",
            "--config.facets.latent_dim=(3,2)",
            "--config.net.encoder_backbone=((32,),(48,))",
            "--config.net.encoder_rungs=((),(20,))",
            "--config.net.decoder_rungs=((24,),(40,))",
            "--config.net.decoder_backbone=((36,),(24,))",
            "--config.net.batch_norm=true",
            "--config.net.activation=elu",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        workdir = workdir_lib.Workdir(f"{folder}/run")
        (state,) = disk.restore(runs.make_run(workdir.settings()), workdir)
        np.testing.assert_array_equal(
            state.params["priors_0"]["means"],
            fixture["before/mu_p_z_j_c_j_list.0"].T,
        )
