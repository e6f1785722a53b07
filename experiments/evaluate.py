# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Reports on a run again, from its last checkpoint; as ``mfcvae report``.

python experiments/evaluate.py --workdir=runs/mnist

--best takes the checkpoint with the best held-out bound instead.
"""

import sys

from mfcvae_jax.commands import report, running

if __name__ == "__main__":
    running.start(report, sys.argv)
