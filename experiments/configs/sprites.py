# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Sprites of 64 x 64 pixels in three facets, from an .npz file of yours.

Each facet warms up before it has a prior, and one that comes later pays for
what those before it tell; all else is as in ``published/sprites.py``.
docs/recipe.md says what each part does. Not measured yet.

    python experiments/train.py --workdir=runs/sprites \
        --config=experiments/configs/sprites.py \
        --config.data.path=sprites_stills.npz
"""

from mfcvae_jax.config import load


def get_config():
    config = load("published/sprites.py", __file__)
    config.progressive.warm_up_epochs = (20, 20, 40)
    config.progressive.redundancy_price = 20.0
    config.train.estimator = "closed_form"
    return config
