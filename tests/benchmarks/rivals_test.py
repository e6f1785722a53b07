# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The comparison with rivals: every method is known, and scores are right."""

import numpy as np
import pytest
from sklearn import metrics

from mfcvae_jax.datasets import reader
from tests import scripts

rivals = scripts.load("rivals")


@pytest.mark.parametrize("k", [10, 25])
def test_a_method_is_scored_on_images_that_it_never_saw(k):
    digits = reader.load("digits")
    assert "kmeans" in rivals.methods("digits", (k,))
    found = rivals.fit_predict("kmeans", (k,), 0, digits)
    assert found.test.shape == (len(digits.test.images), 1)
    (row,) = rivals.rows(found, digits)
    assert (row["facet"], row["labeling"]) == (0, "digit")
    nmi = metrics.normalized_mutual_info_score(
        digits.test.labels[:, 0], found.test[:, 0]
    )
    assert row["nmi"] == pytest.approx(nmi, abs=1e-4)
    assert row["nmi"] > 0.65


@pytest.mark.parametrize("data", rivals.SIZES)
def test_what_finds_one_clustering_is_not_asked_for_several(data):
    several = {"enrc", "nrkmeans", "autonr"}
    for sizes in rivals.SIZES[data]:
        found = set(rivals.methods(data, sizes))
        assert "recipe" in found
        theirs = {m for m in found if not m.startswith(("recipe", "ours"))}
        assert theirs
        assert theirs <= several if len(sizes) > 1 else not theirs & several


def test_two_clusterings_get_rows_for_what_they_share():
    tinted = reader.load("digits_tinted")
    clusters = np.stack([tinted.test.labels[:, 1], tinted.test.labels[:, 0]], 1)
    rows = rivals.rows(rivals.Found(clusters, 2.0, 1.0), tinted)
    perfect = [
        (row["facet"], row["labeling"]) for row in rows if row["nmi"] == 1
    ]
    assert perfect == [(0, "hue"), (1, "digit")]
    assert rows[-1]["labeling"] == "facet 0"
    assert rows[-1]["nmi"] < 0.1
