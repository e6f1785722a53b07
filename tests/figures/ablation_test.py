# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import statistics

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import ablation
from tests.figures import pages

_NAN = float("nan")


def _arm(name="an arm", n_seeds=3, enters=()):
    values = np.random.default_rng(0).uniform(0.3, 0.8, (n_seeds, 6))
    return ablation.Arm(name, np.arange(6) * 10, values, enters)


class AblationTest(pages.FigureCase):
    def _draw(self, arms, ylabel="accuracy"):
        return self.draw(ablation.accuracy_over_training, arms, ylabel=ylabel)

    def test_lines_are_the_seeds_and_their_mean(self):
        arm = _arm(enters=(20, 30))
        figure = self.draw_twice(
            ablation.accuracy_over_training, [arm], ylabel="accuracy"
        )
        (axes,) = figure.axes
        *stages, a, b, c, mean = axes.get_lines()
        self.assertEqual([line.get_xdata()[0] for line in stages], [20, 30])
        percent = 100 * arm.values
        for line, seed in zip((a, b, c), percent, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), arm.epochs)
            np.testing.assert_allclose(line.get_ydata(), seed)
        means = percent.mean(axis=0)
        np.testing.assert_allclose(mean.get_ydata(), means)
        (band,) = axes.collections
        std = [statistics.stdev(column) for column in percent.T]
        np.testing.assert_allclose(
            band.get_datalim(axes.transData).intervaly,
            [np.min(means - std), np.max(means + std)],
        )
        texts = pages.texts(figure)
        self.assertIn(f"{means[-1]:.1f} ({std[-1]:.1f})", texts)
        self.assertIn("accuracy, %", texts)

    def test_seeds_that_were_not_evaluated_do_not_count(self):
        values = [[0.1, 0.2, _NAN, _NAN], [_NAN, 0.4, _NAN, 0.6]]
        figure = self._draw([ablation.Arm("gaps", [0, 1, 2, 3], values, ())])
        one, other, mean = figure.axes[0].get_lines()
        np.testing.assert_allclose(one.get_xydata(), [[0, 10], [1, 20]])
        np.testing.assert_allclose(other.get_xydata(), [[1, 40], [3, 60]])
        np.testing.assert_allclose(
            mean.get_xydata(), [[0, 10], [1, 30], [3, 60]]
        )
        self.assertContainsSubset(["60.0", "1 of 2 seeds"], pages.texts(figure))

    def test_panels_have_the_same_axes(self):
        low = ablation.Arm("low", [5, 50], [[0.31, 0.42]], ())
        high = ablation.Arm("high", [0, 9], [[0.9, 0.93]], (70.0,))
        figure = self._draw([low, high])
        for axes in figure.axes:
            self.assertEqual(axes.get_xlim(), (0, 50))
            self.assertEqual(axes.get_ylim(), (30, 100))
        self.assertLen(figure.axes[1].get_lines(), 2)  # 70 is not drawn

    @parameterized.parameters(
        (1, 1, [1]), (3, 10, [2, 1]), (8, 2, [2, 2, 2, 2])
    )
    def test_panels_are_two_wide(self, n_arms, n_seeds, expected):
        arms = [
            _arm(pages.WORDS * (1 + 2 * (i % 2)), n_seeds, (10.0, 20.0)[:i])
            for i in range(n_arms)
        ]
        arms[-1].values[:, -1] = 0.0
        arms[-1].values[1:, -1] = _NAN
        figure = self._draw(arms, pages.WORDS * 9)
        self.assertEqual(pages.rows_of_axes(figure), expected)
        # One seed has no deviation.
        written = [text for text in pages.texts(figure) if "(" in text]
        self.assertEqual(bool(written), n_seeds > 1)

    @parameterized.parameters(([0.4],), ([_NAN],), ([0.0],), ([1.0],))
    def test_one_epoch(self, second):
        self._draw([ablation.Arm("one", [3], [[0.5], second], ())])
