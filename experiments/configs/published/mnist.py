# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""MNIST with the published settings (MFCVAE, App. D).

Expected: 92.02 (3.18) % many-to-one accuracy of facet 1 against the digits over
10 seeds in the paper.

    python experiments/train.py --workdir=runs/published/mnist \
        --config=experiments/configs/published/mnist.py
"""

from mfcvae_jax.config import make_config


def get_config():
    return make_config(
        data={"name": "mnist"},
        facets={
            "n_components": (25, 25),
            "latent_dim": (5, 5),
            "covariance": ("diagonal", "diagonal"),
            "learn_weights": (True, True),
        },
        net={
            "kind": "dense_ladder",
            "encoder_backbone": ((500,), (2000,)),
            "encoder_rungs": ((), ()),
            "decoder_rungs": ((500,), (2000,)),
            "decoder_backbone": ((500,), (500,)),
            "activation": "relu",
            "batch_norm": False,
            "merge": "gated_add",
        },
        likelihood={"kind": "bernoulli"},
        progressive={"stage_epochs": (201, 201), "fade_in_steps": 15000},
        train={
            "batch_size": 512,
            "learning_rate": 5e-4,
            "data_dependent_init": False,
            "steps_per_dispatch": 39,
        },
        evaluate={
            "every_epochs": 1,
            "batch_size": 1000,
            "importance_samples": 100,
        },
        checkpoint={"every_epochs": 10},
        figures={"temperature": 1.0},
    )
