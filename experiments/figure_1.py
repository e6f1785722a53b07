# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Draws why several facets need fewer clusters than one (the paper's Fig. 1).

    python experiments/figure_1.py --out=runs/figure_1.png

MFCVAE (arXiv:2106.05241), Fig. 1: (a) a model with one facet needs a cluster
for every combination of the characteristics of the data, K_1 x ... x K_J; (b)
one with a facet for each needs K_1 + ... + K_J. Nothing is trained: the
clusters and the points in them are drawn at random.
"""

import math
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from matplotlib import axes as mpl_axes
from matplotlib import patches
from sklearn import cluster

from mfcvae_jax.commands import running
from mfcvae_jax.figures import style

_OUT = flags.DEFINE_string("out", None, "Picture to write.", required=True)

# Matplotlib's marker, and what makes it look as large as a circle.
_SHAPES = {"circle": ("o", 1.0), "square": ("s", 0.9), "triangle": ("^", 1.1)}
# In the tones of the facets.
_COLOURS = {"red": "#c9463d", "green": "#3f9d7c", "blue": "#2f6da8"}
_SIZES = {"small": 3.2, "large": 6.6}  # diameters in points
_CHARACTERISTICS: tuple[dict[str, Any], ...] = (_SHAPES, _COLOURS, _SIZES)
_COUNTS = tuple(map(len, _CHARACTERISTICS))

# Inches.
_SIDE = 3.4  # of the square of one facet, and the height of all panels
_FACETS = 4.2  # the widths of the panels of several facets together
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


def _draw() -> int:
    path = pathlib.Path(_OUT.value)
    facet_intuition(path)
    print(
        f"{path}: one facet needs {math.prod(_COUNTS)} clusters, "
        f"{len(_COUNTS)} facets need {sum(_COUNTS)}"
    )
    return 0


@style.house_style
def facet_intuition(path: str | os.PathLike[str], *, seed: int = 0) -> None:
    """Draws clusters in one facet (a) beside those in several (b).

    The points of (a) form a cluster for every combination of values. In (b)
    every characteristic has a facet of its own, whose clusters sort points by
    that characteristic alone. Ellipses lie at two standard deviations.

    Args:
        path: where to write; the ending chooses the format.
        seed: of the places of clusters and points.
    """
    rng = np.random.default_rng(seed)
    width = _FACETS / len(_COUNTS)
    page = style.Page([_SIDE] + [width] * len(_COUNTS), [_SIDE])
    one, *several = page.axes[0]

    total = math.prod(_COUNTS)
    _start_panel(
        one,
        _SIDE,
        f"(a) one facet: {total} clusters",
        " × ".join(map(str, _COUNTS)),
        "a cluster for every combination",
    )
    combinations = np.array(list(np.ndindex(_COUNTS)))
    placed = _place_clusters(rng, total, _SIDE)
    _draw_clusters(one, rng, placed, combinations.repeat(_POINTS_ONE, axis=0))

    heading = f"(b) three facets: {sum(_COUNTS)} clusters"
    for j, (axes, names) in enumerate(
        zip(several, _CHARACTERISTICS, strict=True)
    ):
        k = len(names)
        _start_panel(
            axes,
            width,
            "" if j else heading,
            "" if j else " + ".join(map(str, _COUNTS)),
            f"facet {j}: {k} clusters",
            style.facet_colour(j),
        )
        placed = _place_clusters(rng, k, width, _LABEL)
        # All other characteristics at random.
        kinds = rng.integers(0, _COUNTS, (k * _POINTS_FACET, len(_COUNTS)))
        kinds[:, j] = np.arange(k).repeat(_POINTS_FACET)
        _draw_clusters(axes, rng, placed, kinds)
        # Each name under the ellipse of its cluster.
        stds = np.linalg.norm(placed.factors[:, 1], axis=-1)
        x, y = placed.means.T
        for name, *at in zip(names, x, y - 2 * stds - 0.09, strict=True):
            axes.text(*at, name, ha="center", va="center_baseline")
    page.fit()
    page.save(path)


def _place_clusters(
    rng: np.random.Generator,
    n_clusters: int,
    width: float,
    label: float = 0.0,
) -> _Clusters:
    """Spreads Gaussians over a panel; their ellipses do not overlap.

    Width, and height of a label under each, are in inches. Clusters with labels
    are in order from the top.
    """
    means = _spread(rng, n_clusters, width, _SIDE - label)
    if label:
        means = means[np.argsort(-means[:, 1])] + [0.0, label]
    between = np.linalg.norm(means[:, None] - means, axis=-1)
    np.fill_diagonal(between, np.inf)
    to_border = np.minimum(
        means - [0.0, label], np.array([width, _SIDE]) - means
    ).min(axis=1)
    rim = np.minimum(_RIM, to_border / 5)
    room = np.minimum((between.min(axis=1) - label) / 2, to_border - rim)
    radii = 0.94 * room[:, None] * np.ones(2)
    radii[:, 1] *= rng.uniform(0.6, 0.95, n_clusters)
    angles = rng.uniform(0, np.pi, n_clusters)
    cos, sin = np.cos(angles), np.sin(angles)
    axes = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
    return _Clusters(means, axes * radii[:, None, :] / 2, radii, angles)


def _spread(
    rng: np.random.Generator, n_places: int, width: float, height: float
) -> np.ndarray:
    """Returns places far apart in a panel, shape (n_places, 2)."""
    n_across = 48
    n_up = round(n_across * height / width)
    x, y = np.meshgrid(
        (np.arange(n_across) + 0.5) * width / n_across,
        (np.arange(n_up) + 0.5) * height / n_up,
    )
    ground = np.stack([x.ravel(), y.ravel()], axis=-1)
    found = cluster.KMeans(
        n_places, init="random", n_init=1, random_state=int(rng.integers(2**31))
    )
    return found.fit(ground).cluster_centers_


def _sample(
    rng: np.random.Generator, clusters: _Clusters, diameters: np.ndarray
) -> np.ndarray:
    """Draws points, cluster by cluster, apart where that takes few attempts.

    In inches: diameters of their markers, (N,), to places, (N, 2).
    """
    points = np.empty((len(diameters), 2))
    n_points = len(points) // len(clusters.means)
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


def _draw_clusters(
    axes: mpl_axes.Axes,
    rng: np.random.Generator,
    clusters: _Clusters,
    kinds: np.ndarray,
) -> None:
    """Draws ellipses and points, by the values of each point, (N, J)."""
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
    shapes, colours, sizes = kinds.T
    fills = np.array(list(_COLOURS.values()))
    # Small clusters have small points.
    radius = 72 * float(np.median(clusters.radii[:, 0]))
    shrink = min(1.0, radius / 20)
    diameters = np.array(list(_SIZES.values()))[sizes] * shrink
    points = _sample(rng, clusters, diameters / 72)
    for s, (marker, factor) in enumerate(_SHAPES.values()):
        kept = shapes == s
        axes.scatter(
            points[kept, 0],
            points[kept, 1],
            s=(factor * diameters[kept]) ** 2,
            c=fills[colours[kept]],
            marker=marker,
            linewidths=0.3 * shrink,
            edgecolors=style.BACKGROUND,
            zorder=2,
        )


def _start_panel(
    axes: mpl_axes.Axes,
    width: float,
    heading: str,
    terms: str,
    text: str,
    colour: str | None = None,
) -> None:
    """Makes a latent space in inches, below a heading and what the panel is."""
    axes.set(xlim=(0, width), ylim=(0, _SIDE), xticks=[], yticks=[])
    axes.set_xlabel("z₁")
    axes.set_ylabel("z₂", rotation=0, va="center", labelpad=6)
    axes.spines[:].set_visible(True)
    below = axes.set_title(
        text if colour is None else "■",
        size=style.SIZE_LABEL,
        weight="normal",
        color=colour or style.MUTED,
    )
    if colour is not None:
        style.write_after(axes, below, text, color=style.INK, weight="bold")
    above = axes.annotate(
        heading,
        (0, 1),
        xycoords=below,
        xytext=(0, 9),
        textcoords="offset points",
        size=style.SIZE_TITLE,
        weight="bold",
    )
    # That of several facets has the room of all their panels.
    above.set_in_layout(colour is None)
    style.write_after(axes, above, terms).set_in_layout(False)


if __name__ == "__main__":
    running.script(_draw)
