# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Ablation (App. E.1): as ``digits.py``, one encoder instead of a ladder.

``make ablation`` trains and compares the four.
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
