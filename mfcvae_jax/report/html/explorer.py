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

__all__ = ["MAX_COMBINATIONS", "Plan", "explorer", "plan"]

MAX_COMBINATIONS = 2000

# Of uncompressed tiles; as text in the page they take less than 4/3 of it,
# about half of that for smooth pictures.
_BUDGET = 7_000_000


class _Level(NamedTuple):
    """How much is shown: of ``_LEVELS``, the first that the budget allows."""

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
        combinations: of clusters, the most frequent first, shape (M, J).
        counts: held-out examples in each of them, shape (M,).
        groups: these examples, indices, the most confident first, for each
            combination that occurs.
        n_generated: of so many, the first, there are generated images.
        level: how many of each.
    """

    orders: tuple[figures.ClusterOrder, ...]
    combinations: np.ndarray
    counts: np.ndarray
    groups: Sequence[np.ndarray]
    n_generated: int
    level: _Level

    @property
    def here(self) -> list[np.ndarray]:
        """The examples shown of each that occurs and is generated."""
        shown = self.groups[: self.n_generated]
        return [group[: self.level.n_here] for group in shown]

    @property
    def members(self) -> list[list[np.ndarray]]:
        """The examples shown of each cluster in use of each facet."""
        n = self.level.n_members
        return [[row[:n] for row in order.members] for order in self.orders]

    @property
    def examples(self) -> np.ndarray:
        """All examples that are shown, ascending, shape (E,)."""
        shown = itertools.chain(self.here, *self.members)
        return np.unique(np.concatenate(list(shown)))

    @property
    def n_tiles(self) -> int:
        """How many pictures these are."""
        n_samples = len(self.here) * self.level.n_samples
        return self.n_generated + n_samples + len(self.examples)


def plan(
    responsibilities: Sequence[np.ndarray], image_shape: Sequence[int]
) -> Plan:
    """Chooses what the explorer holds.

    Args:
        responsibilities: of each facet, shape (N, K_j), probabilities.
        image_shape: (H, W, C).
    """
    orders = tuple(map(figures.order_clusters, responsibilities))
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
    combinations = occurring[ranks].tolist()
    if len(orders) <= 2:
        known = set(map(tuple, combinations))
        every = np.ndindex(*(order.n_components for order in orders))
        combinations += [ks for ks in every if ks not in known]

    found = Plan(
        orders=orders,
        combinations=np.array(combinations, np.int32),
        counts=np.pad(counts[ranks], (0, len(combinations) - len(counts))),
        groups=[groups[rank] for rank in ranks],
        n_generated=min(len(combinations), MAX_COMBINATIONS),
        level=_LEVELS[0],
    )
    n_tiles = _BUDGET // math.prod(image_shape)
    for level in _LEVELS:
        if len(orders) == 1:  # a combination is a cluster
            level = level._replace(n_here=level.n_members)
        found = found._replace(level=level)
        if found.n_tiles <= n_tiles:
            return found
    # Too many even so: fewer combinations at the least level.
    n_left = n_tiles - found._replace(n_generated=0).n_tiles
    n_generated = n_left // (1 + level.n_samples + level.n_here)
    return found._replace(n_generated=max(n_generated, 1))


def explorer(
    chosen: Plan,
    means: np.ndarray,
    samples: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    labelings: Sequence[str],
) -> dict[str, Any]:
    """Gathers what the template of the explorer shows.

    Args:
        chosen: what it holds.
        means: decoded from component means, shape (n_generated, H, W, C).
        samples: of the first len(here) combinations, which occur, shape
            (len(here), n_samples, H, W, C); floats in [0, 1], as the means.
        images: all held-out ones, in [0, 1] or uint8, shape (N, H, W, C).
        labels: of these, integers, shape (N, M).
        labelings: names of the M labelings.

    Returns:
        Values for explorer.html.j2; ``data`` is for the script.
    """
    generated, generated_columns = _sheet(
        np.concatenate([means, samples.reshape(-1, *means.shape[1:])])
    )
    examples = chosen.examples
    held_out, held_out_columns = _sheet(images[examples])
    data = {
        "height": means.shape[1],
        "width": means.shape[2],
        "labelings": list(labelings),
        "examples": [
            {"index": i, "labels": labels[i].tolist()}
            for i in examples.tolist()
        ],
        **_data(chosen, examples),
        "columns": {
            "generated": generated_columns,
            "examples": held_out_columns,
        },
    }
    return {
        "facets": list(map(_chips, chosen.orders, chosen.combinations[0])),
        "n_possible": math.prod(o.n_components for o in chosen.orders),
        "n_occurring": np.count_nonzero(chosen.counts),
        "n_generated": chosen.n_generated,
        "sheets": {"generated": generated, "examples": held_out},
        "data": data,
    }


def _chips(order: figures.ClusterOrder, first: int) -> dict[str, Any]:
    """The clusters of one facet to choose from, empty ones last."""
    sizes = dict(zip(order.components, map(len, order.members), strict=True))
    for k in range(order.n_components):
        sizes.setdefault(k, 0)
    return {
        "n_used": len(order.members),
        "chips": [
            {"k": k, "n": n, "is_first": k == first} for k, n in sizes.items()
        ],
    }


def _data(chosen: Plan, examples: np.ndarray) -> dict[str, Any]:
    """Clusters and combinations; pictures by their place on the sheets."""
    slot = {i: at for at, i in enumerate(examples.tolist())}
    here, n_samples = chosen.here, chosen.level.n_samples
    combinations = []
    # What occurs has its count, though it may be too rare to be generated.
    for i in range(max(chosen.n_generated, len(chosen.groups))):
        start = chosen.n_generated + i * n_samples
        shown = here[i].tolist() if i < len(here) else []
        end = start + n_samples if shown else start
        combinations.append(
            {
                "at": chosen.combinations[i].tolist(),
                "n": int(chosen.counts[i]),
                "mean": i if i < chosen.n_generated else None,
                "samples": list(range(start, end)),
                "here": [slot[x] for x in shown],
            }
        )
    facets = []
    for order, members in zip(chosen.orders, chosen.members, strict=True):
        clusters = zip(order.components, order.members, members, strict=True)
        facets.append(
            {
                str(k): {
                    "n": len(everyone),
                    "members": [slot[x] for x in shown.tolist()],
                }
                for k, everyone, shown in clusters
            }
        )
    return {"facets": facets, "combinations": combinations}


def _sheet(images: np.ndarray) -> tuple[bytes, int]:
    """A nearly square PNG file of images, without gaps, and its columns."""
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
