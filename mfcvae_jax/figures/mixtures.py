# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Why several facets: a drawn mixture of clusters, the paper's Fig. 1.

MFCVAE (arXiv:2106.05241), Fig. 1: (a) a model with one facet needs a cluster
for every combination of the characteristics of the data, K_1 x ... x K_J; (b)
one with a facet for each needs K_1 + ... + K_J. Nothing here is learned.
"""

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import patches

from mfcvae_jax.figures import style

__all__ = ["facet_intuition"]

# Shape, colour and size, in this order.
_CHANNELS = ("shape", "colour", "size")
_MOST_VALUES = (8, 8, 5)
_COUNTS = ("no", "one", "two", "three")

# Matplotlib's marker, and what makes it look as large as a circle.
_SHAPES = {
    "circle": ("o", 1.0),
    "square": ("s", 0.9),
    "triangle": ("^", 1.1),
    "diamond": ("D", 0.82),
    "star": ("*", 1.45),
    "cross": ("P", 1.08),
    "pentagon": ("p", 1.1),
    "hexagon": ("h", 1.1),
}
# A value that names a colour has it, in the tones of the facets.
_COLOURS = {
    "red": "#c9463d",
    "blue": "#2f6da8",
    "green": "#3f9d7c",
    "orange": "#e08a2e",
    "purple": "#8e5aa6",
    "yellow": "#dcb62f",
    "pink": "#e08bb0",
    "grey": "#7d8790",
}
_SIZES = ("tiny", "small", "medium", "large", "huge")
_SMALLEST, _LARGEST, _ONLY = 3.2, 6.6, 4.6  # points

# Inches.
_LEFT = 0.3
_RIGHT = 0.1
_TOP = 0.62
_SIDE = 3.4  # of the square of one facet, and the height of all panels
_APART = 0.5  # (a) and (b)
_BETWEEN = 0.27  # facets
_BOTTOM = 0.3
_LABEL = 0.17  # under an ellipse

_POINTS_ONE = 13  # of a cluster of the one facet
_POINTS_FACET = 30  # of a cluster of one of several
_FARTHEST = 2.05  # a point is never more standard deviations from its mean
_RIM = 0.06  # inches between ellipses and the frame, for the points on the rim


class _Clusters(NamedTuple):
    """Gaussians in a panel, in inches from its lower left corner."""

    means: np.ndarray  # (K, 2)
    factors: np.ndarray  # (K, 2, 2); the covariance is factor @ factor.T
    radii: np.ndarray  # (K, 2), axes of the ellipse of 2 standard deviations
    angles: np.ndarray  # (K,), of the first axis, radians


class _Looks(NamedTuple):
    """What the values of the channels look like."""

    shapes: tuple[tuple[str, float], ...]
    colours: tuple[str, ...]
    diameters: np.ndarray  # points


@style.house_style
def facet_intuition(
    characteristics: Sequence[Sequence[str]],
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
) -> None:
    """Draws clusters in one facet (a) beside those in several (b).

    The points of (a) form a cluster for every combination of values. In (b)
    every characteristic has a facet of its own, whose clusters sort points by
    that characteristic alone. Ellipses lie at two standard deviations.

    Args:
        characteristics: one to three; the values of each, by name. The first
            is shown by shape, the second by colour, the third by size. Names
            of shapes, colours and sizes that are known look as they say.
        path: where to write; the ending chooses the format.
        seed: of the places of clusters and points.

    Raises:
        ValueError: if there are more characteristics, or more values of one,
            than can be told apart, or values that are not distinct texts.
    """
    values = _check_characteristics(characteristics)
    counts = [len(names) for names in values]
    looks = _looks(values)
    rng = np.random.default_rng(seed)
    height = _TOP + _SIDE + _BOTTOM
    figure = style.new_figure(style.WIDTH, height)

    total = math.prod(counts)
    _write_heading(
        figure,
        _LEFT,
        _SIDE,
        f"(a) one facet: {_clusters(total)}",
        _terms(counts, "×"),
    )
    style.write(
        figure,
        _LEFT,
        0.47,
        "a cluster for every "
        + ("combination" if len(counts) > 1 else "value"),
        color=style.MUTED,
    )
    axes = _add_panel(figure, _LEFT, _SIDE)
    combinations = np.array(list(itertools.product(*map(range, counts))))
    placed = _place_clusters(rng, total, _SIDE, _SIDE)
    n_points = max(5, min(_POINTS_ONE, 360 // total))
    kinds = combinations.repeat(n_points, axis=0)
    _draw_clusters(axes, placed)
    _draw_points(axes, rng, placed, n_points, kinds, looks)

    left = _LEFT + _SIDE + _APART
    room = style.WIDTH - _RIGHT - left
    width = (room - (len(counts) - 1) * _BETWEEN) / len(counts)
    _write_heading(
        figure,
        left,
        room,
        f"(b) {_COUNTS[len(counts)]} facet{'s' * (len(counts) > 1)}: "
        f"{_clusters(sum(counts))}",
        _terms(counts, "+"),
    )
    for j, names in enumerate(values):
        text = f"facet {j}: {_clusters(counts[j])}"
        _write_facet(figure, left, width, text, j)
        axes = _add_panel(figure, left, width)
        placed = _place_clusters(rng, counts[j], width, _SIDE, label=_LABEL)
        n_points = max(8, min(_POINTS_FACET, 120 // counts[j]))
        # All other characteristics at random.
        kinds = rng.integers(0, counts, (counts[j] * n_points, len(counts)))
        kinds[:, j] = np.arange(counts[j]).repeat(n_points)
        _draw_clusters(axes, placed)
        _draw_points(axes, rng, placed, n_points, kinds, looks)
        _write_names(figure, left, width, names, placed)
        left += width + _BETWEEN
    style.save(figure, path)


def _check_characteristics(
    characteristics: Sequence[Sequence[str]],
) -> tuple[tuple[str, ...], ...]:
    if isinstance(characteristics, str) or not 1 <= len(characteristics) <= 3:
        raise ValueError(
            "Expected one to three characteristics, shown by shape, colour and "
            f"size; got {characteristics!r}."
        )
    checked = []
    for names, channel, most in zip(
        characteristics, _CHANNELS, _MOST_VALUES, strict=False
    ):
        if (
            isinstance(names, str)
            or not 1 <= len(names) <= most
            or not all(isinstance(name, str) and name for name in names)
            or len(set(names)) != len(names)
        ):
            raise ValueError(
                f"Expected the characteristic shown by {channel} to have 1 to "
                f"{most} values, distinct texts; got {names!r}."
            )
        checked.append(tuple(names))
    return tuple(checked)


def _looks(values: Sequence[Sequence[str]]) -> _Looks:
    absent = [("circle",), ("grey",), ("medium",)]
    shapes, colours, sizes = list(values) + absent[len(values) :]
    return _Looks(
        tuple(_SHAPES[name] for name in _match(shapes, _SHAPES)),
        tuple(_COLOURS[name] for name in _match(colours, _COLOURS)),
        _diameters(sizes),
    )


def _match(names: Sequence[str], known: Mapping[str, object]) -> list[str]:
    """Gives each name itself if it is known, else the next one not taken."""
    free = iter([name for name in known if name not in names])
    return [name if name in known else next(free) for name in names]


def _diameters(names: Sequence[str]) -> np.ndarray:
    """Returns diameters in points, rising in the order given or by name."""
    if len(names) == 1:
        return np.array([_ONLY])
    ranks = np.arange(len(names))
    if all(name in _SIZES for name in names):
        ranks = np.argsort(np.argsort([_SIZES.index(name) for name in names]))
    return np.linspace(_SMALLEST, _LARGEST, len(names))[ranks]


def _place_clusters(
    rng: np.random.Generator,
    n_clusters: int,
    width: float,
    height: float,
    *,
    label: float = 0.0,
) -> _Clusters:
    """Spreads Gaussians over a panel; their ellipses do not overlap.

    Args:
        rng: the source of randomness.
        n_clusters: K.
        width: of the panel, in inches.
        height: of the panel, in inches.
        label: height of a text under each ellipse, in inches.

    Returns:
        The clusters; those with labels are in order from the top.
    """
    means = _spread(rng, n_clusters, width, height - label)
    if label:
        means = means[np.argsort(-means[:, 1])] + [0.0, label]
    between = np.linalg.norm(means[:, None] - means, axis=-1)
    np.fill_diagonal(between, np.inf)
    to_border = np.minimum(
        means - [0.0, label], np.array([width, height]) - means
    ).min(axis=1)
    rim = np.minimum(_RIM, to_border / 5)
    room = np.minimum((between.min(axis=1) - label) / 2, to_border - rim)
    radii = 0.94 * room[:, None] * np.ones(2)
    radii[:, 1] *= rng.uniform(0.6, 0.95, n_clusters)
    angles = rng.uniform(0, np.pi, n_clusters)
    axes = np.stack(
        [
            np.stack([np.cos(angles), -np.sin(angles)], axis=-1),
            np.stack([np.sin(angles), np.cos(angles)], axis=-1),
        ],
        axis=1,
    )
    return _Clusters(means, axes * radii[:, None, :] / 2, radii, angles)


def _spread(
    rng: np.random.Generator, n_places: int, width: float, height: float
) -> np.ndarray:
    """Returns places far apart, by Lloyd's algorithm; shape (n_places, 2)."""
    n_across = 48
    n_up = round(n_across * height / width)
    x, y = np.meshgrid(
        (np.arange(n_across) + 0.5) * width / n_across,
        (np.arange(n_up) + 0.5) * height / n_up,
    )
    ground = np.stack([x.ravel(), y.ravel()], axis=-1)
    places = ground[rng.choice(len(ground), n_places, replace=False)]
    for _ in range(40):
        distances = ((ground[:, None] - places) ** 2).sum(axis=-1)
        nearest = distances.argmin(axis=1)
        sizes = np.bincount(nearest, minlength=n_places)
        places = np.stack(
            [
                np.bincount(nearest, ground[:, i], n_places)
                / np.maximum(sizes, 1)
                for i in range(2)
            ],
            axis=-1,
        )
    return places


