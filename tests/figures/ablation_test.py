# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import statistics

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import ablation
from tests.figures import pages

_NAN = float("nan")


def _arm(name="an arm", n_seeds=3, n_epochs=6, enters=(), seed=0):
    values = np.random.default_rng(seed).uniform(0.3, 0.8, (n_seeds, n_epochs))
    return ablation.Arm(name, np.arange(n_epochs) * 10, values, enters)


class AblationTest(pages.FigureCase):
    def _draw(self, arms, ylabel="accuracy"):
        return self.draw(ablation.accuracy_over_training, arms, ylabel=ylabel)

    def test_lines_are_the_seeds_and_their_mean(self):
        arm = _arm(enters=(20, 30))
        figure = self._draw([arm])
        (axes,) = figure.axes
        *stages, a, b, c, mean = axes.get_lines()
        self.assertEqual([line.get_xdata()[0] for line in stages], [20, 30])
        for line, seed in zip((a, b, c), arm.values, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), arm.epochs)
            np.testing.assert_allclose(line.get_ydata(), 100 * seed)
        np.testing.assert_allclose(
            mean.get_ydata(), 100 * arm.values.mean(axis=0)
        )
        (band,) = axes.collections
        low, high = band.get_datalim(axes.transData).intervaly
        percent = 100 * arm.values
        std = [statistics.stdev(column) for column in percent.T]
        np.testing.assert_allclose(
            [low, high],
            [
                np.min(percent.mean(axis=0) - std),
                np.max(percent.mean(axis=0) + std),
            ],
        )
        last = f"{percent[:, -1].mean():.1f} ({std[-1]:.1f})"
        self.assertIn(last, pages.texts(figure))
        self.assertIn("accuracy, %", pages.texts(figure))

    def test_seeds_that_were_not_evaluated_do_not_count(self):
        values = [[0.1, 0.2, _NAN, _NAN], [_NAN, 0.4, _NAN, 0.6]]
        figure = self._draw([ablation.Arm("gaps", [0, 1, 2, 3], values, ())])
        one, other, mean = figure.axes[0].get_lines()
        np.testing.assert_allclose(one.get_xydata(), [[0, 10], [1, 20]])
        np.testing.assert_allclose(other.get_xydata(), [[1, 40], [3, 60]])
        np.testing.assert_allclose(
            mean.get_xydata(), [[0, 10], [1, 30], [3, 60]]
        )
        texts = pages.texts(figure)
        self.assertIn("60.0", texts)
        self.assertIn("1 of 2 seeds", texts)

    def test_one_seed_has_no_deviation(self):
        texts = pages.texts(self._draw([_arm(n_seeds=1)]))
        self.assertFalse([text for text in texts if "deviation" in text])
        self.assertFalse([text for text in texts if "(" in text])

    def test_panels_have_the_same_axes(self):
        low = ablation.Arm("low", [5, 50], [[0.31, 0.42]], ())
        high = ablation.Arm("high", [0, 9], [[0.9, 0.93]], (70.0,))
        figure = self._draw([low, high])
        for axes in figure.axes:
            self.assertEqual(axes.get_xlim(), (0, 50))
            self.assertEqual(axes.get_ylim(), (30, 100))
        self.assertLen(figure.axes[1].get_lines(), 2)  # 70 is not drawn

    @parameterized.parameters((1, 1, 1), (2, 2, 1), (3, 2, 2), (8, 2, 4))
    def test_panels_are_two_wide(self, n_arms, n_columns, n_rows):
        figure = self._draw([_arm(seed=i) for i in range(n_arms)])
        boxes = [axes.get_position() for axes in figure.axes]
        self.assertLen(boxes, n_arms)
        self.assertLen({round(box.x0, 4) for box in boxes}, n_columns)
        self.assertLen({round(box.y0, 4) for box in boxes}, n_rows)

    @parameterized.parameters(([0.4],), ([_NAN],), ([0.0],), ([1.0],))
    def test_one_epoch(self, second):
        figure = self._draw([ablation.Arm("one", [3], [[0.5], second], ())])
        self.assertEmpty(pages.clashes(figure))
