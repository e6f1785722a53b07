# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Compares one, two and three facets without labels, their sizes found.

    python experiments/choosing.py --data=digits
    python experiments/choosing.py --data=shapes3d_rendered_floor --pool=2 \
        --net=dense

Prints the tables of docs/choosing.md: first what the estimator can know, then,
since for these data the truth is known, what it found, against the labels.
--csv=FILE gets their numbers, one a line.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import flags

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Dataset
from mfcvae_jax.estimator import (
    FacetComparison,
    compare_facets,
    format_comparisons,
)
from mfcvae_jax.evaluation import accuracy
from mfcvae_jax.report import csv_rows, markdown

_DATA = flags.DEFINE_string("data", "digits", "Data set with labels.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Where TFDS data lie.")
_POOL = flags.DEFINE_integer(
    "pool", 1, "Pixels on each side that are averaged to one.", 1
)
_EPOCHS = flags.DEFINE_integer(
    "epochs", 0, "Of all stages together; 0 for auto, which grows with J.", 0
)
_NET = flags.DEFINE_enum("net", "auto", ["auto", "dense", "conv"], "Of all.")
_CSV = flags.DEFINE_string("csv", "", "File of the numbers; none if empty.")
_SEEDS = (0, 1, 2)
# What each looks for is not said.
_CANDIDATES = tuple((Facet("auto"),) * n_facets for n_facets in (1, 2, 3))
_COLUMNS = ("data", "n_facets", "seed", "facet", "measure", "value")


def _compare() -> int:
    dataset = reader.load(_DATA.value, _DATA_DIR.value, "")
    images = np.concatenate(
        [_pooled(split.images) for split in (dataset.train, dataset.test)]
    )
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    print(f"{_DATA.value}: images of shape {images.shape[1:]}\n", flush=True)
    model = MultiFacetClustering(epochs=_EPOCHS.value or "auto", net=_NET.value)
    found = compare_facets(images, _CANDIDATES, estimator=model, seeds=_SEEDS)
    print(format_comparisons(found), flush=True)
    rows = []
    numbers = [row for each in found for row in comparison_numbers(each)]
    for facets in _CANDIDATES:
        model.set_params(facets=facets, random_state=0).fit(images)
        for j in range(len(facets)):
            n_components, scores = _against_labels(model, j, labels, dataset)
            cells = [
                f"{100 * s.nmi:.1f}, {100 * s.one_to_one:.1f}"
                for s in scores.values()
            ]
            rows.append((len(facets), j, n_components, *cells))
            at = (len(facets), 0, j)
            numbers.append((*at, "clusters", n_components))
            numbers += [(*at, name, s.nmi) for name, s in scores.items()]
    names = [f"{x.name} ({x.n_classes})" for x in dataset.spec.labelings]
    print("\nagainst labels, seed 0, all examples: NMI, one-to-one in %\n")
    print(markdown.table(("J", "facet", "clusters", *names), rows))
    if _CSV.value:
        csv_rows.write(
            pathlib.Path(_CSV.value),
            _COLUMNS,
            (
                dict(zip(_COLUMNS, (_DATA.value, *row), strict=True))
                for row in numbers
            ),
        )
    return 0


def comparison_numbers(found: FacetComparison) -> Iterator[tuple[Any, ...]]:
    """Yields number of facets, seed, facet, measure and value.

    What is of all seeds or of all facets has "" there.
    """
    n_facets = len(found.facets)
    for j, value in enumerate(found.stability):
        yield n_facets, "", j, "stability", value
    for seed, bound, redundancy, n_used in zip(
        _SEEDS, found.bounds, found.redundancy, found.n_used, strict=True
    ):
        yield n_facets, seed, "", "bound", bound
        yield n_facets, seed, "", "redundancy", redundancy
        for j, n in enumerate(n_used):
            yield n_facets, seed, j, "clusters in use", n


def _pooled(images: np.ndarray) -> np.ndarray:
    """Averages squares of pixels; (N, H, W, C), of the same type."""
    n, height, width, n_colours = images.shape
    size = _POOL.value
    squares = images.reshape(
        n, height // size, size, width // size, size, n_colours
    )
    return squares.mean(axis=(2, 4)).astype(images.dtype)


def _against_labels(
    model: MultiFacetClustering,
    facet: int,
    labels: np.ndarray,
    dataset: Dataset,
) -> tuple[int, dict[str, accuracy.Scores]]:
    """The clusters of a facet, and its scores by labeling."""
    n_components = len(model.cluster_usage_[facet])
    scores = {
        labeling.name: accuracy.score(
            model.labels_[:, facet],
            labels[:, m],
            n_components,
            labeling.n_classes,
        )
        for m, labeling in enumerate(dataset.spec.labelings)
    }
    return n_components, scores


if __name__ == "__main__":
    running.script(_compare)