def _sample(
    rng: np.random.Generator,
    clusters: _Clusters,
    n_points: int,
    diameters: np.ndarray,
) -> np.ndarray:
    """Draws points of each cluster, apart where that takes few attempts.

    Args:
        rng: the source of randomness.
        clusters: K of them.
        n_points: of each cluster.
        diameters: of the markers in inches, shape (K * n_points,).

    Returns:
        Places in inches, shape (K * n_points, 2), cluster by cluster.
    """
    points = np.empty((len(clusters.means) * n_points, 2))
    for i in range(len(points)):
        k, first = i // n_points, i // n_points * n_points
        # A standard normal within _FARTHEST, by the inverse of its radius.
        inside = rng.random(60) * -np.expm1(-(_FARTHEST**2) / 2)
        length = np.sqrt(-2 * np.log1p(-inside))
        angle = math.tau * rng.random(60)
        tries = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        tries = clusters.means[k] + tries @ clusters.factors[k].T
        space = np.linalg.norm(tries[:, None] - points[first:i], axis=-1)
        space -= 0.5 * (diameters[first:i] + diameters[i])
        space = space.min(axis=1, initial=np.inf)
        is_free = space > 0
        # The first that is free, else the one that overlaps least.
        points[i] = tries[is_free.argmax() if is_free.any() else space.argmax()]
    return points


