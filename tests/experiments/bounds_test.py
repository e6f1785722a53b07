# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import re

import numpy as np
import pytest

from tests import scripts
from tests.figures import pages

bounds = scripts.load("bounds")


class BoundsTest(pages.FigureCase):
    def test_draws_the_means_the_spreads_and_the_bounds(self):
        values = np.random.default_rng(0).normal(size=(50, 3))
        figure = self.draw(
            bounds.bounds_and_estimates,
            (1, 2, 4),
            {"one": values},
            {"M": 1.5, "F": -2},
        )
        (axes,) = figure.axes
        *lines, curve = axes.get_lines()
        self.assertEqual([line.get_ydata()[0] for line in lines], [1.5, -2])
        mean, std = values.mean(axis=0), values.std(axis=0)
        np.testing.assert_allclose(curve.get_ydata(), mean)
        (band,) = axes.collections
        low, high = band.get_datalim(axes.transData).intervaly
        np.testing.assert_allclose(
            [low, high], [np.min(mean - std), np.max(mean + std)]
        )

    @pytest.mark.slow
    def test_estimates_lie_between_the_bounds(self):
        self.path.parent.mkdir()
        done = scripts.run("experiments/bounds.py", f"--out={self.path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(self.path.stat().st_size, 5000)

        def values(name):
            (line,) = re.findall(rf"^{name}.*", done.stdout, re.MULTILINE)
            return [float(v) for v in re.findall(r"-\d+\.\d+", line)]

        (m,), (f,) = values("M, mixture"), values("F, mean-field")
        five, below = values("five_terms"), values("gaussian_kl")
        self.assertAlmostEqual(five[0], m, delta=0.02)
        self.assertEqual(five, sorted(five, reverse=True))
        self.assertEqual(below, sorted(below))
        self.assertBetween(five[-1], f, m)
        self.assertLess(below[-1], f)
        self.assertLess(five[-1] - below[-1], 0.1)
        np.testing.assert_allclose(values("closed_form"), f, atol=1e-3)
