# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The experiments' configs, and the scripts as a user types them.

What a signal, a script or a second process could change runs in a process of
its own, the rest in this one.
"""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mfcvae_jax import config as config_lib
from mfcvae_jax.training import disk, loop, recording, runs
from mfcvae_jax.workdir import Workdir
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
_PICTURES = {
    *("clusters.png", "samples.png"),
    *("reconstructions.png", "learning_curves.png"),
}
summarise = scripts.load("summarise")


@pytest.mark.parametrize(
    "name",
    sorted(
        str(path.relative_to(scripts.CONFIGS))
        for path in scripts.CONFIGS.rglob("*.py")
    ),
)
def test_config_makes_settings_and_survives_its_json(name):
    config = config_lib.load(scripts.CONFIGS / name).to_dict()
    settings = config_lib.from_config(config)
    whole = config_lib.to_config(settings)
    for key in ("prior", "view"):
        # Nothing stands for the default of every facet.
        config["facets"][key] = (
            config["facets"].get(key) or whole["facets"][key]
        )
    assert whole == config
    assert config_lib.from_config(json.loads(json.dumps(config))) == settings
    # It says what to type.
    opening = ast.get_docstring(ast.parse((scripts.CONFIGS / name).read_text()))
    assert f"--config=experiments/configs/{name}" in opening
    # The folder says whether its schedule is the published one.
    is_published = (
        not any(settings.progressive.warm_ups)
        and settings.progressive.redundancy_price == 0
        and not any(settings.facets.view)
    )
    assert is_published == name.startswith("published/")


class TestSummarise:
    def _summarise(self, path, names=("digit", "digit"), **overrides):
        """Two runs as they are left; the second may have other settings."""
        folders = []
        for seed, accuracy in enumerate((0.8, 0.9)):
            folder = Workdir(path / str(seed))
            settings = examples.settings(seed=seed, **overrides if seed else {})
            with folder.claim(settings, resume=False):
                pass
            data = {"labelings": [[names[seed], 10]]}
            folder.data.write_text(json.dumps(data))
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

    def test_mean_and_sample_standard_deviation_over_seeds(self, tmp_path):
        said = self._summarise(tmp_path).output()
        assert "| Facet 0, K = 9 | digit | 85.0 (7.1) |" in said
        assert "| M, nats | 0.50 (0.71) | 1.00 | 0.00 |" in said

    def test_runs_of_different_settings_are_refused(self, tmp_path):
        done = self._summarise(tmp_path, prior_init={"variance": 0.5})
        assert "prior_init.variance" in done.error()

    def test_runs_of_different_data_are_refused(self, tmp_path):
        done = self._summarise(tmp_path, names=("digit", "letter"))
        assert "different data" in done.error()


def _assert_report_says_the_same_again(folder):
    first = json.loads(folder.results.read_text())
    folder.results.unlink()
    call("report", f"--workdir={folder.path}").output()
    assert json.loads(folder.results.read_text()) == first


@pytest.mark.slow
def test_run_goes_on_after_ctrl_c_and_can_be_reported_again(tmp_path):
    folder = Workdir(tmp_path)
    command = (
        "experiments/train.py",
        f"--config={_PUBLISHED / 'digits_tinted.py'}",
        f"--workdir={tmp_path}",
        *_SMALL,
    )
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=scripts.ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        metrics = folder.metrics
        while not metrics.exists() or "train" not in metrics.read_text():
            assert process.poll() is None, "ended before its signal"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, first_log = process.communicate()
        assert process.returncode == 128 + signal.SIGINT
    done = scripts.run(*command, "--resume")
    assert done.returncode == 0, done.stderr
    assert "resumed at step" in done.stderr
    assert "facet 0 is fading in" in first_log + done.stderr
    assert re.search(r"Facet 1, K = \d+", done.stdout)
    for name in (*_PICTURES, "confusion.png"):
        path = folder.figures / name
        assert str(path) in done.stdout
        assert path.stat().st_size > 5000
    assert str(folder.report) in done.stdout
    assert "Explorer" in folder.report.read_text()
    # The bits are those of a run that was never stopped.
    run = runs.make_run(folder.settings())
    (wanted,) = loop.train(run, recording.InMemory()).states
    (found,) = disk.restore(run, folder)
    assert_equal_states(found, wanted)
    assert list(folder.tensorboard.iterdir())
    assert "jax" in folder.read_environment()["versions"]
    assert folder.settings().seed == 3
    assert len(json.loads(folder.results.read_text())["scores"]) == 4
    _assert_report_says_the_same_again(folder)


@pytest.mark.slow
def test_images_without_labels_are_trained_on_and_reported(tmp_path):
    np.savez(tmp_path / "mine.npz", images=examples.images(300))
    folder = Workdir(tmp_path / "run")
    said = call(
        "train",
        f"--config={_PUBLISHED / 'digits.py'}",
        f"--workdir={folder.path}",
        "--config.data.name=npz",
        f"--config.data.path={tmp_path / 'mine.npz'}",
        *_SMALL,
    ).output()
    assert "mine.npz, seed 3, 60 held-out examples" in said
    assert "These examples have no labels" in said
    assert "have no labels" in folder.report.read_text()
    results = json.loads(folder.results.read_text())
    assert results["scores"] == []
    assert len(results["clusters_in_use"]) == 2
    drawn = set(os.listdir(folder.figures))
    assert drawn >= _PICTURES
    assert "confusion.png" not in drawn
    _assert_report_says_the_same_again(folder)


@pytest.mark.slow
def test_official_weights_become_a_run_that_can_be_reported(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is optional")
    data_dir = fixtures.FOLDER.parent / "data" / "tfds"
    if not data_dir.is_dir():
        pytest.skip(f"no prepared MNIST in {data_dir}")
    fixture = fixtures.load("F7")
    # F7 is a model of 28 x 28 images with widths of its own.
    state_dict = {
        key: torch.tensor(value)
        for key, value in fixture.under("before/").items()
    }
    torch.save({"state_dict": state_dict}, tmp_path / "model.pt")
    done = scripts.run(
        "experiments/import_weights.py",
        f"--config={_PUBLISHED / 'mnist.py'}",
        f"--weights={tmp_path}/model.pt",
        f"--workdir={tmp_path}/run",
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
    assert done.returncode == 0, done.stderr
    workdir = Workdir(f"{tmp_path}/run")
    (state,) = disk.restore(runs.make_run(workdir.settings()), workdir)
    np.testing.assert_array_equal(
        state.params["priors_0"]["means"],
        fixture["before/mu_p_z_j_c_j_list.0"].T,
    )
