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
from tests.commands.calls import Untrained, call


@pytest.mark.slow
class SampleTest(Untrained):
    def _sample(self, *args):
        """The images, the components, and what was read of them."""
        path = self.folder / "samples.npz"
        self.call("sample", f"--out={path}", *args)
        with np.load(path) as file:
            self.assertEqual(
                file["label_names"].tolist(), ["facet_0", "facet_1"]
            )
            return file["images"], file["labels"]

    def test_at_temperature_0_images_are_decoded_component_means(self):
        images, components = self._sample("--n=40", "--temperature=0")
        params = self.variables["params"]
        z = tuple(
            params[f"priors_{j}"]["means"][components[:, j]] for j in range(2)
        )
        model = self.of_run.stepper.model
        output = model.apply(self.variables, z, np.ones(2), method=model.decode)
        np.testing.assert_allclose(images, jax.nn.sigmoid(output), atol=1e-5)

    def test_components_come_as_often_as_their_weights_say(self):
        n = 4000
        _, components = self._sample(f"--n={n}", "--seed=5")
        for j in range(2):
            logits = self.variables["params"][f"priors_{j}"]["logits"]
            weights = np.exp(logits) / np.exp(logits).sum()
            counts = np.bincount(components[:, j], minlength=len(weights))
            chi2 = np.sum((counts - n * weights) ** 2 / (n * weights))
            self.assertLess(chi2, 30)  # p < 0.0005 at 9 degrees of freedom

    def test_one_facet_shows_each_component_so_often_and_the_other_any(self):
        images, components = self._sample("--facet=0", "--n=30")
        self.assertEqual(images.shape, (180, 8, 8, 1))
        np.testing.assert_array_equal(
            components[:, 0], np.repeat(np.arange(6), 30)
        )
        self.assertGreater(len(np.unique(components[:, 1])), 5)

    def test_one_component(self):
        images, components = self._sample("--facet=1", "--component=7", "--n=3")
        self.assertLen(images, 3)
        np.testing.assert_array_equal(components[:, 1], [7, 7, 7])

    def test_same_seed_same_images_other_seed_other_images(self):
        one, again, other = (
            self._sample("--n=4", f"--seed={seed}")[0] for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one, again)
        self.assertGreater(np.abs(one - other).max(), 0)

    def test_data_name_npz_reads_them(self):
        self._sample("--n=20")
        dataset = reader.load("npz", path=str(self.folder / "samples.npz"))
        self.assertEqual(dataset.spec.image_shape, (8, 8, 1))
        self.assertLen(dataset.spec.labelings, 2)

    def test_pictures_have_room_for_every_image(self):
        path = self.folder / "new folder" / "samples.png"
        for args, n_columns, n_rows in (
            (("--n=25",), 10, 3),
            (("--n=3",), 3, 1),
            (("--n=400", "--facet=1", "--component=2"), 20, 20),
        ):
            self.call("sample", f"--out={path}", *args)
            with Image.open(path) as picture:
                self.assertEqual(
                    picture.size, (66 * n_columns - 2, 66 * n_rows - 2)
                )
        self.call("sample", f"--out={path}", "--facet=1", "--n=2")
        with Image.open(path) as picture:
            # Ten rows with their labels, on white.
            self.assertGreater(picture.size[1], 10 * 64)

    def test_faults(self):
        for args, message in (
            (("--facet=2",), "--facet=2: the run has facets 0 to 1"),
            (
                ("--facet=0", "--component=6"),
                "--component=6: facet 0 has components 0 to 5",
            ),
            (("--component=1",), "--component needs --facet"),
            (("--out=x.jpeg",), "--out=x.jpeg: expected a name that ends in"),
        ):
            done = call(
                "sample",
                f"--workdir={self.workdir.path}",
                f"--out={self.folder / 'no.png'}",
                *args,
            )
            self.assertEqual((done.code, done.out), (2, ""))
            self.assertIn(message, done.err)
            self.assertFalse((self.folder / "no.png").exists())

    def test_several_seeds_are_asked_for_one(self):
        folder = workdir_lib.Workdir(self.folder / "seeds")
        settings = examples.settings(n_seeds=2, prior_init={"means": "glorot"})
        with folder.claim(settings, resume=False):
            pass
        states = mock.patch.object(disk, "restore", return_value=(None, None))
        with states:
            done = call("sample", f"--workdir={folder.path}", "--out=x.png")
        self.assertEqual(done.code, 2)
        self.assertIn("holds 2 seeds: name the folder of one", done.err)
        self.assertIn("seed_0", done.err)
