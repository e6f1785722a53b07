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
import numpy as np
from absl import app

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.training import optimiser, steps
from mfcvae_jax.variational import elbo

_BATCH_SIZE = 150


def make_stepper():
    covariance = (settings_lib.Covariance.FULL,) * 2
    model = model_lib.MFCVAE(
        facets=settings_lib.Facets(
            (200, 50), (22, 7), covariance, (False, False)
        ),
        net=settings_lib.ConvLadder(
            activation=settings_lib.Activation.ELU,
            weight_norm=True,
            output_norm=True,
            official_init=False,
        ),
        initial_variance=0.01,
        image_shape=(32, 32, 3),
    )
    return steps.Stepper(
        model=model,
        likelihood=settings_lib.Gaussian(
            std=0.3, output=settings_lib.OutputUnits.SIGMOID
        ),
        optimiser=optimiser.make_optimiser(5e-4, model.facets),
        schedule=progressive.make_schedule(
            settings_lib.Progressive(
                stage_epochs=(101, 301),
                fade_in_steps=15000,
                fade_in=settings_lib.Fade.LINEAR,
                pretrain_weight_z=0.0,
                pretrain_weight_c=0.0,
            ),
            len(model.facets),
            steps_per_epoch=488,
        ),
        estimate=elbo.five_terms,
    )


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    images = np.random.default_rng(0).integers(
        0, 256, (20 * _BATCH_SIZE, 32, 32, 3), np.uint8
    )
    beside_torch.compare(
        make_stepper(),
        _BATCH_SIZE,
        images,
        pathlib.Path(__file__).with_name("svhn_step_torch.py"),
    )


if __name__ == "__main__":
    app.run(main)
