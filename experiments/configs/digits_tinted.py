# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Digits of 8 x 8 pixels in five hues, embedded: the demo.

Facet 1 comes first and is small (two dimensions), so it takes what is easiest
to see, the hue; facet 0 takes the digit.

Expected, over 5 seeds: 98.7 (3.0) % many-to-one accuracy of facet 1 against the
hue, 84.3 (7.9) % of facet 0 against the digit. One minute on two cores.

    python experiments/train.py --workdir=runs/digits_tinted
        --config=experiments/configs/digits_tinted.py
"""

import ml_collections


def get_config():
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "n_seeds": 1,
            "precision": "float32",
            "data": {
                "name": "digits_tinted",
                "data_dir": "",
                "path": "",
                "on_device_gb": 4.0,
            },
            "facets": {
                "n_components": (25, 10),
                "latent_dim": (5, 2),
                "covariance": ("diagonal", "diagonal"),
                "learn_weights": (True, True),
            },
            "net": {
                "kind": "dense_ladder",
                "encoder_backbone": ((128,), (256,)),
                "encoder_rungs": ((), ()),
                "decoder_rungs": ((128,), (256,)),
                "decoder_backbone": ((128,), (128,)),
                "activation": "relu",
                "batch_norm": False,
                "merge": "concatenate",
            },
            "likelihood": {
                "kind": "gaussian",
                "std": 0.2,
                "output": "sigmoid",
            },
            "prior_init": {"means": "gmm", "variance": 0.01},
            "progressive": {
                "stage_epochs": (30, 200),
                "fade_in_steps": 500,
                "fade_in": "linear",
                "pretrain_weight_z": 0.0,
                "pretrain_weight_c": 0.0,
            },
            "train": {
                "batch_size": 128,
                "learning_rate": 1e-3,
                "n_samples": 1,
                "estimator": "five_terms",
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
