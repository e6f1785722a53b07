# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser: Adam on everything but fixed mixing weights."""

import functools

import optax
from flax import traverse_util

from mfcvae_jax.settings import Facets

__all__ = ["make_optimiser"]


# The same object for the same arguments: steps are compiled for an object.
@functools.lru_cache(maxsize=8)
def make_optimiser(
    learning_rate: float, facets: Facets
) -> optax.GradientTransformation:
    """Makes Adam with PyTorch's defaults, masked where weights are fixed.

    No weight decay, no learning-rate decay, no gradient clipping: the
    published runs use none.
    """
    adam = optax.adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8)
    if all(facets.learn_weights):
        return adam
    fixed = {
        (f"priors_{j}", "logits")
        for j, is_learnt in enumerate(facets.learn_weights)
        if not is_learnt
    }

    def labels(params):
        return traverse_util.path_aware_map(
            lambda path, _: "fixed" if path in fixed else "learnt", params
        )

    return optax.multi_transform(
        {"learnt": adam, "fixed": optax.set_to_zero()}, labels
    )
