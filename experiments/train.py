# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains a model and reports on it; the same as ``mfcvae train``.

    python experiments/train.py --config=experiments/configs/mnist.py \
        --workdir=runs/mnist

--help says more.
"""

import sys

from mfcvae_jax.commands import running, train

if __name__ == "__main__":
    running.start(train, sys.argv)
