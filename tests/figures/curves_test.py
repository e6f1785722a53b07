# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import curves, style
from tests.figures import pages


def _run(n_facets, labelings, n_epochs, splits=("train", "test")):
    rng = np.random.default_rng(0)
    found = []
    for epoch in range(n_epochs):
        for split in splits:
            record = {
                "epoch": float(epoch),
                "split": split,
                "mixture_bound": -100 - 900 * np.exp(-epoch) + rng.normal(),
                "mean_field_bound": -102 - 900 * np.exp(-epoch),
                "log_p_x_z": -90.0,
            }
            for j in range(n_facets):
                record |= {f"kl_z/{j}": 5.0 + j, f"kl_c/{j}": 1.0}
                if split == "test":
                    names = [f"many_to_one/{j}/{name}" for name in labelings]
                    record |= dict.fromkeys(names, 0.5)
            found.append(record)
    return found


class CurvesTest(pages.FigureCase):
    def _draw(self, records, **settings):
        return self.draw(curves.learning_curves, records, **settings)

    @parameterized.parameters(
        (1, (), 2, (0,)),
        (1, (), 1, (0,)),
        (3, ("digit",), 60, (0, 20, 60)),
        (4, ("floor", "object, of 4"), 100, (0, 1, 2, 98)),
    )
    def test_panels_and_stages(self, n_facets, labelings, n_epochs, starts):
        figure = self._draw(
            _run(n_facets, labelings, n_epochs),
            stages=[(start, j, start + 5) for j, start in enumerate(starts)],
        )
        self.assertLen(figure.axes, 3 if labelings else 2)
        texts = pages.texts(figure)
        for j, start in enumerate(starts):
            is_seen = f"facet {j} enters" in texts
            self.assertEqual(is_seen, start < max(n_epochs - 1, 1))
        upper = figure.axes[0]
        for text in upper.texts:
            if "enters" in text.get_text():  # also the last end in the axes
                self.assertLess(text.get_window_extent().x1, upper.bbox.x1 + 9)

    def test_curves_are_drawn_as_recorded(self):
        records = _run(2, ("digit",), 20)
        figure = self.draw_twice(curves.learning_curves, records)
        for axes in figure.axes:
            self.assertEqual(axes.get_xlim(), (0, 19))
        bounds, kl, accuracy = figure.axes
        wanted = [
            (bound, split)
            for bound in ("mixture_bound", "mean_field_bound")
            for split in ("train", "test")
        ]
        for line, (bound, split) in zip(
            bounds.get_lines(), wanted, strict=True
        ):
            np.testing.assert_array_equal(
                line.get_ydata(),
                [r[bound] for r in records if r["split"] == split],
            )
        self.assertIn(7.0, [line.get_ydata()[0] for line in kl.get_lines()])
        self.assertEqual(accuracy.get_lines()[0].get_ydata()[0], 50.0)
        self.assertEqual(accuracy.get_ylim(), (0, 100))
        # A facet has one colour in all panels.
        for axes in (kl, accuracy):
            legend = axes.get_legend()
            handles, labels = legend.legend_handles, legend.get_texts()
            for handle, label in zip(handles, labels, strict=True):
                facet = int(label.get_text().split()[1].rstrip(","))
                self.assertEqual(handle.get_color(), style.facet_colour(facet))

    def test_off_scale_values_are_told(self):
        figure = self._draw(_run(1, (), 60))
        self.assertGreater(figure.axes[0].get_ylim()[0], -200)
        self.assertTrue(
            any("at first down to −1,0" in t for t in pages.texts(figure))
        )

    def test_curves_of_a_facet_begin_with_its_stage(self):
        figure = self._draw(
            _run(2, ("digit",), 20), stages=[(0, 0, 1000), (8, 1, 12)]
        )
        self.assertEqual(figure.axes[0].get_xlim(), (0, 19))
        for axes in figure.axes[1:]:
            for line in axes.get_lines():
                epochs = np.asarray(line.get_xdata())
                is_second = line.get_color() == style.facet_colour(1)
                self.assertEqual(epochs[0], 8 if is_second else 0)

    @parameterized.parameters("train", "test")
    def test_one_split_is_enough(self, split):
        figure = self._draw(_run(1, ("digit",), 5, (split,)))
        self.assertContainsSubset(
            [f"M, {split}", "facet 0"], pages.texts(figure)
        )
        self.assertLen(figure.axes, 3 if split == "test" else 2)
