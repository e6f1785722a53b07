# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The explorer: one cluster of each facet, what is generated, what is there.

``plan`` chooses what the page holds, so that it stays small; the caller
generates it; ``explorer`` turns both into what the template needs. Up to two
facets, the page holds every combination of clusters; with more, those that
occur among the held-out examples, most frequent first.
"""

import io
import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mfcvae_jax import figures
from mfcvae_jax.figures import tiles as tiles_lib

__all__ = ["MAX_COMBINATIONS", "Plan", "Tiles", "explorer", "plan"]

MAX_COMBINATIONS = 2000

# Of uncompressed tiles; as text in the page they take less than 4/3 of it,
# about half of that for smooth pictures.
_BUDGET = 7_000_000


class _Level(NamedTuple):
    """How much is shown: of these, the first that the budget allows."""

    n_samples: int  # of each combination that occurs
    n_here: int  # examples of each combination
    n_members: int  # examples of each cluster


_LEVELS = (
    _Level(6, 12, 24),
    _Level(4, 12, 18),
    _Level(3, 6, 12),
    _Level(2, 4, 12),
    _Level(1, 2, 6),
)


class Plan(NamedTuple):
    """What the explorer holds.

    Attributes:
        orders: of the clusters of each facet, as in the figures.
        combinations: of clusters, those to be generated, the most frequent
            first, shape (G, J).
        counts: held-out examples in each of them, shape (G,).
        here: for each of them, the indices of the examples to be shown.
        members: the same for each cluster in use of each facet, in the order
            of ``orders``.
        left_out: combinations that occur but were too many, with their counts,
            shapes (L, J) and (L,).
        n_samples: to be generated of each combination that occurs.
        examples: indices of all examples to be shown, ascending, shape (E,).
    """

    orders: tuple[figures.ClusterOrder, ...]
    combinations: np.ndarray
    counts: np.ndarray
    here: tuple[np.ndarray, ...]
    members: tuple[tuple[np.ndarray, ...], ...]
    left_out: tuple[np.ndarray, np.ndarray]
    n_samples: int
    examples: np.ndarray

    @property
    def n_occurring(self) -> int:
        """How many of the combinations to be generated occur."""
        return int((self.counts > 0).sum())


class Tiles(NamedTuple):
    """The pictures that a plan asks for, floats in [0, 1]; or all are uint8.

    Attributes:
        means: decoded from the component means, shape (G, H, W, C).
        samples: of the combinations that occur, which are the first, shape
            (U, n_samples, H, W, C).
        examples: held out, shape (E, H, W, C).
        labels: of the examples, integers, shape (E, M).
    """

    means: np.ndarray
    samples: np.ndarray
    examples: np.ndarray
    labels: np.ndarray


def plan(
    responsibilities: Sequence[np.ndarray], image_shape: Sequence[int]
) -> Plan:
    """Chooses what the explorer holds.

    Args:
        responsibilities: of each facet, shape (N, K_j), probabilities.
        image_shape: (H, W, C).
    """
    orders = tuple(figures.order_clusters(r) for r in responsibilities)
    assignments = np.stack([r.argmax(axis=1) for r in responsibilities], axis=1)
    occurring, inverse, counts = np.unique(
        assignments, axis=0, return_inverse=True, return_counts=True
    )
    # Most confident of all facets together first, as in `order_clusters`.
    confidence = np.sum([np.log(r.max(axis=1)) for r in responsibilities], 0)
    by_confidence = np.argsort(-confidence, kind="stable")
    by_group = np.argsort(inverse.ravel()[by_confidence], kind="stable")
    groups = np.split(by_confidence[by_group], np.cumsum(counts)[:-1])
    ranks = np.argsort(-counts, kind="stable")
    occurring, counts = occurring[ranks], counts[ranks]
    groups = [groups[rank] for rank in ranks]

    others = []
    if len(orders) <= 2:
        known = set(map(tuple, occurring.tolist()))
        every = itertools.product(*(range(o.n_components) for o in orders))
        others = [ks for ks in every if ks not in known]
    n_tiles = _BUDGET // math.prod(image_shape)
    level, n_kept = _fitting(
        orders, groups, len(occurring) + len(others), n_tiles
    )
    n_used = min(len(occurring), n_kept)
    examples = _examples(orders, groups[:n_used], level)
    combinations = np.array([*occurring.tolist(), *others][:n_kept], np.int32)
    return Plan(
        orders=orders,
        combinations=combinations,
        counts=np.pad(counts[:n_used], (0, n_kept - n_used)),
        here=tuple(
            groups[i][: level.n_here] if i < n_used else np.zeros(0, int)
            for i in range(n_kept)
        ),
        members=tuple(
            tuple(row[: level.n_members] for row in order.members)
            for order in orders
        ),
        left_out=(occurring[n_used:], counts[n_used:]),
        n_samples=level.n_samples,
        examples=examples,
    )


def _fitting(
    orders: Sequence[figures.ClusterOrder],
    groups: Sequence[np.ndarray],
    n_possible: int,
    n_tiles: int,
) -> tuple[_Level, int]:
    """The greatest level, and number of combinations, that the budget allows.

    ``groups`` are the examples of each combination that occurs; of
    ``n_possible`` combinations that may be generated.
    """
    n_kept = min(n_possible, MAX_COMBINATIONS)
    for level in _LEVELS:
        if len(orders) == 1:  # a combination is a cluster
            level = level._replace(n_here=level.n_members)
        shown = groups[:n_kept]
        n_examples = len(_examples(orders, shown, level))
        if n_kept + len(shown) * level.n_samples + n_examples <= n_tiles:
            return level, n_kept
    # Too many even so: fewer combinations at the least level.
    n_members = len(_examples(orders, [], level))
    n_kept = (n_tiles - n_members) // (1 + level.n_samples + level.n_here)
    return level, max(n_kept, 1)


def _examples(
    orders: Sequence[figures.ClusterOrder],
    groups: Sequence[np.ndarray],
    level: _Level,
) -> np.ndarray:
    """All examples that a level shows, each once."""
    rows = [group[: level.n_here] for group in groups]
    for order in orders:
        rows += [row[: level.n_members] for row in order.members]
    return np.unique(np.concatenate(rows))


def explorer(
    chosen: Plan, tiles: Tiles, labelings: Sequence[str]
) -> dict[str, Any]:
    """Gathers what the template of the explorer shows.

    Args:
        chosen: what it holds.
        tiles: its pictures.
        labelings: names of the M labelings.

    Returns:
        Values for explorer.html.j2; ``data`` is for the script.
    """
    shape = tiles.means.shape[1:]
    generated, generated_columns = _sheet(
        np.concatenate([tiles.means, tiles.samples.reshape(-1, *shape)])
    )
    examples, example_columns = _sheet(tiles.examples)
    columns = {"generated": generated_columns, "examples": example_columns}
    return {
        "facets": [
            _chips(order, int(first))
            for order, first in zip(
                chosen.orders, chosen.combinations[0], strict=True
            )
        ],
        "n_possible": math.prod(o.n_components for o in chosen.orders),
        "n_occurring": chosen.n_occurring + len(chosen.left_out[0]),
        "n_generated": len(chosen.combinations),
        "sheets": {"generated": generated, "examples": examples},
        "data": _data(chosen, tiles, labelings) | {"columns": columns},
    }


def _chips(order: figures.ClusterOrder, first: int) -> dict[str, Any]:
    """The clusters of one facet to choose from, empty ones last."""
    sizes = dict(
        zip(order.components.tolist(), map(len, order.members), strict=True)
    )
    empty = sorted(set(range(order.n_components)) - set(sizes))
    return {
        "n_used": len(sizes),
        "chips": [
            {"k": k, "n": sizes.get(k, 0), "is_first": k == first}
            for k in [*sizes, *empty]
        ],
    }


def _data(
    chosen: Plan,
    tiles: Tiles,
    labelings: Sequence[str],
) -> dict[str, Any]:
    """What the script reads; pictures by their place on the sheets."""
    n_generated = len(chosen.combinations)
    slot = {int(i): at for at, i in enumerate(chosen.examples)}
    held = zip(
        chosen.combinations.tolist(),
        chosen.counts.tolist(),
        chosen.here,
        strict=True,
    )
    combinations: list[dict[str, Any]] = []
    for i, (ks, n, here) in enumerate(held):
        start = n_generated + i * chosen.n_samples
        samples = range(start, start + chosen.n_samples if n else start)
        combinations.append(
            {
                "at": ks,
                "n": n,
                "mean": i,
                "samples": list(samples),
                "here": [slot[int(x)] for x in here],
            }
        )
    nothing: dict[str, Any] = {"mean": None, "samples": [], "here": []}
    combinations += [
        {"at": ks.tolist(), "n": int(n)} | nothing
        for ks, n in zip(*chosen.left_out, strict=True)
    ]
    return {
        "height": tiles.means.shape[1],
        "width": tiles.means.shape[2],
        "labelings": list(labelings),
        "examples": [
            {"index": int(i), "labels": row.tolist()}
            for i, row in zip(chosen.examples, tiles.labels, strict=True)
        ],
        "facets": [
            {
                str(k): {
                    "n": len(everyone),
                    "members": [slot[int(x)] for x in shown],
                }
                for k, everyone, shown in zip(
                    order.components, order.members, members, strict=True
                )
            }
            for order, members in zip(
                chosen.orders, chosen.members, strict=True
            )
        ],
        "combinations": combinations,
    }


def _sheet(images: np.ndarray) -> tuple[bytes, int]:
    """Sets images into one nearly square sheet, filled up with black.

    Args:
        images: shape (N, H, W, C), N >= 1, uint8 or floats, which are clipped
            to [0, 1].

    Returns:
        A PNG file without gaps, and its columns.
    """
    n, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(n * height / width))
    rows = math.ceil(n / columns)
    filled = np.zeros((rows * columns, *images.shape[1:]), images.dtype)
    filled[:n] = images
    filled = filled.reshape(rows, columns, *images.shape[1:])
    sheet = tiles_lib.sheet(filled, gap=0)[..., :channels]
    file = io.BytesIO()
    picture = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    picture.save(file, "PNG", optimize=True)
    return file.getvalue(), columns
