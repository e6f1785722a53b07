# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Ablation (App. E.1): one encoder, no ladder, and all facets at once.

``make ablation`` trains and compares the four.
"""

from mfcvae_jax.config import load


def get_config():
    config = load("digits_shared.py", __file__)
    config.progressive.stage_epochs = (300,)
    return config
