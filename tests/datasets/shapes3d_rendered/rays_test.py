# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the rays: points that were put in by hand come out again."""

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.datasets.shapes3d_rendered import rays as rays_lib

_SHAPES = rays_lib.SHAPES


def _pixel(point, angle):
    """Row and column where a pinhole camera sees a point.

    The camera's axes are written out here by hand, with a homogeneous
    projection instead of rays.
    """
    a = np.deg2rad(angle)
    position = np.array(
        [
            rays_lib.CAMERA_DISTANCE * np.sin(a),
            -rays_lib.CAMERA_DISTANCE * np.cos(a),
            rays_lib.CAMERA_HEIGHT,
        ]
    )
    to_axis = -position * [1, 1, 0] / rays_lib.CAMERA_DISTANCE
    rotation = np.stack([np.cross(to_axis, [0, 0, 1]), [0, 0, 1], to_axis])
    right, up, depth = rotation @ (np.asarray(point) - position)
    return (
        rays_lib.HORIZON_ROW - rays_lib.FOCAL_LENGTH * up / depth,
        rays_lib.CENTRE_COLUMN + rays_lib.FOCAL_LENGTH * right / depth,
    )


def _sees(point, angle):
    """What the ray nearest to a point meets, and where."""
    n = 15
    row, column = _pixel(point, angle)
    camera, rays = rays_lib.camera_rays(angle, 64, n)
    grid = rays.reshape(3, 64, 64, n, n)
    i, j = round(row), round(column)
    p, q = (int((x - round(x) + 0.5) * n) for x in (row, column))
    ray = grid[:, i, j, p, q][:, None]
    distance, surface = rays_lib.meet_room(camera, ray)
    return surface[0], camera + distance[0] * ray[:, 0]


class RoomTest(parameterized.TestCase):
    @parameterized.parameters(
        ((0.3, 1.0, 0.3), 0, rays_lib.BACK),
        ((-0.2, 1.0, 0.5), 20, rays_lib.BACK),
        ((1.0, 0.8, 0.2), -30, rays_lib.RIGHT),
        ((-1.0, 0.7, 0.4), 30, rays_lib.LEFT),
        ((0.1, 0.2, 0.0), 0, rays_lib.FLOOR),
        ((-0.1, 0.4, 0.0), -17, rays_lib.FLOOR),
    )
    def test_ray_through_the_pixel_of_a_point_meets_it(
        self, point, angle, surface
    ):
        found, where = _sees(point, angle)
        self.assertEqual(found, surface)
        # One ray is a 15th of a pixel, 1/64 of the distance; the floor, seen
        # at a grazing angle, stretches that.
        np.testing.assert_allclose(where, point, atol=0.02)

    @parameterized.parameters((0, 1), (1, -1))
    def test_above_the_walls_is_sky(self, direction, sign):
        camera = np.array([0, 0, 0.2], np.float32)
        ray = np.zeros((3, 2), np.float32)
        ray[direction] = sign
        if direction == 1:  # the wall behind the camera is not modelled
            ray[1] = 1
        ray[2] = (rays_lib.WALL_HEIGHT - 0.2) * np.array([0.99, 1.01])
        _, surface = rays_lib.meet_room(camera, ray)
        self.assertNotEqual(surface[0], rays_lib.SKY)
        self.assertEqual(surface[1], rays_lib.SKY)

    @parameterized.parameters(
        # As measured on the published frames, to a pixel.
        ((1, 1, 0), -30, None, 43),
        ((-1, 1, 0), 30, None, 20),
        ((0, 1, rays_lib.WALL_HEIGHT), 0, 17, 31.5),
        ((0, 1, 0), 0, 40.5, 31.5),
    )
    def test_corners_and_edges_lie_where_they_were_measured(
        self, point, angle, row, column
    ):
        found_row, found_column = _pixel(point, angle)
        if row is not None:
            self.assertAlmostEqual(found_row, row, delta=1)
        self.assertAlmostEqual(found_column, column, delta=1)


