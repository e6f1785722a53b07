# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Ablation (App. E.1): as ``digits.py``, one encoder instead of a ladder.

Expected, over 5 seeds: 15.0 (6.9) % many-to-one accuracy of facet 0 against the
digit, 21.2 (2.8) % of facet 1. ``make ablation`` trains and compares the four,
five seeds each, in four minutes on two cores.

    python experiments/train.py --workdir=runs/published/digits_shared \
        --config=experiments/configs/published/digits_shared.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("digits.py", __file__)
    config.net = {
        "kind": "shared_encoder",
        "encoder": (128, 256),
        "decoder": (256, 128, 128),
        "activation": "relu",
        "batch_norm": False,
    }
    return config
