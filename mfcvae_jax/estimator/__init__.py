# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The estimator: training and what it found, as scikit-learn has them."""

from mfcvae_jax.estimator.choosing import (
    FacetComparison,
    compare_facets,
    format_comparisons,
)
from mfcvae_jax.estimator.clustering import MultiFacetClustering
from mfcvae_jax.estimator.facet import Facet

__all__ = [
    "Facet",
    "FacetComparison",
    "MultiFacetClustering",
    "compare_facets",
    "format_comparisons",
]
