# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""VaDE on MNIST: one facet, and the net of the VaDE paper.

Widths, K and the dimension of z are those of arXiv:1611.05148; it pretrains an
autoencoder, which is not done here. The VaDE paper reports the best of 10 runs,
94.46 %; MFCVAE's authors got 89.09 (3.32) % from their own implementation.

    python experiments/train.py --config=experiments/configs/mnist_vade.py \
        --workdir=runs/mnist_vade
"""

import ml_collections


def get_config():
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "n_seeds": 1,
            "precision": "float32",
            "data": {
                "name": "mnist",
                "data_dir": "",
                "path": "",
                "on_device_gb": 4.0,
            },
            "facets": {
                "n_components": (10,),
                "latent_dim": (10,),
                "covariance": ("diagonal",),
                "learn_weights": (True,),
            },
            "net": {
                "kind": "dense_ladder",
                "encoder_backbone": ((500, 500, 2000),),
                "encoder_rungs": ((),),
                "decoder_rungs": ((2000,),),
                "decoder_backbone": ((500, 500),),
                "activation": "relu",
                "batch_norm": False,
                "merge": "concatenate",
            },
            "likelihood": {"kind": "bernoulli"},
            "prior_init": {"means": "gmm", "variance": 0.01},
            "progressive": {
                "stage_epochs": (200,),
                "fade_in_steps": 1,
                "fade_in": "linear",
                "pretrain_weight_z": 0.0,
                "pretrain_weight_c": 0.0,
            },
            "train": {
                "batch_size": 512,
                "learning_rate": 5e-4,
                "n_samples": 1,
                "estimator": "closed_form",
                "data_dependent_init": False,
                "steps_per_dispatch": 39,
            },
            "evaluate": {
                "every_epochs": 1,
                "batch_size": 1000,
                "importance_samples": 100,
            },
            "checkpoint": {"every_epochs": 10, "keep": 2},
            "figures": {"temperature": 1.0},
        }
    )
