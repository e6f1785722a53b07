# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Times a training step of the published MNIST model, beside PyTorch.

One step is forward, backward and Adam on a batch of 512, in the compiled scan
that training uses; ``mnist_step_torch.py`` has the same net and loss in
PyTorch. Images are random: no data set is needed.

    python benchmarks/mnist_step.py --torch_python=/elsewhere/bin/python
"""

import pathlib

import beside_torch
import published_step

from mfcvae_jax.commands import running

_BATCH_SIZE = 512


def _benchmark() -> int:
    stepper = published_step.make_stepper("mnist")
    beside_torch.compare(
        stepper,
        _BATCH_SIZE,
        published_step.random_images(stepper, 60_000),
        pathlib.Path(__file__).with_name("mnist_step_torch.py"),
    )
    return 0


if __name__ == "__main__":
    running.script(_benchmark)
