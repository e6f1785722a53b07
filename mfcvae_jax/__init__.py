# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-facet clustering variational autoencoders (arXiv:2106.05241) in JAX."""

__version__ = "0.1.0"
