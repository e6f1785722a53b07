# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How bright the surfaces of 3D Shapes are.

A brightness is a share of the surface's full colour; above 1 the colour is cut
off at 255. One lamp, high up and fixed in the room, casts the shadow; a second
light comes from the camera, so that what faces it is brighter. What the two
leave unexplained on floor and walls is a polynomial in the position.

All constants were fitted to the published example images, see
docs/shapes3d_rendered.md.
"""

import numpy as np

from mfcvae_jax.datasets import shapes3d_rays

__all__ = [
    "LAMP",
    "SKY_COLOUR",
    "floor_brightness",
    "object_brightness",
    "object_gloss",
    "wall_brightness",
]

LAMP = np.array([-1.42, 0.58, 5.99], np.float32)  # in half sides of the room
SKY_COLOUR = np.array([153, 226, 249], np.float32)

# Polynomials: row i holds the factors of u^i v^0, u^i v^1, ...
_FLOOR = (
    (1.07, 0.122, -0.752, 0.258),
    (-0.643, 0.109, 0.227),
    (-0.362, 0.16),
    (0.287,),
)  # u = x, v = y
_SHADOW = 0.328
_BACK = ((0.161, 0.025, -0.04), (-0.052, -0.031), (0.152,))  # u = x, v = z
_LEFT = ((-1.03, -0.041, 0.258), (0.212, -0.153), (0.197,))  # u = y, v = z
_RIGHT = ((-1.154, -0.181, 0.271), (0.353, -0.001), (0.149,))
# Added per cosine of the angle to the camera.
_WALL_FACING = {
    shapes3d_rays.BACK: 0.85,
    shapes3d_rays.LEFT: 2.135,
    shapes3d_rays.RIGHT: 2.12,
}
_WALL = {
    shapes3d_rays.BACK: _BACK,
    shapes3d_rays.LEFT: _LEFT,
    shapes3d_rays.RIGHT: _RIGHT,
}

# Smudges on the back wall, repeated along x: brightness, centre x and z, and
# extent (where it has fallen to 1 / e) in x and z.
_SMUDGE_PERIOD = 0.58
_SMUDGES = (
    (-0.059, 0.045, 0.33, 0.05, 0.07),
    (-0.043, 0.125, 0.23, 0.05, 0.04),
)

_OBJECT_AMBIENT = 0.446
_OBJECT_LAMP = 0.505
_OBJECT_FACING = (0.651, -0.148)  # of the cosine and its square
_OBJECT_GLOSS = 0.105  # share of white wherever the lamp shines


def floor_brightness(points: np.ndarray, in_shadow: np.ndarray) -> np.ndarray:
    """Returns the brightness of the floor.

    Args:
        points: on the floor, shape (3, R).
        in_shadow: where the object blocks the lamp, bool, shape (R,).

    Returns:
        Shares of full colour, shape (R,).
    """
    lit = _polynomial(_FLOOR, points[0], points[1])
    return np.where(in_shadow, np.float32(_SHADOW), lit)


def wall_brightness(
    wall: int, points: np.ndarray, facing: np.ndarray
) -> np.ndarray:
    """Returns the brightness of a wall.

    Args:
        wall: BACK, LEFT or RIGHT of `shapes3d_rays`.
        points: on the wall, shape (3, R).
        facing: cosine of the angle between normal and camera, shape (R,).

    Returns:
        Shares of full colour, shape (R,).
    """
    x, y, z = points
    along = x if wall == shapes3d_rays.BACK else y
    brightness = _polynomial(_WALL[wall], along, z)
    brightness = brightness + np.float32(_WALL_FACING[wall]) * facing
    if wall == shapes3d_rays.BACK:
        brightness += _smudges(x, z)
    return brightness


def object_brightness(
    towards_lamp: np.ndarray, facing: np.ndarray
) -> np.ndarray:
    """Returns the brightness of the object's own colour.

    Args:
        towards_lamp: cosine of the angle between normal and lamp, shape (R,).
        facing: the same for the camera.

    Returns:
        Shares of full colour, shape (R,).
    """
    once, twice = np.array(_OBJECT_FACING, np.float32)
    return (
        np.float32(_OBJECT_AMBIENT)
        + np.float32(_OBJECT_LAMP) * np.maximum(towards_lamp, 0)
        + (once + twice * facing) * facing
    )


def object_gloss(towards_lamp: np.ndarray) -> np.ndarray:
    """Returns the white that the lamp adds to the object.

    It is the same wherever the lamp shines at all, and so has a sharp edge: on
    the sphere an upper cap, on upright sides a band on the left.

    Args:
        towards_lamp: cosine of the angle between normal and lamp, shape (R,).

    Returns:
        Shares of white, shape (R,).
    """
    return np.where(towards_lamp > 0, np.float32(_OBJECT_GLOSS), np.float32(0))


def _smudges(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    period = np.float32(_SMUDGE_PERIOD)
    total = np.zeros_like(x)
    for brightness, at_x, at_z, wide, high in np.array(_SMUDGES, np.float32):
        dx = np.mod(x - at_x + period / 2, period) - period / 2
        total += brightness * np.exp(
            -((dx / wide) ** 2 + ((z - at_z) / high) ** 2)
        )
    return total


def _polynomial(
    factors: tuple[tuple[float, ...], ...], u: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Sum of factors[i][j] u^i v^j, by Horner's scheme, float32."""
    total = np.zeros_like(u)
    for row in reversed(factors):
        inner = np.zeros_like(v)
        for factor in reversed(row):
            inner = inner * v + np.float32(factor)
        total = total * u + inner
    return total
