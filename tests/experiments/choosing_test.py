# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of a comparison of facets, one a row."""

import numpy as np

from mfcvae_jax import Facet
from mfcvae_jax.estimator import FacetComparison
from tests import scripts

choosing = scripts.load("choosing")


def test_each_number_says_of_which_seed_and_facet_it_is():
    found = FacetComparison(
        facets=(Facet(4), Facet(3)),
        bounds=np.array([10.0, 11.0, 12.0]),
        stability=np.array([0.5, 0.75]),
        n_used=np.array([[4, 3], [3, 2], [2, 1]]),
        redundancy=np.array([0.1, 0.2, 0.3]),
    )
    rows = list(choosing.comparison_numbers(found))
    assert len(rows) == 2 + 3 * (1 + 1 + 2)
    assert (2, "", 1, "stability", 0.75) in rows
    assert (2, 1, "", "bound", 11.0) in rows
    assert (2, 2, "", "redundancy", 0.3) in rows
    assert (2, 1, 0, "clusters in use", 3) in rows
    assert (2, 2, 1, "clusters in use", 1) in rows
