# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that are refused before they start."""

import subprocess
import sys

import numpy as np
from absl.testing import absltest

from mfcvae_jax.datasets import reader
from tests.training import small_runs


class RefusedTest(absltest.TestCase):
    def test_batch_larger_than_the_data(self):
        with self.assertRaisesRegex(ValueError, "train.batch_size.*1438.*5000"):
            small_runs.run(train={"batch_size": 5000})

    def test_more_components_than_examples(self):
        with self.assertRaisesRegex(ValueError, "2000 comp.*n_comp.* 1438"):
            small_runs.run(facets={"n_components": (6, 2000)})

    def test_images_that_are_no_numbers_or_out_of_range(self):
        digits = reader.load("digits")
        for value, message in ((np.nan, "NaN|finite"), (1.5, r"\[0, 1\]")):
            images = digits.train.images.copy()
            images[3, 4, 4, 0] = value
            broken = type(digits)(
                digits.spec, digits.train._replace(images=images), digits.test
            )
            with self.assertRaisesRegex(ValueError, message):
                reader.check(broken)

    def test_device_that_is_not_there(self):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import os; os.environ['JAX_PLATFORMS'] = 'cuda'\n"
                "from mfcvae_jax.training import processes\n"
                "try: processes.n_devices()\n"
                "except RuntimeError as error: print(error)",
            ],
            capture_output=True,
            text=True,
        )
        if done.stdout == "":
            self.skipTest("there is a GPU")
        self.assertRegex(done.stdout, r"\AJAX cannot use JAX_PLATFORMS=cuda.*")
        self.assertEqual(done.stdout.count("\n"), 1)
