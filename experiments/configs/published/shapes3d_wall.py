# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""3DShapes, configuration 2, with the published settings (MFCVAE, App. D).

All wall hues and shapes, one floor hue and one object hue.

Expected, many-to-one: 100.00 (0.00) % against the wall hue, 90.05 (2.65) %
against the shape in the paper; not measured by us.

    python experiments/train.py --workdir=runs/published/shapes3d_wall \
        --config=experiments/configs/published/shapes3d_wall.py
"""

from mfcvae_jax.config import load


def get_config():
    config = load("shapes3d_floor.py", __file__)
    config.data.name = "shapes3d_wall"
    return config
