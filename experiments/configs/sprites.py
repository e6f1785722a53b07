# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Sprites of 64 x 64 pixels in three facets, from an .npz file of yours.

The net is dense, which a CPU trains in minutes. Facets 2 and 1 come first and
are small, so each takes what is easiest to see; facet 0 takes the rest, and
each pays for what those before it tell (docs/recipe.md).

    python experiments/train.py --workdir=runs/sprites \
        --config=experiments/configs/sprites.py \
        --config.data.path=sprites_stills.npz
"""

from mfcvae_jax.config import load


def get_config():
    config = load("published/sprites.py", __file__)
    config.facets.n_components = (25, 25, 25)
    config.facets.latent_dim = (10, 2, 2)
    config.facets.learn_weights = (True, True, True)
    config.net = {
        "kind": "dense_ladder",
        "encoder_backbone": ((256,), (512,), (512,)),
        "encoder_rungs": ((), (), ()),
        "decoder_rungs": ((256,), (512,), (512,)),
        "decoder_backbone": ((256,), (256,), (256,)),
        "activation": "relu",
        "batch_norm": False,
        "merge": "concatenate",
    }
    config.likelihood.std = 0.2
    config.progressive.stage_epochs = (6, 6, 16)
    config.progressive.warm_up_epochs = (3, 3, 6)
    config.progressive.fade_in_steps = 400
    config.progressive.redundancy_price = 200.0
    config.train.batch_size = 128
    config.train.learning_rate = 1e-3
    config.train.estimator = "closed_form"
    return config
