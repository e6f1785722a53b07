# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the drawings: colours, sizes, symmetry, and the original frames."""

import pathlib

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.shapes3d_rendered import rays, renderer

_FRAMES = (
    pathlib.Path(__file__).parents[4]
    / "shared/data/shapes3d_examples/shapes3d_examples.npz"
)
_MIDDLE = 7  # orientation 0
_SHAPES = range(4)


def _render(floor=0, wall=5, thing=6, scale=4, shape=0, orientation=_MIDDLE):
    factors = [floor, wall, thing, scale, shape, orientation]
    return renderer.render(np.array([factors]))[0]


def _is_object(**factors):
    """Which pixels change with the hue of the object."""
    green, purple = _render(thing=3, **factors), _render(thing=8, **factors)
    return (green != purple).any(axis=-1)


class ColourTest(parameterized.TestCase):
    def test_hues_are_the_published_ones(self):
        published = bytes.fromhex(
            "ff0000 ff9900 ccff00 33ff00 00ff66 00ffff 0066ff 3300ff cc00ff "
            "ff0099"
        )
        hues = np.rint(renderer.HUES * 255).astype(np.uint8)
        self.assertEqual(hues.tobytes(), published)

    @parameterized.product(wall=(0, 5, 9), orientation=(0, _MIDDLE, 14))
    def test_sky_is_one_colour(self, wall, orientation):
        sky = _render(wall=wall, orientation=orientation)[:10]
        self.assertTrue((sky == [153, 226, 249]).all())

    @parameterized.parameters(*range(10))
    def test_floor_and_wall_have_only_their_channels(self, hue):
        full = renderer.HUES[hue]
        image = _render(floor=hue, wall=hue, thing=0, scale=0, shape=2)
        for row in (25, 60):  # back wall; floor in front
            pixel = image[row, 5]
            np.testing.assert_array_equal(pixel[full == 0], 0)
            self.assertGreater(pixel[full == 1].min(), 200)

    def test_hue_of_one_surface_leaves_the_others_alone(self):
        one, other = _render(floor=1), _render(floor=6)
        np.testing.assert_array_equal(one[:36], other[:36])
        self.assertTrue((one[62] != other[62]).any(axis=-1).all())

    def test_shadow_lies_to_the_right_at_a_third(self):
        image = _render(floor=0, wall=0, thing=6, shape=2, scale=7)
        red = image[52:60, :, 0].min(axis=0).astype(float)
        self.assertGreater(red[:16].min(), 220)
        np.testing.assert_allclose(red[40:45] / 255, 0.33, atol=0.05)


class GeometryTest(parameterized.TestCase):
    @parameterized.parameters(*_SHAPES)
    def test_lengths_grow_by_five_thirds_from_first_to_last_scale(self, shape):
        small, large = (
            _is_object(shape=shape, scale=scale).sum() for scale in (0, 7)
        )
        # Nearer parts grow a little faster.
        growth = np.sqrt(large / small)
        self.assertBetween(growth, 1.25 / 0.75 - 0.08, 1.25 / 0.75 + 0.16)

    @parameterized.parameters(*_SHAPES)
    def test_object_is_symmetric_seen_from_the_front(self, shape):
        is_object = _is_object(shape=shape)
        # The middle lies between the columns 31 and 32.
        np.testing.assert_array_equal(is_object, is_object[:, ::-1])

    def test_room_is_symmetric_in_opposite_views(self):
        left, right = (
            renderer.trace("sphere", 1.0, angle).sky for angle in (-20.0, 20.0)
        )
        # Up to rays that graze an edge and fall to its other side.
        np.testing.assert_allclose(left, right[:, ::-1], atol=0.25)
        np.testing.assert_allclose(left.mean(), right.mean(), atol=1e-3)

    @parameterized.parameters((0, True), (14, False))
    def test_corner_of_the_room_is_on_the_side_measured(self, index, on_right):
        # A side wall is darker than the back wall.
        row = _render(wall=0, thing=3, scale=0, orientation=index)[28, :, 0]
        dark = np.flatnonzero(row < 215)
        self.assertGreater(len(dark), 10)
        self.assertEqual((dark > 32).all(), on_right)

    @parameterized.parameters(*rays.SHAPES)
    def test_every_pixel_is_filled(self, shape):
        view = renderer.trace(shape, 1.0, 10.0)
        self.assertEqual((view.sky.min(), view.sky.max()), (0, 1))
        covered = view.floor + view.wall + view.object
        np.testing.assert_array_equal(covered[view.sky == 1], 0)
        # The darkest, the shadow, has 0.3 of full colour.
        self.assertTrue(np.all(covered + view.sky > 0.25))


class RenderTest(absltest.TestCase):
    def test_order_of_the_factors_is_that_of_the_input(self):
        rng = np.random.default_rng(0)
        factors = rng.integers(0, (10, 10, 10, 8, 4, 15), (6, 6))
        together = renderer.render(factors)
        for row, image in zip(factors, together, strict=True):
            np.testing.assert_array_equal(renderer.render(row[None])[0], image)

    @pytest.mark.slow
    def test_images_of_a_configuration_all_differ(self):
        found = reader.load("shapes3d_rendered_floor")
        both = np.concatenate([found.train.images, found.test.images])
        self.assertLen(np.unique(both.reshape(4800, -1), axis=0), 4800)


@pytest.mark.skipif(
    not _FRAMES.exists(), reason=f"no frames of the original in {_FRAMES}"
)
class OriginalFramesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # The constants were fitted to other frames than these.
        with np.load(_FRAMES) as file:
            self.frames = file["gif_images"].astype(float)
            self.factors = file["gif_factors"].astype(int)

    def _distance(self, factors):
        drawn = renderer.render(factors)
        return np.abs(drawn - self.frames).mean(axis=(1, 2, 3))

    def test_drawings_are_near_the_frames(self):
        # The frames are dithered to a small palette, which is most of this.
        self.assertLess(self._distance(self.factors).mean(), 4)

    @pytest.mark.slow
    def test_drawings_with_another_factor_are_farther_from_them(self):
        right = self._distance(self.factors)
        for column, size in enumerate((10, 10, 10, 8, 4, 15)):
            wrong = self.factors.copy()
            wrong[:, column] = np.abs(wrong[:, column] - 1) % size
            with self.subTest(f"column {column}"):
                self.assertTrue(np.all(self._distance(wrong) > right))
