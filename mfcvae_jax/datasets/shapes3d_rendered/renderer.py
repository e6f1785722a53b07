# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the scenes of 3D Shapes, to look like the original but not be it.

Rays are cast through every pixel of the original's 64x64, several in each so
that edges are smooth. A view is traced once for all hues: what is kept of it is
how much of each pixel the floor, the walls, the object and the sky take up, and
how bright they are. Colouring that is a weighted sum.
"""

import colorsys
from typing import NamedTuple

import numpy as np

from mfcvae_jax.datasets.shapes3d_rendered import light
from mfcvae_jax.datasets.shapes3d_rendered import rays as rays_lib

__all__ = [
    "HUES",
    "IMAGE_SIZE",
    "ORIENTATIONS",
    "SCALES",
    "View",
    "colour",
    "render",
    "trace",
]

IMAGE_SIZE = 64
# Rays in a pixel: S x S.
_N_SAMPLES = 3

# What the values of the factors stand for.
HUES = np.array(
    [colorsys.hsv_to_rgb(i / 10, 1, 1) for i in range(10)], np.float32
)
SCALES = np.linspace(0.75, 1.25, 8)
ORIENTATIONS = np.linspace(-30, 30, 15)  # degrees


class View(NamedTuple):
    """A scene without its hues; each field has the shape (H, W), float32.

    Attributes:
        floor: brightness of the floor times the share of the pixel it takes
            up.
        wall: the same of all walls.
        object: the same of the object.
        gloss: white that is added, a share of 255.
        sky: share of the pixel that the sky takes up.
    """

    floor: np.ndarray
    wall: np.ndarray
    object: np.ndarray
    gloss: np.ndarray
    sky: np.ndarray


def render(factors: np.ndarray) -> np.ndarray:
    """Draws images.

    Args:
        factors: indices of floor hue, wall hue, object hue, scale, shape and
            orientation, shape (N, 6).

    Returns:
        uint8, shape (N, 64, 64, 3).
    """
    images = np.empty((len(factors), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    views, of_image = np.unique(factors[:, 3:], axis=0, return_inverse=True)
    for i, (scale, shape, angle) in enumerate(views):
        name = rays_lib.SHAPES[shape]
        view = trace(name, SCALES[scale], ORIENTATIONS[angle])
        for n in np.flatnonzero(of_image == i):
            images[n] = colour(view, *HUES[factors[n, :3]])
    return images


def trace(shape: str, scale: float, angle: float) -> View:
    """Traces a view of one of `rays_lib.SHAPES`, at an angle in degrees."""
    camera, rays = rays_lib.camera_rays(angle, IMAGE_SIZE, _N_SAMPLES)
    distance, surface = rays_lib.meet_room(camera, rays)
    hits = rays_lib.meet_object(shape, scale, camera, rays)
    is_object = hits.distance < distance
    surface[is_object] = rays_lib.OBJECT
    distance = np.where(is_object, hits.distance, distance)
    points = camera[:, None] + distance * rays
    back = -rays / np.sqrt((rays**2).sum(axis=0))  # towards the camera

    layers = np.zeros((len(View._fields), rays.shape[1]), np.float32)
    floor, wall, thing, gloss, sky = layers
    sky[surface == rays_lib.SKY] = 1
    at = np.flatnonzero(surface == rays_lib.FLOOR)
    in_shadow = rays_lib.is_blocked(shape, scale, points[:, at], light.LAMP)
    floor[at] = light.floor_brightness(points[:, at], in_shadow)
    for side, inwards in rays_lib.WALL_NORMALS.items():
        at = np.flatnonzero(surface == side)
        facing = (np.array(inwards, np.float32)[:, None] * back[:, at]).sum(
            axis=0
        )
        wall[at] = light.wall_brightness(side, points[:, at], facing)
    at = np.flatnonzero(is_object)
    normal = hits.normal[:, at]
    to_lamp = light.LAMP[:, None] - points[:, at]
    to_lamp /= np.sqrt((to_lamp**2).sum(axis=0))
    towards_lamp = (normal * to_lamp).sum(axis=0)
    facing = (normal * back[:, at]).sum(axis=0)
    thing[at] = light.object_brightness(towards_lamp, facing)
    gloss[at] = light.object_gloss(towards_lamp)
    pixels = layers.reshape(len(layers), IMAGE_SIZE, IMAGE_SIZE, -1)
    return View(*pixels.mean(axis=-1))


def colour(
    view: View, floor: np.ndarray, wall: np.ndarray, thing: np.ndarray
) -> np.ndarray:
    """Colours a view with three colours in [0, 1], each of shape (3,).

    Returns:
        The image, uint8, shape (64, 64, 3).
    """
    image = (
        view.floor[..., None] * floor
        + view.wall[..., None] * wall
        + view.object[..., None] * thing
        + view.gloss[..., None]
    ) * np.float32(255) + view.sky[..., None] * light.SKY_COLOUR
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)
