# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Whose folder it is, and what is in it."""

import pathlib
import tempfile

from absl.testing import absltest

from mfcvae_jax import workdir
from mfcvae_jax.training import writers
from tests import examples


class WorkdirTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.workdir = workdir.Workdir(f"{self.folder}/run")

    def test_claimed_folder_gives_back_its_settings(self):
        settings = examples.settings(seed=7)
        self.workdir.claim(settings, resume=False)
        self.assertEqual(self.workdir.settings(), settings)
        self.workdir.claim(settings, resume=True)

    def test_run_is_not_overwritten_without_resume(self):
        self.workdir.claim(examples.settings(), resume=False)
        # Nothing is lost by starting again before the first checkpoint.
        self.workdir.claim(examples.settings(), resume=False)
        (self.workdir.checkpoints / "11").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "--resume"):
            self.workdir.claim(examples.settings(), resume=False)

    def test_another_config_is_refused_and_every_difference_named(self):
        self.workdir.claim(examples.settings(), resume=False)
        other = examples.settings(seed=1, facets={"n_components": (6, 11)})
        with self.assertRaisesRegex(
            ValueError,
            r"(?s)n_components: \(6, 10\) != \(6, 11\).*seed: 0 != 1",
        ):
            self.workdir.claim(other, resume=True)
        self.assertEqual(self.workdir.settings(), examples.settings())

    def test_folder_of_something_else_is_refused(self):
        pathlib.Path(self.folder, "thesis.tex").write_text("years of work")
        with self.assertRaisesRegex(ValueError, "holds no run"):
            workdir.Workdir(self.folder).claim(
                examples.settings(), resume=False
            )

    def test_resume_of_nothing_and_settings_of_nothing_say_so(self):
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self.workdir.claim(examples.settings(), resume=True)
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self.workdir.settings()

    def test_writer_goes_on_after_a_step_and_drops_what_came_later(self):
        self.workdir.claim(examples.settings(), resume=False)
        self.assertEqual(self.workdir.records(), [])
        with writers.MetricsWriter(self.workdir, 0) as writer:
            for step in (1, 2, 3):
                writer.write(step, step / 10, "train", {"bound": -step / 3})
            writer.write(3, 0.3, "test", {"bound": float("nan")})
        with self.workdir.metrics.open("a") as file:
            file.write('{"step": 4, "epo')
        with writers.MetricsWriter(self.workdir, 2) as writer:
            writer.write(3, 0.3, "train", {"bound": float("-inf")})
        self.assertEqual(
            self.workdir.records(),
            [
                {
                    "step": 1,
                    "epoch": 0.1,
                    "split": "train",
                    "bound": -0.33333333,
                },
                {
                    "step": 2,
                    "epoch": 0.2,
                    "split": "train",
                    "bound": -0.66666667,
                },
                {"step": 3, "epoch": 0.3, "split": "train", "bound": None},
            ],
        )


if __name__ == "__main__":
    absltest.main()
