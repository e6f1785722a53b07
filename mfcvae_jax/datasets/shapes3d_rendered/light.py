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
from numpy.polynomial.polynomial import polyval2d

from mfcvae_jax.datasets.shapes3d_rendered import rays

__all__ = [
    "LAMP",
    "SKY_COLOUR",
    "floor_brightness",
    "object_brightness",
    "object_gloss",
    "wall_brightness",
]

LAMP = np.array([-1.39, 0.56, 5.99], np.float32)  # in half sides of the room
SKY_COLOUR = np.array([153, 226, 249], np.float32)

# Polynomials: row i holds the factors of u^i v^0, u^i v^1, ...
_FLOOR = (
    (1.069, 0.123, -0.727, 0.238),
    (-0.64, 0.097, 0.231, 0),
    (-0.35, 0.146, 0, 0),
    (0.282, 0, 0, 0),
)  # u = x, v = y
_SHADOW = 0.322
# u = x of the back wall and y of the others, v = z; and what is added per
# cosine of the angle to the camera.
_WALLS = {
    rays.BACK: (
        ((0.15, 0.063, -0.093), (-0.051, -0.033, 0), (0.152, 0, 0)),
        0.855,
    ),
    rays.LEFT: (
        ((-1.011, -0.038, 0.249), (0.208, -0.147, 0), (0.195, 0, 0)),
        2.116,
    ),
    rays.RIGHT: (
        ((-1.143, -0.161, 0.244), (0.343, -0.003, 0), (0.155, 0, 0)),
        2.108,
    ),
}

# Smudges on the back wall, repeated along x: brightness, centre x and z, and
# extent (where it has fallen to 1 / e) in x and z.
_SMUDGE_PERIOD = 0.58
_SMUDGES = (
    (-0.062, 0.045, 0.33, 0.05, 0.07),
    (-0.044, 0.125, 0.23, 0.05, 0.04),
)

_OBJECT_AMBIENT = 0.435
_OBJECT_LAMP = 0.535
_OBJECT_FACING = (0.672, -0.156)  # of the cosine and its square
_OBJECT_GLOSS = 0.119  # share of white that the lamp adds
_GLOSS_EDGE = (-0.026, 0.096)  # cosines between which it sets in


def floor_brightness(points: np.ndarray, in_shadow: np.ndarray) -> np.ndarray:
    """Returns the brightness of the floor at points of it, (3, R) -> (R,)."""
    lit = polyval2d(points[1], points[0], np.array(_FLOOR, np.float32).T)
    return np.where(in_shadow, np.float32(_SHADOW), lit)


def wall_brightness(
    wall: int, points: np.ndarray, facing: np.ndarray
) -> np.ndarray:
    """Returns the brightness of BACK, LEFT or RIGHT at points of it.

    Args:
        wall: which.
        points: shape (3, R).
        facing: cosine of the angle between normal and camera, shape (R,).
    """
    x, y, z = points
    factors, per_cosine = _WALLS[wall]
    u = x if wall == rays.BACK else y
    brightness = polyval2d(z, u, np.array(factors, np.float32).T)
    brightness = brightness + np.float32(per_cosine) * facing
    if wall == rays.BACK:
        brightness += _smudges(x, z)
    return brightness


def object_brightness(
    towards_lamp: np.ndarray, facing: np.ndarray
) -> np.ndarray:
    """Returns the brightness of the object's own colour, shape (R,).

    Args:
        towards_lamp: cosine of the angle between normal and lamp, shape (R,).
        facing: the same for the camera.
    """
    once, twice = np.array(_OBJECT_FACING, np.float32)
    return (
        np.float32(_OBJECT_AMBIENT)
        + np.float32(_OBJECT_LAMP) * np.maximum(towards_lamp, 0)
        + (once + twice * facing) * facing
    )


def object_gloss(towards_lamp: np.ndarray) -> np.ndarray:
    """Returns the white that the lamp adds to the object, shape (R,).

    It is the same almost wherever the lamp shines at all, and so has an edge:
    on the sphere below an upper cap, on upright sides beside a band on the
    left.
    """
    low, high = np.array(_GLOSS_EDGE, np.float32)
    ramp = np.clip((towards_lamp - low) / (high - low), 0, 1)
    return np.float32(_OBJECT_GLOSS) * ramp


def _smudges(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    period = np.float32(_SMUDGE_PERIOD)
    total = np.zeros_like(x)
    for brightness, at_x, at_z, wide, high in np.array(_SMUDGES, np.float32):
        dx = np.mod(x - at_x + period / 2, period) - period / 2
        total += brightness * np.exp(
            -((dx / wide) ** 2 + ((z - at_z) / high) ** 2)
        )
    return total
