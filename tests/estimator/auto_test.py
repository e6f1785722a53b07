# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Facets whose number of clusters is found."""

import numpy as np
import pytest

from mfcvae_jax import Facet
from tests.estimator import small_fits

pytestmark = small_fits.may_have_one_cluster

IMAGES = small_fits.IMAGES[:100]


def fitted(*n_components):
    facets = [
        Facet(k, d, "full")
        for k, d in zip(n_components, (2, 3, 2), strict=True)
    ]
    return small_fits.estimator(facets=facets, epochs=3).fit(IMAGES)


@pytest.mark.slow
def test_facets_have_as_many_clusters_as_the_evidence_is_for():
    model = fitted("auto", 6, "auto")
    first, given, last = model.evidence_
    assert given is None
    sizes = [p.shape[1] for p in model.predict_proba(IMAGES)]
    assert sizes == [first.n_kept, 6, last.n_kept]
    for evidence in (first, last):
        np.testing.assert_array_equal(
            evidence.n_components, np.arange(25, 0, -1)
        )
    assert [len(usage) for usage in model.cluster_usage_] == sizes
    np.testing.assert_array_equal(model.predict(IMAGES), model.labels_)
    # Nothing else changes.
    same = fitted(25, 6, 25)
    assert same.evidence_ == [None] * 3
    np.testing.assert_array_equal(
        same.transform(IMAGES), model.transform(IMAGES)
    )
    np.testing.assert_array_equal(same.labels_[:, 1], model.labels_[:, 1])
