# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes scores, figures and report.html again, without training.

    mfcvae report --workdir=runs/mnist

This is what training ends with. For the scores alone: mfcvae evaluate.
"""

from absl import flags

from mfcvae_jax.commands import finished

__all__ = ["FLAGS", "main"]

FLAGS = finished.FLAGS


def main(values: flags.FlagValues) -> int:
    """Reports on every seed, from its checkpoint."""
    from mfcvae_jax.report import write

    print(write.write_reports(*finished.restore(values)))
    return 0