def _draw_clusters(axes: mpl_axes.Axes, clusters: _Clusters) -> None:
    for mean, radii, angle in zip(
        clusters.means, clusters.radii, clusters.angles, strict=True
    ):
        axes.add_patch(
            patches.Ellipse(
                (float(mean[0]), float(mean[1])),
                *(2 * radii),
                angle=float(np.degrees(angle)),
                facecolor="#f5f6f8",
                edgecolor=style.MUTED,
                linewidth=0.7,
                zorder=1,
            )
        )


def _draw_points(
    axes: mpl_axes.Axes,
    rng: np.random.Generator,
    clusters: _Clusters,
    n_points: int,
    kinds: np.ndarray,
    looks: _Looks,
) -> None:
    """Draws points; `kinds` holds their values, shape (K * n_points, J)."""
    absent = np.zeros((len(kinds), 3 - kinds.shape[1]), int)
    shapes, colours, sizes = np.concatenate([kinds, absent], axis=1).T
    # Small clusters have small points.
    radius = 72 * float(np.median(clusters.radii[:, 0]))
    shrink = min(1.0, radius / 20)
    diameters = looks.diameters[sizes] * shrink
    points = _sample(rng, clusters, n_points, diameters / 72)
    for s, (marker, factor) in enumerate(looks.shapes):
        kept = shapes == s
        axes.scatter(
            points[kept, 0],
            points[kept, 1],
            s=(factor * diameters[kept]) ** 2,
            c=[looks.colours[c] for c in colours[kept]],
            marker=marker,
            linewidths=0.3 * shrink,
            edgecolors=style.BACKGROUND,
            zorder=2,
        )


