# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""VaDE on handwritten digits of 8 x 8 pixels: one facet, embedded data.

Expected, over 5 seeds: 80.4 (5.1) % many-to-one and 78.4 (6.3) % one-to-one
accuracy against the digit, with K = 10 and no pretraining; k-means is at 79.2 %
one-to-one. Half a minute on two cores.

    python experiments/train.py --workdir=runs/published/digits_vade \
        --config=experiments/configs/published/digits_vade.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("digits.py", __file__)
    config.facets = {
        "n_components": (10,),
        "latent_dim": (5,),
        "covariance": ("diagonal",),
        "learn_weights": (True,),
    }
    config.net.encoder_backbone = ((128, 256),)
    config.net.encoder_rungs = ((),)
    config.net.decoder_rungs = ((256,),)
    config.net.decoder_backbone = ((128,),)
    config.progressive.stage_epochs = (400,)
    config.progressive.fade_in_steps = 1
    config.train.estimator = "closed_form"
    return config
