# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""VaDE on handwritten digits of 8 x 8 pixels: one facet, embedded data.

Expected, over 5 seeds: 80.4 (5.1) % many-to-one and 78.4 (6.3) % one-to-one
accuracy against the digit, with K = 10 and no pretraining; k-means is at 79.2 %
one-to-one. Half a minute on two cores.

    python experiments/train.py --workdir=runs/digits_vade \
        --config=experiments/configs/digits_vade.py
"""

import ml_collections


def get_config():
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "n_seeds": 1,
            "precision": "float32",
            "data": {
                "name": "digits",
                "data_dir": "",
                "path": "",
                "on_device_gb": 4.0,
            },
            "facets": {
                "n_components": (10,),
                "latent_dim": (5,),
                "covariance": ("diagonal",),
                "learn_weights": (True,),
            },
            "net": {
                "kind": "dense_ladder",
                "encoder_backbone": ((128, 256),),
                "encoder_rungs": ((),),
                "decoder_rungs": ((256,),),
                "decoder_backbone": ((128,),),
                "activation": "relu",
                "batch_norm": False,
                "merge": "concatenate",
            },
            "likelihood": {
                "kind": "gaussian",
                "std": 0.15,
                "output": "sigmoid",
            },
            "prior_init": {"means": "gmm", "variance": 0.01},
            "progressive": {
                "stage_epochs": (400,),
                "fade_in_steps": 1,
                "fade_in": "linear",
                "pretrain_weight_z": 0.0,
                "pretrain_weight_c": 0.0,
            },
            "train": {
                "batch_size": 128,
                "learning_rate": 1e-3,
                "n_samples": 1,
                "estimator": "closed_form",
                "data_dependent_init": True,
                "steps_per_dispatch": 11,
            },
            "evaluate": {
                "every_epochs": 5,
                "batch_size": 359,
                "importance_samples": 1000,
            },
            "checkpoint": {"every_epochs": 50, "keep": 2},
            "figures": {"temperature": 0.7},
        }
    )
