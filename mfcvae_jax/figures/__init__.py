# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of results: NumPy arrays and a path in, a picture out.

Nothing here knows of models, training or JAX. Every figure is readable when
shown about 900 px wide, uses one colour per facet throughout, and is written
without a display and without touching Matplotlib's global state. Where to write
is a path whose ending chooses the format, or an open file that gets a PNG.
Images are grey or RGB, float in [0, 1] or uint8.

`tiles.py` checks images and assembles them into a sheet; `panels.py` draws
labelled sheets side by side, `image_grid`; `style.py` holds colours, type and
the page, which Matplotlib's constrained layout arranges; `records.py` reads
curves out of records. Each other file is a kind of figure.
"""

from mfcvae_jax.figures.ablation import Arm, accuracy_over_training
from mfcvae_jax.figures.clusters import (
    ClusterOrder,
    cluster_examples,
    order_clusters,
)
from mfcvae_jax.figures.confusion import confusion_matrices
from mfcvae_jax.figures.curves import learning_curves
from mfcvae_jax.figures.evidence import evidence_curves
from mfcvae_jax.figures.grid import facet_grid
from mfcvae_jax.figures.reconstructions import reconstruction_pairs
from mfcvae_jax.figures.samples import cluster_samples
from mfcvae_jax.figures.swaps import SwapPage, swapped_pairs
from mfcvae_jax.figures.traversals import latent_traversals

__all__ = [
    "Arm",
    "ClusterOrder",
    "SwapPage",
    "accuracy_over_training",
    "cluster_examples",
    "cluster_samples",
    "confusion_matrices",
    "evidence_curves",
    "facet_grid",
    "latent_traversals",
    "learning_curves",
    "order_clusters",
    "reconstruction_pairs",
    "swapped_pairs",
]
