# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""SVHN by the recipe: digit and background.

Each facet warms up before it has a prior, and one that comes later pays for
what those before it tell; all else is as published. docs/recipe.md says what
each part does. It trains, but was not measured yet.

    python experiments/train.py --workdir=runs/svhn \
        --config=experiments/configs/svhn.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("published/svhn.py", __file__)
    config.progressive.warm_up_epochs = (34, 100)
    config.progressive.redundancy_price = 20.0
    config.train.estimator = "closed_form"
    return config
