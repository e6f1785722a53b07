# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Makes a run of official PyTorch weights; as ``mfcvae import-weights``.

python experiments/import_weights.py --weights=model.pt \
        --config=experiments/configs/published/mnist.py --workdir=runs/official
python experiments/evaluate.py --workdir=runs/official
"""

import sys

from mfcvae_jax.commands import import_weights, running

if __name__ == "__main__":
    running.start(import_weights, sys.argv)
