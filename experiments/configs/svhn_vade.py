# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""SVHN with one facet: VaDE with the shallow half of the convolutional net.

The paper's special case J = 1, with the settings of facet 0 in svhn.py and as
many epochs in all. No expected number: neither published nor measured by us.

    python experiments/train.py --config=experiments/configs/svhn_vade.py \
        --workdir=runs/svhn_vade
"""

import ml_collections


def get_config():
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "n_seeds": 1,
            "precision": "float32",
            "data": {
                "name": "svhn_cropped",
                "data_dir": "",
                "path": "",
                "on_device_gb": 4.0,
            },
            "facets": {
                "n_components": (200,),
                "latent_dim": (22,),
                "covariance": ("full",),
                "learn_weights": (False,),
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
                "stage_epochs": (402,),
                "fade_in_steps": 15000,
                "fade_in": "linear",
                "pretrain_weight_z": 0.0,
                "pretrain_weight_c": 0.0,
            },
            "train": {
                "batch_size": 150,
                "learning_rate": 5e-4,
                "n_samples": 1,
                "estimator": "five_terms",
                "data_dependent_init": True,
                "steps_per_dispatch": 20,
            },
            "evaluate": {
                "every_epochs": 1,
                "batch_size": 500,
                "importance_samples": 100,
            },
            "checkpoint": {"every_epochs": 10, "keep": 2},
            "figures": {"temperature": 0.3},
        }
    )
