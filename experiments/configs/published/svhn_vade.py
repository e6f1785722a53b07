# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""SVHN with one facet: VaDE with the shallow half of the convolutional net.

The paper's special case J = 1, with the settings of facet 0 in svhn.py and as
many epochs in all. No expected number: neither published nor measured by us.

    python experiments/train.py --workdir=runs/published/svhn_vade \
        --config=experiments/configs/published/svhn_vade.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("svhn.py", __file__)
    config.facets = {
        "n_components": (200,),
        "latent_dim": (22,),
        "covariance": ("full",),
        "learn_weights": (False,),
    }
    config.net.official_init = False
    config.progressive.stage_epochs = (402,)
    return config
