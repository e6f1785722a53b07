# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Views: random changes of x that a facet is to ignore.

In training the encoder of a facet with a view is shown T x, for a T drawn anew
for each example and step, and the decoder must give x itself. The mean over T
is a lower bound on log p(x), see docs/maths.md. The facet cannot sort by what
its view destroys. Predictions encode x.

A view is a frozen dataclass with the two methods of ``View``. Its row in
``settings.KINDS["view"]`` is the name that configs give it.
"""

import dataclasses
import functools
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias

import chex
import jax
import jax.numpy as jnp

__all__ = [
    "KINDS",
    "Affine",
    "Colour",
    "Masked",
    "Noise",
    "View",
    "check",
    "draw",
    "facets_of_views",
]


class View(Protocol):
    """A distribution of changes T. Hashable, since programs are kept by it."""

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Raises ValueError unless it suits images of shape (H, W, C)."""

    def draw(self, key: chex.PRNGKey, x: chex.Array) -> chex.Array:
        """Draws T and returns T x.

        Args:
            key: PRNG key of this example.
            x: one image in [0, 1], or one row of a table, whose columns have
                mean 0 and variance 1, as (1, D, 1); shape (H, W, C).

        Returns:
            The same shape.
        """


# What is applied in turn for each facet, length J; () is x itself.
_OfFacets: TypeAlias = Sequence[tuple[View, ...]]


class _Ranged:
    """A view whose numbers are from 0 to the most, and not all of them 0."""

    _most: ClassVar[Mapping[str, float]]

    def __post_init__(self):
        for name, limit in self._most.items():
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, numbers.Real)
                or not 0 <= float(value) <= limit
                or math.isinf(value)
            ):
                span = (
                    f"from 0 to {limit:g}" if limit < math.inf else "at least 0"
                )
                raise ValueError(
                    f"{type(self).__name__}: {name} must be a number {span}, "
                    f"got {value!r}"
                )
            object.__setattr__(self, name, float(value))
        if not any(getattr(self, name) for name in self._most):
            raise ValueError(
                f"{self} changes nothing: give {' or '.join(self._most)} a "
                "value above 0, or leave the view out"
            )

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Suits images and tables."""


class _OfImages(_Ranged):
    """A view that tables have no use for."""

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """See ``View``."""
        if min(image_shape[:2]) < 2:
            raise ValueError(
                f"{self} is for images, got examples of shape (H, W, C) = "
                f"{image_shape}, as of a table: Noise and Masked suit tables"
            )


@dataclasses.dataclass(frozen=True)
class Affine(_OfImages):
    """Turns, moves, stretches and slants images about their centre.

    Each of the six numbers is uniform, between minus and plus what is given
    here. Pixels in between are interpolated linearly, and what comes in from
    outside has the colour of the nearest pixel of the border.

    Attributes:
        rotation: degrees, up to 180.
        shift: down and right, apart, in shares of height and width.
        scale: height and width, apart, change by up to this share.
        shear: columns that a row moves for each row from the centre.
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0

    _most = {"rotation": 180, "shift": 1, "scale": 0.9, "shear": 1}

    def draw(self, key: chex.PRNGKey, x: chex.Array) -> chex.Array:
        """See ``View``."""
        height, width, _ = x.shape
        turn, tall, wide, slant, down, right = jax.random.uniform(
            key, (6,), x.dtype, minval=-1, maxval=1
        )
        angle = math.radians(self.rotation) * turn
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        tall, wide = 1 + self.scale * tall, 1 + self.scale * wide
        slant = self.shear * slant
        # Pixel (i, j) of T x is x at R S (i, j), from the centre on.
        i = jnp.arange(height, dtype=x.dtype)[:, None] - (height - 1) / 2
        j = jnp.arange(width, dtype=x.dtype) - (width - 1) / 2
        stretched_i, stretched_j = tall * i, slant * i + wide * j
        row = cos * stretched_i - sin * stretched_j
        column = sin * stretched_i + cos * stretched_j
        row += (height - 1) / 2 + self.shift * height * down
        column += (width - 1) / 2 + self.shift * width * right
        return _interpolated(x, row, column)


@dataclasses.dataclass(frozen=True)
class Colour(_OfImages):
    """Changes the colours of images; the result is cut to [0, 1].

    Each of the three numbers is uniform, between minus and plus what is given
    here.

    Attributes:
        hue: degrees by which colours turn about the grey axis of RGB; 180
            leaves nothing of the hue.
        brightness: added to all pixels.
        contrast: share by which differences from the image's mean change.
    """

    hue: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0

    _most = {"hue": 180, "brightness": 1, "contrast": 1}

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """See ``View``."""
        super().check(image_shape)
        if self.hue and image_shape[-1] != 3:
            raise ValueError(
                f"{self} turns the hue of RGB images, got images of "
                f"{image_shape[-1]} channel(s): leave hue at 0"
            )

    def draw(self, key: chex.PRNGKey, x: chex.Array) -> chex.Array:
        """See ``View``."""
        turn, brighter, stronger = jax.random.uniform(
            key, (3,), x.dtype, minval=-1, maxval=1
        )
        if self.hue:
            x = x @ _about_grey(math.radians(self.hue) * turn).T
        mean = jnp.mean(x)
        x = mean + (1 + self.contrast * stronger) * (x - mean)
        return jnp.clip(x + self.brightness * brighter, 0, 1)


