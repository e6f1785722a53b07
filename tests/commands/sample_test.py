# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of a run: against its own parameters, and what flags may ask for."""

from unittest import mock

import jax
import numpy as np
import pytest
from PIL import Image

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.datasets import reader
from mfcvae_jax.training import disk
from tests import examples
from tests.commands.calls import adopted, call

pytestmark = pytest.mark.slow


@pytest.fixture
def sample(tmp_path):
    """The images and the components that flags ask for."""

    def draw(*args):
        path = tmp_path / "samples.npz"
        adopted().call("sample", f"--out={path}", *args)
        with np.load(path) as file:
            assert file["label_names"].tolist() == ["facet_0", "facet_1"]
            return file["images"], file["labels"]

    return draw


def test_at_temperature_0_images_are_decoded_component_means(sample):
    images, components = sample("--n=40", "--temperature=0")
    variables, model = adopted().variables, adopted().run.stepper.model
    z = tuple(
        variables["params"][f"priors_{j}"]["means"][components[:, j]]
        for j in range(2)
    )
    output = model.apply(variables, z, np.ones(2), method=model.decode)
    np.testing.assert_allclose(images, jax.nn.sigmoid(output), atol=1e-5)


def test_components_come_as_often_as_their_weights_say(sample):
    n = 4000
    _, components = sample(f"--n={n}", "--seed=5")
    for j in range(2):
        logits = adopted().variables["params"][f"priors_{j}"]["logits"]
        weights = np.exp(logits) / np.exp(logits).sum()
        counts = np.bincount(components[:, j], minlength=len(weights))
        chi2 = np.sum((counts - n * weights) ** 2 / (n * weights))
        assert chi2 < 30  # p < 0.0005 at 9 degrees of freedom


def test_one_facet_shows_each_component_so_often_and_the_other_any(sample):
    images, components = sample("--facet=0", "--n=30")
    assert images.shape == (180, 8, 8, 1)
    np.testing.assert_array_equal(components[:, 0], np.repeat(np.arange(6), 30))
    assert len(np.unique(components[:, 1])) > 5


def test_one_component(sample):
    images, components = sample("--facet=1", "--component=7", "--n=3")
    assert len(images) == 3
    np.testing.assert_array_equal(components[:, 1], [7, 7, 7])


def test_same_seed_same_images_other_seed_other_images(sample):
    one, again, other = (
        sample("--n=4", f"--seed={seed}")[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0


def test_data_name_npz_reads_them(sample, tmp_path):
    sample("--n=20")
    dataset = reader.load("npz", path=str(tmp_path / "samples.npz"))
    assert dataset.spec.image_shape == (8, 8, 1)
    assert len(dataset.spec.labelings) == 2


@pytest.mark.parametrize(
    ("args", "n_columns", "n_rows"),
    [
        (("--n=25",), 10, 3),
        (("--n=3",), 3, 1),
        (("--n=400", "--facet=1", "--component=2"), 20, 20),
    ],
)
def test_pictures_have_room_for_every_image(tmp_path, args, n_columns, n_rows):
    path = tmp_path / "new folder" / "samples.png"
    adopted().call("sample", f"--out={path}", *args)
    with Image.open(path) as picture:
        assert picture.size == (66 * n_columns - 2, 66 * n_rows - 2)


def test_picture_of_a_facet_has_a_row_for_each_component(tmp_path):
    path = tmp_path / "samples.png"
    adopted().call("sample", f"--out={path}", "--facet=1", "--n=2")
    with Image.open(path) as picture:
        # Ten rows with their labels, on white.
        assert picture.size[1] > 10 * 64


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--facet=2",), "--facet=2: the run has facets 0 to 1"),
        (
            ("--facet=0", "--component=6"),
            "--component=6: facet 0 has components 0 to 5",
        ),
        (("--component=1",), "--component needs --facet"),
        (("--out=x.jpeg",), "--out=x.jpeg: expected a name that ends in"),
    ],
)
def test_faults(tmp_path, args, message):
    at = f"--workdir={adopted().workdir.path}"
    done = call("sample", at, f"--out={tmp_path / 'no.png'}", *args)
    assert message in done.error()
    assert not done.out
    assert not list(tmp_path.iterdir())


def test_several_seeds_are_asked_for_one(tmp_path):
    folder = workdir_lib.Workdir(tmp_path)
    settings = examples.settings(n_seeds=2, prior_init={"means": "glorot"})
    with folder.claim(settings, resume=False):
        pass
    with mock.patch.object(disk, "restore", return_value=(None, None)):
        done = call("sample", f"--workdir={folder.path}", "--out=x.png")
    assert "holds 2 seeds: name the folder of one" in done.error()
    assert "seed_0" in done.err
