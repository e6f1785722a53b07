# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-facet clustering variational autoencoders (arXiv:2106.05241) in JAX."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mfcvae_jax.estimator import (
        Facet,
        MultiFacetClustering,
        compare_facets,
    )

__all__ = ["Facet", "MultiFacetClustering", "__version__", "compare_facets"]

__version__ = "0.2.0"


def __getattr__(name: str):
    # Whoever reads the version, or a file deeper down, need not wait for JAX.
    if name in __all__:
        from mfcvae_jax import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
