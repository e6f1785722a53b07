# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Sprites of 64 x 64 pixels in three facets, from an .npz file of yours.

Nothing of it is published: the net is the paper's for J = 3, which takes images
of any multiple of eight. No expected number: not measured by us.

    python experiments/train.py --config=experiments/configs/sprites.py \
        --workdir=runs/sprites --config.data.path=sprites_stills.npz
"""

import ml_collections


def get_config():
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "n_seeds": 1,
            "precision": "float32",
            "data": {
                "name": "npz",
                "data_dir": "",
                "path": "sprites_stills.npz",
                "on_device_gb": 4.0,
            },
            "facets": {
                "n_components": (40, 20, 10),
                "latent_dim": (16, 8, 4),
                "covariance": ("full", "full", "full"),
                "learn_weights": (False, False, False),
            },
            "net": {
                "kind": "conv_ladder",
                "activation": "elu",
                "weight_norm": True,
                "output_norm": True,
                "official_init": False,
            },
            "likelihood": {
                "kind": "gaussian",
                "std": 0.3,
                "output": "sigmoid",
            },
            "prior_init": {"means": "gmm", "variance": 0.01},
            "progressive": {
                "stage_epochs": (60, 60, 120),
                "fade_in_steps": 2000,
                "fade_in": "linear",
                "pretrain_weight_z": 0.0,
                "pretrain_weight_c": 0.0,
            },
            "train": {
                "batch_size": 150,
                "learning_rate": 3e-4,
                "n_samples": 1,
                "estimator": "five_terms",
                "data_dependent_init": True,
                "steps_per_dispatch": 25,
            },
            "evaluate": {
                "every_epochs": 5,
                "batch_size": 240,
                "importance_samples": 100,
            },
            "checkpoint": {"every_epochs": 10, "keep": 2},
            "figures": {"temperature": 0.3},
        }
    )
