# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The estimator: training and what it found, as scikit-learn has them.

::

  clustering.py  the estimator
  facet.py       what the user says of a facet
  checks.py      whether it is what it must be
  layout.py      what an array of examples is to the model, and back
  defaults.py    the settings of a run that follow from the data
  fitting.py     how it trains
  fitted.py      what it found
  archive.py     the file of that
  choosing.py    several choices of facets beside each other
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
