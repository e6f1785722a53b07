# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""SVHN with the published settings (MFCVAE, App. D).

Expected: 56.25 (0.93) % many-to-one accuracy of facet 0 against the digit in
the paper; not measured by us.

    python experiments/train.py --workdir=runs/published/svhn \
        --config=experiments/configs/published/svhn.py
"""

from mfcvae_jax.config import make_config


def get_config():
    return make_config(
        data={"name": "svhn_cropped"},
        facets={
            "n_components": (200, 50),
            "latent_dim": (22, 7),
            "covariance": ("full", "full"),
            "learn_weights": (False, False),
        },
        net={
            "kind": "conv_ladder",
            "activation": "elu",
            "weight_norm": True,
            "output_norm": True,
            "official_init": True,
        },
        likelihood={"kind": "gaussian", "std": 0.3, "output": "sigmoid"},
        progressive={"stage_epochs": (101, 301), "fade_in_steps": 15000},
        train={
            "batch_size": 150,
            "learning_rate": 5e-4,
            "steps_per_dispatch": 20,
        },
        evaluate={
            "every_epochs": 1,
            "batch_size": 500,
            "importance_samples": 100,
        },
        checkpoint={"every_epochs": 10},
        figures={"temperature": 0.3},
    )
