# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A prior from outside the library, through a whole run."""

import json
import shutil

import jax
import numpy as np
import pytest

from mfcvae_jax import config as config_lib
from mfcvae_jax import model, settings
from mfcvae_jax.report import exhibits, write
from mfcvae_jax.report.finished import Finished
from mfcvae_jax.training import disk, loop, runs
from mfcvae_jax.workdir import Workdir
from tests import scripts

_FILE = scripts.CONFIGS / "published" / "digits_student_t.py"


@pytest.fixture(scope="module")
def config():
    """A short run of a small net; the kind is forgotten afterwards."""
    found = config_lib.load(_FILE).to_dict()
    found["net"] |= {
        "encoder_backbone": ((16,), (16,)),
        "decoder_rungs": ((16,), (16,)),
        "decoder_backbone": ((16,), (16,)),
    }
    found["facets"]["n_components"] = (4, 6)
    found["progressive"] |= {"stage_epochs": (1, 1), "fade_in_steps": 5}
    found["evaluate"] |= {"importance_samples": 3}
    yield found
    settings.KINDS["prior"].pop("student_t", None)


@pytest.fixture(scope="module")
def workdir(config, tmp_path_factory):
    """Of a run whose config file was there when it was trained."""
    folder = tmp_path_factory.mktemp("student_t")
    file = shutil.copy(_FILE, folder / "student_t.py")
    shutil.copy(_FILE.with_name("digits.py"), folder)
    found = Workdir(folder / "run")
    run = runs.make_run(config_lib.from_config(config))
    loop.train(run, disk.InWorkdir(found, config_file=str(file)))
    return found


@pytest.mark.slow
def test_run_is_read_and_reported_by_one_who_did_not_register(
    workdir, tmp_path
):
    del settings.KINDS["prior"]["student_t"]
    found = workdir.settings()
    assert [family.df for family in found.facets.prior] == [5.0, 5.0]
    run = runs.make_run(found)
    states = disk.restore(run, workdir)
    write.write_reports(run, states, workdir)
    # What needs Gaussians or exact expectations is left out.
    results = json.loads(workdir.results.read_text())
    assert {"mixture_bound", "importance_log_p_x"} < results["terms"].keys()
    assert "mean_field_bound" not in results["terms"]
    assert "clusters_needed" not in results
    drawn = {path.name for path in workdir.figures.iterdir()}
    assert {"clusters.png", "samples.png", "learning_curves.png"} < drawn
    assert "pruning.png" not in drawn
    finished = Finished(run, states[0], workdir)
    asked = exhibits.of_paper()["pruning"]
    for one in exhibits.draw(finished, tmp_path, asked):
        assert one.reason.startswith("facet 0")
        assert "these are StudentTs" in one.reason
    record = [r for r in workdir.records() if r["split"] == "test"][-1]
    assert np.isfinite(record["mixture_bound"])
    assert "mean_field_bound" not in record
    trained = runs.in_force(run, states[0])
    images, components = trained.sample(jax.random.key(0), 7)
    assert images.shape == (7, 8, 8, 1)
    assert components.max(axis=0)[1] < 6


@pytest.mark.slow
def test_missing_config_file_is_named(workdir, tmp_path):
    moved = Workdir(shutil.copytree(workdir.path, tmp_path / "run"))
    about = moved.read_environment()
    about["config_file"] = str(tmp_path / "gone.py")
    moved.environment.write_text(json.dumps(about))
    settings.KINDS["prior"].pop("student_t", None)
    with pytest.raises(
        ValueError, match=r"facets.prior\[0\].kind .*import .*gone\.py"
    ):
        moved.settings()


@pytest.mark.parametrize("name", ["closed_form", "gaussian_kl"])
def test_estimator_that_needs_exact_expectations_is_refused(config, name):
    config_lib.load(_FILE)
    config["train"]["estimator"] = name
    chosen = config_lib.from_config(config)
    with pytest.raises(
        ValueError,
        match=f"'{name}' .* facet 0, StudentT: .*five_terms or mixture_form",
    ):
        model.make_model(chosen, (8, 8, 1))
    config["train"]["estimator"] = "mixture_form"
    model.make_model(config_lib.from_config(config), (8, 8, 1))