class ObjectTest(parameterized.TestCase):
    @parameterized.product(shape=_SHAPES)
    def test_rays_meet_the_surface_where_its_distance_in_closed_form_is_0(
        self, shape
    ):
        camera, rays = rays_lib.camera_rays(21.0, 64, 2)
        hits = rays_lib.meet_object(shape, 1.1, camera, rays)
        is_met = np.isfinite(hits.distance)
        self.assertGreater(is_met.sum(), 500)

        def distance(points):
            return _distance_to_surface(shape, *(points / 1.1))

        points = (camera[:, None] + hits.distance * rays)[:, is_met]
        np.testing.assert_allclose(distance(points), 0, atol=1e-4)
        # The normal is the slope of the distance, but at edges.
        points, normal = points.astype(float), hits.normal[:, is_met]
        steps = 1e-4 * np.eye(3)[:, :, None]
        slope = [
            1.1 * (distance(points + s) - distance(points - s)) for s in steps
        ]
        error = np.abs(np.array(slope) / 2e-4 - normal).max(axis=0)
        self.assertGreater(np.mean(error < 1e-2), 0.95)
        self.assertTrue(np.all((normal * rays[:, is_met]).sum(axis=0) <= 1e-4))
        # And the other rays pass by.
        missed = rays[:, ~is_met]
        for t in np.linspace(0.1, 1.5, 50):
            self.assertGreater(distance(camera[:, None] + t * missed).min(), 0)

    @parameterized.product(shape=_SHAPES)
    def test_behind_the_start_nothing_is_met(self, shape):
        start, ray = np.array([[1, 1, 0.1], [1, 1, 0]], np.float32)
        hits = rays_lib.meet_object(shape, 1.0, start, ray[:, None])
        self.assertEqual(hits.distance[0], np.inf)


class ShadowTest(parameterized.TestCase):
    def _blocked(self, shape, x, y, light):
        points = np.array([[x], [y], [0]], np.float32)
        light = np.array(light, np.float32)
        return bool(rays_lib.is_blocked(shape, 1.0, points, light)[0])

    def test_shadow_of_a_cube_is_as_long_as_rays_of_light_say(self):
        # The lamp stands to the left, so the top right edge, at height 2h and
        # x = h, throws the end of the shadow: similar triangles.
        h = rays_lib.CUBE
        lamp = np.array([-3.0, 0.0, 4.0])
        end = h + 2 * h * (h - lamp[0]) / (lamp[2] - 2 * h)
        self.assertTrue(self._blocked("cube", 0.99 * end, 0, lamp))
        self.assertFalse(self._blocked("cube", 1.01 * end, 0, lamp))
        self.assertFalse(self._blocked("cube", -1.01 * h, 0, lamp))

    @parameterized.product(shape=_SHAPES)
    def test_lamp_below_the_top_of_nothing_blocks_nothing(self, shape):
        # Between lamp and point, but not beyond the lamp.
        self.assertFalse(self._blocked(shape, 0.9, 0, (0.5, 0, 0.1)))


def _distance_to_surface(shape, x, y, z):
    """Signed distances in closed form, shape (R,)."""
    around = np.hypot(x, y)
    if shape == "cube":
        h = rays_lib.CUBE
        return np.maximum.reduce([abs(x), abs(y), abs(z - h)]) - h
    if shape == "cylinder":
        radius, height = rays_lib.CYLINDER
        return np.maximum(around - radius, abs(z - height / 2) - height / 2)
    if shape == "sphere":
        return np.hypot(around, z - rays_lib.SPHERE) - rays_lib.SPHERE
    radius, height = rays_lib.CAPSULE
    beyond = np.maximum(abs(z - height / 2) - (height / 2 - radius), 0)
    return np.hypot(around, beyond) - radius
