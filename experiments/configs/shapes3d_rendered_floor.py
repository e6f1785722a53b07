# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Configuration 1 of 3DShapes, rendered here, by the recipe.

Each facet warms up before it has a prior, and one that comes later pays for
what those before it tell; all else is as published. docs/recipe.md says what
each part does. Not measured yet.

    python experiments/train.py --workdir=runs/shapes3d_rendered_floor \
        --config=experiments/configs/shapes3d_rendered_floor.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("published/shapes3d_rendered_floor.py", __file__)
    config.progressive.warm_up_epochs = (34, 100)
    config.progressive.redundancy_price = 20.0
    config.train.estimator = "closed_form"
    return config
