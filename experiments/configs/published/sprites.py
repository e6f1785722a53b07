# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Sprites of 64 x 64 pixels in three facets, from an .npz file of yours.

The schedule and the net are the paper's, for J = 3; the net takes images of any
multiple of eight. No expected number: neither published nor measured by us.

    python experiments/train.py --workdir=runs/published/sprites \
        --config=experiments/configs/published/sprites.py \
        --config.data.path=sprites_stills.npz
"""

from mfcvae_jax.config import make_config


def get_config():
    return make_config(
        data={"name": "npz", "path": "sprites_stills.npz"},
        facets={
            "n_components": (40, 20, 10),
            "latent_dim": (16, 8, 4),
            "covariance": ("full", "full", "full"),
            "learn_weights": (False, False, False),
        },
        net={
            "kind": "conv_ladder",
            "activation": "elu",
            "weight_norm": True,
            "output_norm": True,
            "official_init": False,
        },
        likelihood={"kind": "gaussian", "std": 0.3, "output": "sigmoid"},
        progressive={"stage_epochs": (60, 60, 120), "fade_in_steps": 2000},
        train={
            "batch_size": 150,
            "learning_rate": 3e-4,
            "steps_per_dispatch": 25,
        },
        evaluate={
            "every_epochs": 5,
            "batch_size": 240,
            "importance_samples": 100,
        },
        checkpoint={"every_epochs": 10},
        figures={"temperature": 0.3},
    )
