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
        members: the examples to be shown of each cluster in use of each facet,
            indices, in the order of ``orders``.
        combinations: of clusters, the most frequent first, shape (M, J).
        counts: held-out examples in each of them, shape (M,).
        here: the same as ``members`` for each that occurs and is generated.
        n_generated: of so many, the first, there are generated images.
        n_samples: of each of these that occurs, beside that of the means.
        examples: indices of all examples to be shown, ascending, shape (E,).
    """

    orders: tuple[figures.ClusterOrder, ...]
    members: tuple[tuple[np.ndarray, ...], ...]
    combinations: np.ndarray
    counts: np.ndarray
    here: tuple[np.ndarray, ...]
    n_generated: int
    n_samples: int
    examples: np.ndarray


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
    groups = [groups[rank] for rank in ranks]
    combinations = occurring[ranks].tolist()
    if len(orders) <= 2:
        known = set(map(tuple, combinations))
        every = np.ndindex(*(order.n_components for order in orders))
        combinations += [ks for ks in every if ks not in known]

    n_tiles = _BUDGET // math.prod(image_shape)
    level, n_generated = _fitting(orders, groups, len(combinations), n_tiles)
    n_held = max(n_generated, len(groups))  # what occurs has its count
    here, members = _shown(orders, groups[:n_generated], level)
    return Plan(
        orders=orders,
        members=members,
        combinations=np.array(combinations[:n_held], np.int32),
        counts=np.pad(counts[ranks], (0, n_held - len(groups))),
        here=here,
        n_generated=n_generated,
        n_samples=level.n_samples,
        examples=_all(here, members),
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
        here, members = _shown(orders, groups[:n_kept], level)
        n_samples = len(here) * level.n_samples
        if n_kept + n_samples + len(_all(here, members)) <= n_tiles:
            return level, n_kept
    # Too many even so: fewer combinations at the least level.
    n_left = n_tiles - len(_all((), members))
    n_kept = n_left // (1 + level.n_samples + level.n_here)
    return level, max(n_kept, 1)


def _shown(
    orders: Sequence[figures.ClusterOrder],
    groups: Sequence[np.ndarray],
    level: _Level,
) -> tuple[tuple[np.ndarray, ...], tuple[tuple[np.ndarray, ...], ...]]:
    """The examples of each combination, and of each cluster of each facet."""
    members = tuple(
        tuple(cluster[: level.n_members] for cluster in order.members)
        for order in orders
    )
    return tuple(group[: level.n_here] for group in groups), members


def _all(
    here: Sequence[np.ndarray], members: Sequence[Sequence[np.ndarray]]
) -> np.ndarray:
    return np.unique(np.concatenate([*here, *itertools.chain(*members)]))


def explorer(
    chosen: Plan,
    means: np.ndarray,
    samples: np.ndarray,
    examples: np.ndarray,
    labels: np.ndarray,
    labelings: Sequence[str],
) -> dict[str, Any]:
    """Gathers what the template of the explorer shows.

    Args:
        chosen: what it holds.
        means: decoded from component means, shape (n_generated, H, W, C).
        samples: of the first len(here) combinations, which occur, shape
            (len(here), n_samples, H, W, C); floats in [0, 1], as the means.
        examples: those chosen, floats in [0, 1] or uint8, shape (E, H, W, C).
        labels: of these, integers, shape (E, M).
        labelings: names of the M labelings.

    Returns:
        Values for explorer.html.j2; ``data`` is for the script.
    """
    generated, generated_columns = _sheet(
        np.concatenate([means, samples.reshape(-1, *means.shape[1:])])
    )
    held_out, held_out_columns = _sheet(examples)
    data = {
        "height": means.shape[1],
        "width": means.shape[2],
        "labelings": list(labelings),
        "examples": [
            {"index": int(i), "labels": row.tolist()}
            for i, row in zip(chosen.examples, labels, strict=True)
        ],
        **_data(chosen),
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


def _data(chosen: Plan) -> dict[str, Any]:
    """Clusters and combinations; pictures by their place on the sheets."""
    slot = {i: at for at, i in enumerate(chosen.examples.tolist())}
    combinations = []
    for i, (ks, n) in enumerate(
        zip(chosen.combinations.tolist(), chosen.counts.tolist(), strict=True)
    ):
        is_shown = i < len(chosen.here)
        start = chosen.n_generated + i * chosen.n_samples
        end = start + chosen.n_samples if is_shown else start
        here = chosen.here[i].tolist() if is_shown else []
        combinations.append(
            {
                "at": ks,
                "n": n,
                "mean": i if i < chosen.n_generated else None,
                "samples": list(range(start, end)),
                "here": [slot[x] for x in here],
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
