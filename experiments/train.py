# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains a model and reports on it; the same as ``mfcvae train``.

    python experiments/train.py --config=experiments/configs/mnist.py \
        --workdir=runs/mnist --config.seed=3

--config.n_seeds=10 trains ten seeds at once, --config.n_init=4 four starts of
which it keeps the best. Ctrl-C saves the state; the same command with --resume
goes on from there. On several hosts, give each of them the command with
--distributed. An error is one line; --verbosity=1 shows where it came from.
"""

import sys

from mfcvae_jax.commands import running, train

if __name__ == "__main__":
    running.start(train, sys.argv)
