# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Choices of facets beside each other."""

import numpy as np
import pytest
from sklearn import datasets, metrics
from sklearn.model_selection import train_test_split

from mfcvae_jax import Facet, MultiFacetClustering, compare_facets
from mfcvae_jax.estimator import format_comparisons

IMAGES = datasets.load_digits().images[:150]
# A warm-up would leave so short a fit with one cluster.
PARAMS: dict = {"epochs": 4, "n_init": 1, "warm_up": 0}


@pytest.mark.slow
def test_compares_what_single_fits_give():
    one, two = [Facet(4, 2)], [Facet(3, 2), Facet(4, 2)]
    found = compare_facets(
        IMAGES,
        [one, two],
        estimator=MultiFacetClustering(**PARAMS),
        seeds=(0, 5),
    )
    assert [c.facets for c in found] == [tuple(one), tuple(two)]
    assert [c.stability.shape for c in found] == [(1,), (2,)]
    train, test = train_test_split(IMAGES, test_size=0.2, random_state=0)
    models = [
        MultiFacetClustering(one, **PARAMS, random_state=seed).fit(train)
        for seed in (0, 5)
    ]
    np.testing.assert_array_equal(
        found[0].bounds, [model.score(test) for model in models]
    )
    labels = [model.predict(test)[:, 0] for model in models]
    assert found[0].stability[0] == pytest.approx(
        metrics.adjusted_mutual_info_score(*labels)
    )
    assert found[0].n_used.tolist() == [[len(set(a))] for a in labels]
    assert found[0].redundancy.tolist() == [0.0, 0.0]
    two_facets = MultiFacetClustering(two, **PARAMS, random_state=5).fit(train)
    assert found[1].redundancy[1] == pytest.approx(
        metrics.normalized_mutual_info_score(*two_facets.predict(test).T)
    )
    text = format_comparisons(found)
    mean, std = found[0].bounds.mean(), found[0].bounds.std(ddof=1)
    assert f"| 1 | K = 4, D = 2 | {mean:.2f} ({std:.2f}) |" in text


@pytest.mark.parametrize(
    ("candidates", "seeds", "expected"),
    [
        ([[Facet(4, 2)]], [0], "at least two"),
        ([[Facet(4, 2)], []], [0, 1], "is empty"),
    ],
)
def test_what_cannot_be_compared_is_said_first(candidates, seeds, expected):
    with pytest.raises(ValueError, match=expected):
        compare_facets(IMAGES, candidates, seeds=seeds)
