# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Images, and an estimator that is fitted to them quickly."""

import pytest
from sklearn import datasets

from mfcvae_jax import Facet, MultiFacetClustering

FACETS = (Facet(4, 2), Facet(6, 3))
# Training is so short that a facet may end with one cluster.
ONE_CLUSTER = "all examples are in one"
may_have_one_cluster = pytest.mark.filterwarnings(f"ignore:{ONE_CLUSTER}")
IMAGES = datasets.load_digits().images[:300]  # 0 to 16, float64


def estimator(**params):
    given = {"facets": FACETS, "epochs": 4, "n_init": 1, "random_state": 0}
    return MultiFacetClustering(**given | params)