def _add_panel(
    figure: mpl_figure.Figure, left: float, width: float
) -> mpl_axes.Axes:
    """Adds a latent space measured in inches from its lower left corner."""
    page_width, page_height = figure.get_size_inches()
    axes = figure.add_axes(
        (
            left / page_width,
            _BOTTOM / page_height,
            width / page_width,
            _SIDE / page_height,
        )
    )
    axes.set(xlim=(0, width), ylim=(0, _SIDE), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(True)
    middle = _TOP + _SIDE / 2
    settings = {"color": style.MUTED, "ha": "center"}
    style.write(figure, left + width / 2, _TOP + _SIDE + 0.12, "z₁", **settings)
    style.write(figure, left - 0.11, middle, "z₂", **settings)
    return axes


def _write_heading(
    figure: mpl_figure.Figure, left: float, width: float, text: str, terms: str
) -> None:
    style.write(figure, left, 0.2, text, size=style.SIZE_TITLE, weight="bold")
    indent = style.text_width(text, style.SIZE_TITLE, "bold") + 0.1
    style.write(
        figure,
        left + indent,
        0.2,
        style.cut(terms, width - indent, style.SIZE_LABEL),
        color=style.MUTED,
    )


def _write_facet(
    figure: mpl_figure.Figure, left: float, width: float, text: str, facet: int
) -> None:
    page_width, page_height = figure.get_size_inches()
    side = 0.09
    figure.add_artist(
        patches.Rectangle(
            (left / page_width, 1 - (0.47 + side / 2) / page_height),
            side / page_width,
            side / page_height,
            color=style.facet_colour(facet),
            linewidth=0,
        )
    )
    indent = side + 0.06
    style.write(
        figure,
        left + indent,
        0.47,
        style.cut(text, width - indent, style.SIZE_LABEL, "bold"),
        weight="bold",
    )


def _write_names(
    figure: mpl_figure.Figure,
    left: float,
    width: float,
    names: Sequence[str],
    clusters: _Clusters,
) -> None:
    """Writes what a cluster holds under its ellipse, clear of the others."""
    stds = np.linalg.norm(clusters.factors[:, 1], axis=-1)
    x, y = clusters.means.T
    text_y = y - 2 * stds - 0.09
    lowest, highest = text_y - 0.12, y + 2 * stds + 0.05
    for k, name in enumerate(names):
        beside = (lowest < text_y[k]) & (text_y[k] < highest)
        beside[k] = False
        room = np.append(np.abs(x - x[k])[beside], 2 * min(x[k], width - x[k]))
        style.write(
            figure,
            left + x[k],
            _TOP + _SIDE - text_y[k],
            style.cut(name, float(room.min()) - 0.08, style.SIZE_LABEL),
            ha="center",
        )


def _clusters(count: int) -> str:
    return f"{count} cluster{'s' * (count != 1)}"


def _terms(counts: Sequence[int], sign: str) -> str:
    return f" {sign} ".join(map(str, counts)) if len(counts) > 1 else ""
