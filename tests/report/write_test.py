# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is written of a run of two seeds, one of which diverged."""

import json

import numpy as np
import pytest
from scipy import special

from mfcvae_jax import workdir
from mfcvae_jax.report import write
from mfcvae_jax.training import runs
from tests import examples, oracles
from tests.report.html_test import check


@pytest.mark.slow
def test_explorer_shows_what_the_model_decodes(tmp_path):
    settings = examples.settings(
        facets={"view": ((), ({"kind": "affine", "rotation": 15.0},))},
        prior_init={"means": "glorot"},
        seed=2,
        n_seeds=2,
    )
    run = runs.make_run(settings)
    seed = runs.of_each_seed(run)[0]
    state = runs.first_state(seed)
    folder = workdir.Workdir(tmp_path)
    with folder.claim(settings, resume=False):
        pass
    scored = runs.score(seed, state)
    text = write.write_reports(run, [state, None], folder, [scored, None])
    path = folder.path / "seed_2" / "report.html"
    assert str(path) in text
    assert "Diverged and left out: seed 3." in text
    said = "Facet 1 was trained on random views of the examples: Affine(rot"
    assert said in text
    assert said in path.read_text()
    page = check(path.read_text())
    of_seeds = check(folder.report.read_text())
    assert [a["href"] for a in of_seeds.all("a")] == ["seed_2/report.html"]
    assert "Seed 3 diverged" in folder.report.read_text()
    assert json.loads(folder.results.read_text())["seeds"] == [2]

    # Neither learning curves nor swaps: nothing was trained.
    shown = [a for a in page.all("img") if "id" not in a]
    assert len(shown) == 7
    assert all(len(attrs["alt"]) > 40 for attrs in shown)

    assignments = np.load(path.parent / "assignments.npy")
    np.testing.assert_array_equal(assignments, scored.predictions.assignments)
    model, variables = run.stepper.model, state.variables
    means = [
        oracles.parts(mixture).means
        for mixture in model.apply(variables, method=model.mixtures)
    ]
    at = np.array([found["at"] for found in page.data["combinations"]])
    assert len(at) == 60
    z = tuple(m[ks] for m, ks in zip(means, at.T, strict=True))
    logits = model.apply(
        variables, z, scored.trained.alpha, method=model.decode
    )
    tiles = page.tiles("generated")
    for found, wanted in zip(
        page.data["combinations"], np.asarray(logits), strict=True
    ):
        assert found["n"] == (assignments == found["at"]).all(1).sum()
        np.testing.assert_allclose(
            tiles[found["mean"]], 255 * special.expit(wanted), atol=0.51
        )
    images, held_out = run.dataset.test.images, page.tiles("examples")
    for at, about in enumerate(page.data["examples"]):
        np.testing.assert_allclose(
            held_out[at], 255 * images[about["index"]], atol=0.51
        )
