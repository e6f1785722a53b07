# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""As ``digits_tinted.py``, with warm-ups, fitted priors and a price.

Not in the paper; docs/recipe.md says what each part does, and what comes out.
Two minutes on two cores for five seeds.

    python experiments/train.py --workdir=runs/digits_tinted_warm \
        --config=experiments/configs/digits_tinted_warm.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("digits_tinted.py", __file__)
    config.facets.latent_dim = (16, 2)
    config.facets.covariance = ("full", "full")
    config.progressive.stage_epochs = (30, 150)
    config.progressive.warm_up_epochs = (15, 50)
    config.progressive.redundancy_price = 20.0
    config.train.batch_size = 64
    config.train.estimator = "closed_form"
    return config
