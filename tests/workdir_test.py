# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Whose folder it is, and what is in it."""

import os
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

    def _claim(self, settings, *, resume=False, folder=None):
        with (folder or self.workdir).claim(settings, resume=resume):
            pass

    def test_claimed_folder_gives_back_its_settings(self):
        settings = examples.settings(seed=7)
        self._claim(settings)
        self.assertEqual(self.workdir.settings(), settings)
        self._claim(settings, resume=True)

    def test_run_is_not_overwritten_without_resume(self):
        self._claim(examples.settings())
        # Nothing is lost by starting again before the first checkpoint.
        self._claim(examples.settings())
        (self.workdir.checkpoints / "11").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "--resume"):
            self._claim(examples.settings())

    def test_another_config_is_refused_and_every_difference_named(self):
        self._claim(examples.settings())
        other = examples.settings(seed=1, facets={"n_components": (6, 11)})
        with self.assertRaisesRegex(
            ValueError,
            r"(?s)n_components: \(6, 10\) != \(6, 11\).*seed: 0 != 1",
        ):
            self._claim(other, resume=True)
        self.assertEqual(self.workdir.settings(), examples.settings())

    def test_folder_of_something_else_is_refused(self):
        pathlib.Path(self.folder, "thesis.tex").write_text("years of work")
        with self.assertRaisesRegex(ValueError, "holds no run"):
            self._claim(
                examples.settings(), folder=workdir.Workdir(self.folder)
            )
        self.assertEqual(os.listdir(self.folder), ["thesis.tex"])

    def test_resume_of_nothing_and_settings_of_nothing_say_so(self):
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self._claim(examples.settings(), resume=True)
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self.workdir.settings()

    def test_what_leaves_the_model_as_it_is_may_change(self):
        self._claim(examples.settings())
        moved = examples.settings(
            data={"data_dir": "/elsewhere", "on_device_gb": 0.5},
            checkpoint={"keep": 5},
        )
        self._claim(moved, resume=True)
        self.assertEqual(self.workdir.settings(), moved)

    def test_two_at_once_are_one_too_many(self):
        settings = examples.settings()
        with (
            self.workdir.claim(settings, resume=False),
            self.assertRaisesRegex(RuntimeError, "another process.*run"),
        ):
            self._claim(settings)
        self._claim(settings)

    def test_every_seed_has_the_folder_of_a_run_of_its_own(self):
        settings = examples.settings(seed=3, n_seeds=2)
        self._claim(settings)
        folders = self.workdir.of_each_seed(settings)
        self.assertEqual([f.path.name for f in folders], ["seed_3", "seed_4"])
        self.assertEqual(
            [f.settings() for f in folders],
            [examples.settings(seed=3), examples.settings(seed=4)],
        )
        (folders[1].checkpoints / "11").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "--resume"):
            self._claim(settings)

    def test_writer_goes_on_after_a_step_and_drops_what_came_later(self):
        self._claim(examples.settings())
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