@dataclasses.dataclass(frozen=True)
class Noise(_Ranged):
    """Adds independent Gaussian noise to every number of an example.

    Attributes:
        std: standard deviation, in units of pixel intensity; or, of a table,
            of the standard deviation of each column.
    """

    std: float

    _most = {"std": math.inf}

    def draw(self, key: chex.PRNGKey, x: chex.Array) -> chex.Array:
        """See ``View``."""
        return x + self.std * jax.random.normal(key, x.shape, x.dtype)


@dataclasses.dataclass(frozen=True)
class Masked(_Ranged):
    """Hides columns of a table, as their mean, or pixels of an image, as black.

    Attributes:
        share: probability that a column or pixel is hidden.
    """

    share: float

    _most = {"share": 1}

    def draw(self, key: chex.PRNGKey, x: chex.Array) -> chex.Array:
        """See ``View``."""
        is_seen = jax.random.bernoulli(key, 1 - self.share, x.shape[:2])
        return jnp.where(is_seen[..., None], x, 0)


# The names that configs give them; ``settings.KINDS["view"]`` is this table.
KINDS: dict[str, type] = {
    "affine": Affine,
    "colour": Colour,
    "masked": Masked,
    "noise": Noise,
}


def check(of_facets: _OfFacets, image_shape: tuple[int, int, int]) -> None:
    """Raises ValueError unless all views suit images of shape (H, W, C)."""
    for j, steps in enumerate(of_facets):
        for view in steps:
            try:
                view.check(image_shape)
            except ValueError as error:
                raise ValueError(f"the view of facet {j}: {error}") from error


def facets_of_views(
    of_facets: _OfFacets,
) -> dict[tuple[View, ...], tuple[int, ...]]:
    """Groups the facets that share a view, and so a pass of the encoder.

    Returns:
        The facets of each view, in the order in which views first occur.
    """
    found: dict[tuple[View, ...], tuple[int, ...]] = {}
    for j, steps in enumerate(of_facets):
        found[steps] = (*found.get(steps, ()), j)
    return found


def draw(
    of_facets: _OfFacets,
    key: chex.PRNGKey,
    x: chex.Array,
    first: chex.Array | int = 0,
) -> tuple[chex.Array, ...] | None:
    """Draws what the encoders of a batch see.

    The draw of an example depends on the key and its place in the whole batch,
    not on how the batch is spread over devices.

    Args:
        of_facets: what is applied in turn for each facet, length J.
        key: PRNG key of this step.
        x: a batch or a part of one, shape (B, H, W, C).
        first: place of its first example in the whole batch.

    Returns:
        An array like x for each entry of ``facets_of_views``; None if no facet
        has a view.
    """
    if not any(of_facets):
        return None
    places = first + jnp.arange(len(x))

    def changed(steps, key, place, image):
        own = jax.random.fold_in(key, place)
        for i, view in enumerate(steps):
            image = view.draw(jax.random.fold_in(own, i), image)
        return image.astype(x.dtype)

    seen = []
    for i, steps in enumerate(facets_of_views(of_facets)):
        of_view = functools.partial(changed, steps, jax.random.fold_in(key, i))
        seen.append(jax.vmap(of_view)(places, x) if steps else x)
    return tuple(seen)


def _interpolated(
    x: chex.Array, row: chex.Array, column: chex.Array
) -> chex.Array:
    """x, (H, W, C), at places between its pixels, (H', W'): (H', W', C)."""
    height, width, n_colours = x.shape
    pixels = x.reshape(-1, n_colours)
    row = jnp.clip(row, 0, height - 1)
    column = jnp.clip(column, 0, width - 1)
    top, left = jnp.floor(row), jnp.floor(column)
    down, right = (row - top)[..., None], (column - left)[..., None]
    top, left = top.astype(jnp.int32), left.astype(jnp.int32)
    below = jnp.minimum(top + 1, height - 1)
    beside = jnp.minimum(left + 1, width - 1)

    def at(i, j):
        return pixels.at[i * width + j].get(mode="promise_in_bounds")

    upper = (1 - right) * at(top, left) + right * at(top, beside)
    lower = (1 - right) * at(below, left) + right * at(below, beside)
    return (1 - down) * upper + down * lower


def _about_grey(angle: chex.Array) -> chex.Array:
    """The rotation of RGB about (1, 1, 1), by Rodrigues' formula, (3, 3)."""
    cross = jnp.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    return (
        jnp.cos(angle) * jnp.eye(3)
        + jnp.sin(angle) * cross
        + (1 - jnp.cos(angle)) / 3
    )
