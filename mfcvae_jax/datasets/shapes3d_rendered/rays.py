# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Rays through the scene of 3D Shapes: what each of them meets, and where.

A square room without ceiling and one object on the floor at its centre. The
unit of length is half the side of the room; x points to the right, y to the
back wall, z up, and the floor lies at z = 0. The camera circles the object at
a fixed distance and height and looks at the axis through it, level. The object
does not turn.

Measured on the published example images, see docs/shapes3d_rendered.md.
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "BACK",
    "FLOOR",
    "LEFT",
    "OBJECT",
    "RIGHT",
    "SHAPES",
    "SKY",
    "WALL_NORMALS",
    "Hits",
    "camera_rays",
    "is_blocked",
    "meet_object",
    "meet_room",
]

# Lengths are in half sides of the room.
CAMERA_DISTANCE = 0.6426
CAMERA_HEIGHT = 0.1936
FOCAL_LENGTH = 64.76  # pixels of a 64x64 image
CENTRE_COLUMN = 31.5  # where the camera looks: pixel centres at whole numbers
HORIZON_ROW = 32.57
WALL_HEIGHT = 0.5825

# Half the side of the cube; radius and height of the others; at scale 1.
CUBE = 0.0946
CYLINDER = (0.102, 0.2028)
SPHERE = 0.1153
CAPSULE = (0.0884, 0.3523)

SHAPES = ("cube", "cylinder", "sphere", "capsule")

# What a ray can meet, and the normals of the walls, into the room.
SKY, FLOOR, BACK, LEFT, RIGHT, OBJECT = range(6)
WALL_NORMALS = {BACK: (0, -1, 0), LEFT: (1, 0, 0), RIGHT: (-1, 0, 0)}
_NOWHERE = np.float32(np.inf)


class Hits(NamedTuple):
    """Where rays first meet something.

    Attributes:
        distance: along the ray in units of its direction; infinite where it
            meets nothing, float32, shape (R,).
        normal: unit normal there, float32, shape (3, R).
    """

    distance: np.ndarray
    normal: np.ndarray


