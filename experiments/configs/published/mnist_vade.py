# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""VaDE on MNIST: one facet, and the net of the VaDE paper.

Widths, K and the dimension of z are those of arXiv:1611.05148; it pretrains an
autoencoder, which is not done here. The VaDE paper reports the best of 10 runs,
94.46 %; MFCVAE's authors got 89.09 (3.32) % from their own implementation.

    python experiments/train.py --workdir=runs/published/mnist_vade \
        --config=experiments/configs/published/mnist_vade.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("mnist.py", __file__)
    config.facets = {
        "n_components": (10,),
        "latent_dim": (10,),
        "covariance": ("diagonal",),
        "learn_weights": (True,),
    }
    config.net.encoder_backbone = ((500, 500, 2000),)
    config.net.encoder_rungs = ((),)
    config.net.decoder_rungs = ((2000,),)
    config.net.decoder_backbone = ((500, 500),)
    config.net.merge = "concatenate"
    config.progressive.stage_epochs = (200,)
    config.progressive.fade_in_steps = 1
    config.train.estimator = "closed_form"
    return config
