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
import numpy as np
from absl import app

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.training import optimiser, steps
from mfcvae_jax.variational import elbo

_BATCH_SIZE = 512


def make_stepper():
    covariance = (settings_lib.Covariance.DIAGONAL,) * 2
    model = model_lib.MFCVAE(
        facets=settings_lib.Facets((25, 25), (5, 5), covariance, (True, True)),
        net=settings_lib.DenseLadder(
            encoder_backbone=((500,), (2000,)),
            encoder_rungs=((), ()),
            decoder_rungs=((500,), (2000,)),
            decoder_backbone=((500,), (500,)),
            activation=settings_lib.Activation.RELU,
            batch_norm=False,
            merge=settings_lib.Merge.GATED_ADD,
        ),
        initial_variance=0.01,
        image_shape=(28, 28, 1),
    )
    return steps.Stepper(
        model=model,
        likelihood=settings_lib.Bernoulli(),
        optimiser=optimiser.make_optimiser(5e-4, model.facets),
        # Both facets are in from the start, as they are in PyTorch.
        schedule=progressive.Schedule(((0, 0, 0),) * 2, 10**6, 1),
        estimate=elbo.five_terms,
    )


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    images = np.random.default_rng(0).integers(
        0, 256, (60000, 28, 28, 1), np.uint8
    )
    beside_torch.compare(
        make_stepper(),
        _BATCH_SIZE,
        images,
        pathlib.Path(__file__).with_name("mnist_step_torch.py"),
    )


if __name__ == "__main__":
    app.run(main)
