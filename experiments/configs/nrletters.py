# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""NRLetters: 9 x 7 pixels, three labelings: letter, colour, marked corner.

The recipe for data with several labelings: each facet has one dimension, so
that it cannot take two labelings, warms up before it has a prior, but not for
long, and pays for what the facets before it tell. Of five starts, the one with
the best held-out bound is kept. It is not in the paper; docs/recipe.md has the
results. The file has ``images`` (N, 9, 7, 3), ``labels`` (N, 3) and
``label_names``.

    python experiments/train.py --workdir=runs/nrletters \
        --config=experiments/configs/nrletters.py \
        --config.data.path=nrletters.npz
"""

from mfcvae_jax.config import load


def get_config():
    config = load("published/digits.py", __file__)
    config.data.name = "npz"
    config.data.path = "nrletters.npz"
    config.n_init = 5
    config.facets.n_components = (10, 10, 10)
    config.facets.latent_dim = (1, 1, 1)
    config.facets.covariance = ("full", "full", "full")
    config.facets.learn_weights = (True, True, True)
    widths = ((128,), (128,), (128,))
    config.net.encoder_backbone = widths
    config.net.encoder_rungs = widths
    config.net.decoder_rungs = widths
    config.net.decoder_backbone = widths
    config.likelihood.std = 0.2
    config.progressive.stage_epochs = (14, 11, 17)
    config.progressive.warm_up_epochs = (8, 5, 5)
    config.progressive.fade_in_steps = 150
    config.progressive.redundancy_price = 20.0
    config.train.estimator = "closed_form"
    config.train.data_dependent_init = False
    config.evaluate.every_epochs = 14
    return config
