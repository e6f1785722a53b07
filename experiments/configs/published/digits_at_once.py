# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Ablation (App. E.1): as ``digits.py``, all facets from the start.

Expected, over 5 seeds: 32.4 (6.5) % many-to-one accuracy of facet 0 against the
digit, 81.4 (4.3) % of facet 1. ``make ablation`` trains and compares the four,
five seeds each, in four minutes on two cores.

    python experiments/train.py --workdir=runs/published/digits_at_once \
        --config=experiments/configs/published/digits_at_once.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("digits.py", __file__)
    config.progressive.stage_epochs = (300,)
    return config
