# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A finished run: its facts, against the settings and the schedule."""

import tempfile

import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from mfcvae_jax import progressive
from mfcvae_jax.randomness import KeyUse
from tests import untrained


class FinishedTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        overrides = untrained.facets(4, 5, 3)
        # Fewer stages than facets: the first brings in two.
        overrides["progressive"] = {
            "stage_epochs": (1, 2),
            "fade_in_steps": 4,
        }
        cls.finished = untrained.finished(
            f"{folder}/run", figures={"temperature": 0.0}, **overrides
        )

    def test_stages_are_where_the_phases_change(self):
        schedule = self.finished.run.stepper.schedule
        steps = range(schedule.n_steps + 1)
        phases = [progressive.phases(schedule, step) for step in steps]
        n = self.finished.run.steps_per_epoch
        self.assertCountEqual(
            self.finished.stages,
            [
                (
                    min(
                        s
                        for s in steps
                        if phases[s][facet] != progressive.Phase.WAITING
                    )
                    / n,
                    facet,
                    min(
                        s
                        for s in steps
                        if phases[s][facet] == progressive.Phase.ACTIVE
                    )
                    / n,
                )
                for facet in range(3)
            ],
        )

    def test_images_are_the_held_out_ones_in_fractions(self):
        images = self.finished.images
        self.assertEqual(images.shape, (359, 8, 8, 1))
        self.assertEqual((images.min(), images.max()), (0, 1))

    def test_samples_of_temperature_0_are_decoded_from_a_component_mean(self):
        """The others are drawn from their own components' means."""
        drawn = self.finished.sample_clusters(2, 6)
        self.assertEqual(drawn.shape, (3, 6, 8, 8, 1))
        grid = np.stack(
            np.meshgrid(*(np.arange(k) for k in (4, 5, 3)), indexing="ij"), -1
        )
        all_means = self.finished.sample_combinations(
            grid.reshape(-1, 3), 1, 0.0
        ).reshape(4, 5, 3, 64)
        for k in range(3):
            known = all_means[:, :, k].reshape(20, 64)
            for image in drawn[k].reshape(6, 64):
                gap = np.abs(known - image).max(axis=1).min()
                self.assertLess(gap, 1e-5)

    def test_combinations_are_decoded_from_the_means_of_their_components(self):
        chosen = np.array([[3, 0, 2], [1, 4, 0]])
        found = self.finished.sample_combinations(chosen, 2, 0.0)
        model = self.finished.run.stepper.model
        z = tuple(
            mixture.means[chosen[:, j]]
            for j, mixture in enumerate(self.finished.mixtures)
        )
        output = model.apply(
            self.finished.state.variables,
            z,
            np.ones(3, np.float32),
            method=model.decode,
        )
        for sample in range(2):
            np.testing.assert_allclose(
                found[:, sample], special.expit(output), atol=1e-5
            )

    def test_no_two_draws_share_a_key(self):
        keys = {
            tuple(jax.random.key_data(self.finished.key(use, i)).tolist())
            for use in (KeyUse.SAMPLES, KeyUse.PROBES)
            for i in range(6)
        }
        self.assertLen(keys, 12)


if __name__ == "__main__":
    absltest.main()