def camera_rays(
    angle: float, size: int, n_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rays through the pixels of an image.

    Args:
        angle: of the camera about the object, in degrees; from positive ones
            the back left corner of the room is seen.
        size: H = W of the image.
        n_samples: S; each pixel has S x S rays on a regular grid.

    Returns:
        Where the camera stands, float32, shape (3,), and the directions of
        the rays, float32, shape (3, H * W * S * S); they are as long as the
        way to where the distance from the camera's plane is 1.
    """
    sin, cos = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    camera = [CAMERA_DISTANCE * sin, -CAMERA_DISTANCE * cos, CAMERA_HEIGHT]
    # Centres of pixels lie at whole numbers in an image of 64 x 64.
    steps = (np.arange(size * n_samples) + 0.5) / (size * n_samples) * 64 - 0.5
    steps = steps.reshape(size, n_samples)
    right = ((steps - CENTRE_COLUMN) / FOCAL_LENGTH)[None, :, None, :]
    up = ((HORIZON_ROW - steps) / FOCAL_LENGTH)[:, None, :, None]
    right, up = np.broadcast_arrays(right, up)
    directions = [right * cos - sin, right * sin + cos, up]
    return (
        np.array(camera, np.float32),
        np.stack([d.ravel() for d in directions]).astype(np.float32),
    )


def meet_room(
    camera: np.ndarray, rays: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Finds what the rays meet in the room without the object.

    Args:
        camera: where they start, shape (3,).
        rays: their directions, shape (3, R).

    Returns:
        The distances, shape (R,), and what is there: SKY, FLOOR, BACK, LEFT
        or RIGHT, shape (R,).
    """
    with np.errstate(divide="ignore"):
        planes = np.stack(
            [
                -camera[2] / rays[2],
                (1 - camera[1]) / rays[1],
                (-1 - camera[0]) / rays[0],
                (1 - camera[0]) / rays[0],
            ]
        )
    planes[planes <= 0] = _NOWHERE
    distance = planes.min(axis=0)
    surface = planes.argmin(axis=0) + FLOOR
    above = camera[2] + distance * rays[2] > WALL_HEIGHT
    surface[above] = SKY
    return distance, surface


def meet_object(
    shape: str, scale: float, start: np.ndarray, rays: np.ndarray
) -> Hits:
    """Finds where rays from outside first meet the object.

    Args:
        shape: one of `SHAPES`.
        scale: factor on the sizes.
        start: where the rays start, shape (3,) or (3, R).
        rays: their directions, shape (3, R).
    """
    # Shrinking the world is the same as growing the object.
    start = (start / np.float32(scale)).reshape(3, -1)
    hits = _MEET[shape](start, rays)
    return hits._replace(distance=hits.distance * np.float32(scale))


def is_blocked(
    shape: str, scale: float, points: np.ndarray, light: np.ndarray
) -> np.ndarray:
    """Says from which points, (3, R), the object hides a lamp, (R,)."""
    hits = meet_object(shape, scale, points, light[:, None] - points)
    return hits.distance < 1


def _meet_cube(start: np.ndarray, rays: np.ndarray) -> Hits:
    low = np.array([-CUBE, -CUBE, 0], np.float32)[:, None]
    high = np.array([CUBE, CUBE, 2 * CUBE], np.float32)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (low - start) / rays, (high - start) / rays
    enter, leave = np.minimum(one, other), np.maximum(one, other)
    distance = np.fmax.reduce(enter)
    missed = (distance > np.fmin.reduce(leave)) | (distance <= 0)
    normal = np.where(enter == distance, -np.sign(rays), np.float32(0))
    return Hits(np.where(missed, _NOWHERE, distance), normal)


def _meet_cylinder(start: np.ndarray, rays: np.ndarray) -> Hits:
    radius, height = CYLINDER
    side = _meet_side(start, rays, radius, 0.0, height)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = (height - start[2]) / rays[2]
        x, y = start[0] + top * rays[0], start[1] + top * rays[1]
    missed = ~(x**2 + y**2 <= radius**2) | (top <= 0)
    top = np.where(missed, _NOWHERE, top)
    upwards = np.array([0, 0, 1], np.float32)[:, None]
    return _nearer(side, Hits(top, np.broadcast_to(upwards, side.normal.shape)))


def _meet_capsule(start: np.ndarray, rays: np.ndarray) -> Hits:
    radius, height = CAPSULE
    return _nearer(
        _meet_side(start, rays, radius, radius, height - radius),
        _nearer(
            _meet_ball(start, rays, radius, radius),
            _meet_ball(start, rays, radius, height - radius),
        ),
    )


def _meet_ball(
    start: np.ndarray, rays: np.ndarray, radius: float, centre: float
) -> Hits:
    """A ball whose centre lies at a height on the axis."""
    offset = start - np.array([0, 0, centre], np.float32)[:, None]
    return _meet_round(offset, rays, radius)


def _meet_side(
    start: np.ndarray,
    rays: np.ndarray,
    radius: float,
    bottom: float,
    top: float,
) -> Hits:
    """The side of an upright cylinder, without its ends."""
    level = np.array([1, 1, 0], np.float32)[:, None]
    hits = _meet_round(level * start, level * rays, radius)
    with np.errstate(invalid="ignore"):
        height = start[2] + hits.distance * rays[2]
    missed = ~((height >= bottom) & (height <= top))
    return hits._replace(distance=np.where(missed, _NOWHERE, hits.distance))


def _meet_round(start: np.ndarray, rays: np.ndarray, radius: float) -> Hits:
    """All points of a radius about the origin; of the axis, if rays are level.

    Their distances are the smaller t of a t^2 + 2 b t + c = 0.
    """
    a, b = (rays**2).sum(axis=0), (rays * start).sum(axis=0)
    c = (start**2).sum(axis=0) - np.float32(radius**2)
    square = b**2 - a * c
    with np.errstate(invalid="ignore", divide="ignore"):
        root = (-b - np.sqrt(square)) / a
        is_met = (square >= 0) & (root > 0)
        distance = np.where(is_met, root, _NOWHERE)
        normal = (start + distance * rays) / np.float32(radius)
    return Hits(distance, normal)


def _nearer(one: Hits, other: Hits) -> Hits:
    """The nearer of two hits of each ray."""
    is_one = one.distance <= other.distance
    return Hits(
        np.where(is_one, one.distance, other.distance),
        np.where(is_one, one.normal, other.normal),
    )


_MEET = {
    "cube": _meet_cube,
    "cylinder": _meet_cylinder,
    "sphere": lambda start, rays: _meet_ball(start, rays, SPHERE, SPHERE),
    "capsule": _meet_capsule,
}
