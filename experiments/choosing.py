# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Compares one, two and three facets without labels, their sizes found.

    python experiments/choosing.py --data=digits
    python experiments/choosing.py --data=shapes3d_rendered_floor --pool=2 \
        --net=dense

Prints the tables of docs/choosing.md: first what the estimator can know, then,
since for these data the truth is known, what it found, against the labels.
"""

import numpy as np
from absl import flags

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import reader
from mfcvae_jax.estimator import compare_facets, format_comparisons
from mfcvae_jax.evaluation import accuracy
from mfcvae_jax.report import markdown

_DATA = flags.DEFINE_string("data", "digits", "Data set with labels.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Where TFDS data lie.")
_POOL = flags.DEFINE_integer(
    "pool", 1, "Pixels on each side that are averaged to one.", 1
)
_EPOCHS = flags.DEFINE_integer(
    "epochs", 0, "Of all stages together; 0 for auto, which grows with J.", 0
)
_NET = flags.DEFINE_enum("net", "auto", ["auto", "dense", "conv"], "Of all.")
_SEEDS = (0, 1, 2)
# What each looks for is not said.
_CANDIDATES = tuple((Facet("auto"),) * n_facets for n_facets in (1, 2, 3))


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
    for facets in _CANDIDATES:
        model.set_params(facets=facets, random_state=0).fit(images)
        rows += [
            _against_labels(model, j, labels, dataset.spec.labelings)
            for j in range(len(facets))
        ]
    names = [f"{x.name} ({x.n_classes})" for x in dataset.spec.labelings]
    print("\nagainst labels, seed 0, all examples: NMI, one-to-one in %\n")
    print(markdown.table(("J", "facet", "clusters", *names), rows))
    return 0


def _pooled(images: np.ndarray) -> np.ndarray:
    """Averages squares of pixels; (N, H, W, C), of the same type."""
    n, height, width, n_colours = images.shape
    size = _POOL.value
    squares = images.reshape(
        n, height // size, size, width // size, size, n_colours
    )
    return squares.mean(axis=(2, 4)).astype(images.dtype)


def _against_labels(model, facet, labels, labelings):
    assignments = model.labels_[:, facet]
    n_components = len(model.cluster_usage_[facet])
    cells = []
    for m, labeling in enumerate(labelings):
        scores = accuracy.score(
            assignments, labels[:, m], n_components, labeling.n_classes
        )
        cells.append(f"{100 * scores.nmi:.1f}, {100 * scores.one_to_one:.1f}")
    return (len(model.facets), facet, n_components, *cells)


if __name__ == "__main__":
    running.script(_compare)
