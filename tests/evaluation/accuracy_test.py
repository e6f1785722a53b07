# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of clustering scores, against scikit-learn and full enumeration."""

import itertools
import json
import math

import numpy as np
import pytest
from sklearn import metrics

from mfcvae_jax.datasets.spec import Labeling
from mfcvae_jax.evaluation import accuracy


def _partitions(seed, n_components, n_classes, n_examples=60):
    """Two related partitions, with classes of unequal size."""
    rng = np.random.default_rng(seed)
    sizes = rng.dirichlet(np.ones(n_classes))
    labels = rng.choice(n_classes, size=n_examples, p=sizes)
    assignments = np.where(
        rng.random(n_examples) < 0.6,
        labels % n_components,
        rng.integers(0, n_components, size=n_examples),
    )
    return assignments, labels


@pytest.mark.parametrize("n_classes", [1, 3, 4])
@pytest.mark.parametrize("n_components", [1, 3, 4, 5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_score_against_its_oracle(seed, n_components, n_classes):
    a, b = _partitions(seed, n_components, n_classes)
    found = accuracy.score(a, b, n_components, n_classes)

    def best_of(maps):
        return max(np.mean(np.array(classes)[a] == b) for classes in maps)

    maps = itertools.product(range(n_classes), repeat=n_components)
    # Clusters beyond the number of classes get a class of their own, which
    # nothing belongs to.
    matches = itertools.permutations(
        range(max(n_components, n_classes)), n_components
    )
    class_of_cluster = np.array(
        [
            np.bincount(b[a == k], minlength=n_classes).argmax()
            for k in range(n_components)
        ]
    )
    expected = accuracy.Scores(
        many_to_one=best_of(maps),
        one_to_one=best_of(matches),
        balanced=metrics.recall_score(
            b,
            class_of_cluster[a],
            labels=np.unique(b),
            average="macro",
            zero_division=0,
        ),
        nmi=metrics.normalized_mutual_info_score(b, a),
        ari=metrics.adjusted_rand_score(b, a),
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)
    # Neither names nor parts that are never used change anything.
    renamed = np.random.default_rng(seed).permutation(n_components)[a]
    for same in (
        accuracy.score(renamed, b, n_components, n_classes),
        accuracy.score(a + 3, b + 2, n_components + 6, n_classes + 5),
    ):
        np.testing.assert_allclose(same, found, atol=1e-12)


def test_ari_of_a_large_set_does_not_overflow():
    # Pairs of pairs: 2e5 examples make 4e20 of them. By the definition of
    # Hubert and Arabie (1985), in Python's integers.
    counts = [[80_000, 20_000], [20_000, 80_000]]
    together = sum(math.comb(n, 2) for row in counts for n in row)
    of_one = 2 * math.comb(100_000, 2)
    by_chance = of_one**2 / math.comb(200_000, 2)
    clusters, classes = np.repeat(
        np.indices((2, 2)).reshape(2, 4), sum(counts, []), axis=1
    )
    np.testing.assert_allclose(
        accuracy.score(clusters, classes, 2, 2).ari,
        (together - by_chance) / (of_one - by_chance),
    )


@pytest.mark.parametrize(
    ("assignments", "labels", "expected"),
    [
        ([0, 0, 0, 0], [0, 1, 1, 2], (0.5, 0.5, 1 / 3, 0, 0)),
        ([0, 1, 2, 2], [1, 1, 1, 1], (1, 0.5, 1, 0, 0)),
        ([1, 1, 1, 1], [2, 2, 2, 2], (1, 1, 1, 1, 1)),
        ([2], [0], (1, 1, 1, 1, 1)),
        ([0, 1, 2], [2, 1, 0], (1, 1, 1, 1, 1)),
        ([2, 2, 1, 0, 0, 0], [0, 0, 1, 2, 2, 2], (1, 1, 1, 1, 1)),
    ],
)
def test_degenerate(assignments, labels, expected):
    scores = accuracy.score(assignments, labels, 3, 3)
    np.testing.assert_allclose(scores, expected, atol=1e-12)


LABELINGS = (Labeling("digit", 4), Labeling("hue", 3))


def test_rows_are_each_facet_against_each_labeling():
    """Facet 0 is the second labeling, facet 1 noise in 4 of 6 clusters."""
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, 4, 200), rng.integers(0, 3, 200)], 1)
    assignments = np.stack([labels[:, 1], rng.integers(0, 4, 200)], axis=1)
    rows = accuracy.score_matrix(assignments, labels, (3, 6), LABELINGS)
    assert json.loads(json.dumps(rows)) == rows
    at = iter(rows)
    for j, (k, n_used) in enumerate(((3, 3), (6, 4))):
        for m, labeling in enumerate(LABELINGS):
            scores = accuracy.score(
                assignments[:, j], labels[:, m], k, labeling.n_classes
            )
            assert next(at) == {
                "facet": j,
                "n_components": k,
                "n_used": n_used,
                "labeling": labeling.name,
                "n_classes": labeling.n_classes,
                "n_examples": 200,
                "majority": max(np.bincount(labels[:, m])) / 200,
                **scores._asdict(),
            }
    assert rows[1]["one_to_one"] == 1.0


_ZEROS = np.zeros((9, 2), int)


@pytest.mark.parametrize(
    ("assignments", "labels", "message"),
    [
        (_ZEROS[:, 0], _ZEROS, r"assignments .* each facet, got \(9,\)"),
        (_ZEROS[:, :1], _ZEROS, r"assignments .*\(N, 2\).*\(9, 1\)"),
        (_ZEROS, _ZEROS[:, :1], r"labels .*\(N, 2\).*\(9, 1\)"),
        (_ZEROS, _ZEROS[1:], "same examples, got 9 and 8"),
        (_ZEROS[:0], _ZEROS[:0], "assignments of facet 0 are empty"),
        (_ZEROS + [0, 6], _ZEROS, "assignments of facet 1 must"),
        (_ZEROS, _ZEROS + [4, 0], "labels of labeling 0 must"),
    ],
)
def test_faults(assignments, labels, message):
    with pytest.raises(ValueError, match=message):
        accuracy.score_matrix(assignments, labels, (3, 6), LABELINGS)
