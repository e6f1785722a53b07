# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Ablation (App. E.1): as ``digits.py``, all facets from the start.

``make ablation`` trains and compares the four.
"""

from mfcvae_jax.config import load


def get_config():
    config = load("digits.py", __file__)
    config.progressive.stage_epochs = (300,)
    return config
