# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Times a training step of the published SVHN model, beside PyTorch.

One step is forward, backward and Adam on a batch of 150, in the compiled scan
that training uses; ``svhn_step_torch.py`` has the same net and loss in PyTorch.
Images are random, 20 batches of them: no data set is needed.

    python benchmarks/svhn_step.py --torch_python=/elsewhere/bin/python
"""

import pathlib

import beside_torch
import published_step

from mfcvae_jax.commands import running

_BATCH_SIZE = 150


def _benchmark() -> int:
    stepper = published_step.make_stepper("svhn")
    beside_torch.compare(
        stepper,
        _BATCH_SIZE,
        published_step.random_images(stepper, 20 * _BATCH_SIZE),
        pathlib.Path(__file__).with_name("svhn_step_torch.py"),
    )
    return 0


if __name__ == "__main__":
    running.script(_benchmark)
