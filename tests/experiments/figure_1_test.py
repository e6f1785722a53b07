# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import functools
import io
import itertools

import numpy as np
from absl.testing import parameterized
from matplotlib import colors as mpl_colors
from matplotlib import patches

from tests import scripts
from tests.figures import pages

figure_1 = scripts.load("figure_1")

_NAMES = (
    ("circle", "square", "triangle"),
    ("red", "green", "blue"),
    ("small", "large"),
)


def _ellipses(axes):
    return [p for p in axes.patches if isinstance(p, patches.Ellipse)]


def _points(axes):
    """Place, shape, colour and area of all points, one row each."""
    rows = []
    for shape, drawn in enumerate(axes.collections):
        offsets, areas = np.asarray(drawn.get_offsets()), drawn.get_sizes()
        for i, place in enumerate(offsets):
            colour = mpl_colors.to_hex(drawn.get_facecolors()[i])
            rows.append((*place, shape, colour, round(float(areas[i]), 3)))
    return rows


def _lengths(axes):
    """Standard deviations of points from the means of clusters, (K, N)."""
    places = [row[:2] for row in _points(axes)]
    to_circles = [e.get_patch_transform().inverted() for e in _ellipses(axes)]
    on_circles = np.stack([turn.transform(places) for turn in to_circles])
    return 2 * np.linalg.norm(on_circles, axis=-1)  # the rim is at two of them


def _clusters(axes):
    """The points of each cluster: those near its mean in its own metric."""
    points, lengths = _points(axes), _lengths(axes)
    nearest = lengths.argmin(axis=0)
    return [
        [point for point, k in zip(points, nearest, strict=True) if k == kept]
        for kept in range(len(lengths))
    ]


@functools.cache
def _axes(seed=0):
    """The panels of the paper's figure: one facet, then one of each."""
    with pages.captured() as figures:
        figure_1.facet_intuition(io.BytesIO(), seed=seed)
    return tuple(figures[0].axes)


class FigureTest(pages.FigureCase):
    def test_one_facet_has_a_cluster_for_each_combination(self):
        axes = _axes()[0]
        kinds = [{row[2:] for row in points} for points in _clusters(axes)]
        self.assertLen(kinds, 18)
        for kind in kinds:
            self.assertLen(kind, 1)
        self.assertLen(set.union(*kinds), 18)

    def test_a_facet_sorts_by_its_characteristic_alone(self):
        _, *facets = _axes()
        self.assertLen(facets, 3)
        for j, (axes, names) in enumerate(zip(facets, _NAMES, strict=True)):
            clusters = _clusters(axes)
            self.assertLen(clusters, len(names))
            for points in clusters:
                # The area of a marker also depends on its shape.
                kinds = [(row[2], row[3], row[4] > 20) for row in points]
                counts = [
                    len(set(values)) for values in zip(*kinds, strict=True)
                ]
                expected = [3, 3, 2]
                expected[j] = 1
                self.assertEqual(counts, expected)

    @parameterized.parameters(range(2))
    def test_points_are_near_and_ellipses_apart(self, seed):
        for axes in _axes(seed):
            ellipses = _ellipses(axes)
            self.assertLess(_lengths(axes).min(axis=0).max(), 2.1)
            for i, one in enumerate(ellipses):
                for other in ellipses[:i]:
                    self.assertGreater(
                        np.hypot(*np.subtract(one.center, other.center)),
                        (one.width + other.width) / 2,
                    )
                self.assertGreater(min(one.center) - one.width / 2, 0)

    def test_points_are_spread_like_a_normal_cut_at_two(self):
        lengths = [
            _lengths(axes).min(axis=0)
            for seed in range(2)
            for axes in _axes(seed)
        ]
        # Keeping points apart widens them a little.
        self.assertBetween(np.median(np.concatenate(lengths)), 1.0, 1.4)

    def test_titles_count_the_clusters(self):
        texts = pages.texts(_axes()[0].figure)
        for text in (
            "(a) one facet: 18 clusters",
            "3 × 3 × 2",
            "(b) three facets: 8 clusters",
            "3 + 3 + 2",
            "facet 0: 3 clusters",
            "facet 1: 3 clusters",
            "facet 2: 2 clusters",
            *itertools.chain(*_NAMES),
        ):
            self.assertIn(text, texts)

    def test_names_look_as_they_say(self):
        *_, colour, size = _axes()
        clusters = dict(zip(_NAMES[1], _clusters(colour), strict=True))
        for channel, name in enumerate(("red", "green", "blue")):
            for row in clusters[name]:
                rgb = mpl_colors.to_rgb(row[3])
                self.assertEqual(int(np.argmax(rgb)), channel)
        small, large = _clusters(size)
        self.assertGreater(
            min(row[4] for row in large), max(row[4] for row in small)
        )

    def test_texts_are_apart_and_the_seed_decides(self):
        drawn = []
        for seed in (0, 0, 1):
            self.draw(figure_1.facet_intuition, seed=seed)
            drawn.append(self.path.read_bytes())
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])
