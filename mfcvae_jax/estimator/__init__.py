# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The model with the manners of a scikit-learn estimator.

::

  clustering.py  the estimator
  facet.py       what the user says of a facet
  defaults.py    the settings of a run that follow from the data
  layout.py      what an array of examples is to the model, and back
  archive.py     the file of a fitted estimator
  comparison.py  several choices of facets beside each other
"""

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
