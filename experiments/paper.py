# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the figures and tables of the paper; the same as ``mfcvae paper``.

    python experiments/paper.py --workdir=runs/mnist

--help lists them.
"""

import sys

from mfcvae_jax.commands import paper, running

if __name__ == "__main__":
    running.start(paper, sys.argv)
