# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Handwritten digits of 8 x 8 pixels, embedded.

By the recipe of docs/recipe.md: facet 1 warms up before it has a prior, then
facet 0, which pays for what facet 1 tells. Not measured yet.

    python experiments/train.py --workdir=runs/digits \
        --config=experiments/configs/digits.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("published/digits.py", __file__)
    config.facets.latent_dim = (8, 16)
    config.facets.covariance = ("full", "full")
    config.progressive.warm_up_epochs = (75, 50)
    config.progressive.redundancy_price = 20.0
    config.train.batch_size = 64
    config.train.estimator = "closed_form"
    return config
