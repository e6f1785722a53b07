# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Times a training step of the published SVHN model, beside PyTorch.

One step is forward, backward and Adam on a batch of 150, in the compiled scan
that training uses. PyTorch runs the same net and loss in a process of its own,
``svhn_step_torch.py``; the two take turns, so that both see the same machine.
Images are random: no data set is needed.

    python benchmarks/svhn_step.py --torch_python=/elsewhere/bin/python
"""

import pathlib
import resource
import statistics
import subprocess
import time

import jax
import numpy as np
from absl import app, flags

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.training import optimiser, state, steps

_TORCH_PYTHON = flags.DEFINE_string(
    "torch_python", None, "Python that has PyTorch; without it, JAX alone."
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns that each side takes.")
_STEPS = flags.DEFINE_integer("steps", 5, "Optimiser steps in a turn, <= 20.")
_THREADS = flags.DEFINE_integer("threads", 2, "Threads of PyTorch.")

_BATCH_SIZE = 150
_CHILD = pathlib.Path(__file__).with_name("svhn_step_torch.py")


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
            standardise_gains=True,
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
            steps_per_epoch=488,
        ),
    )


def main(argv):
    del argv
    n_steps = _STEPS.value
    images = np.random.default_rng(0).integers(
        0, 256, (20 * _BATCH_SIZE, 32, 32, 3), np.uint8
    )
    images, order = jax.device_put((images, np.arange(len(images))))
    stepper = make_stepper()
    run = stepper.compile_steps(_BATCH_SIZE)
    variables = state.initial_variables(stepper.model, jax.random.key(0))
    at = state.make_state(variables, stepper.optimiser, jax.random.key(1))

    def take_turn():
        nonlocal at
        start = time.perf_counter()
        at, metrics = run(at, images, order, 0, n_steps)
        jax.block_until_ready((at, metrics))
        return (time.perf_counter() - start) / n_steps

    print(f"jax {jax.__version__} on {jax.default_backend()}")
    print(f"first turn, with compilation: {n_steps * take_turn():.1f} s")
    child = None
    if _TORCH_PYTHON.value:
        child = subprocess.Popen(
            [
                _TORCH_PYTHON.value,
                _CHILD,
                str(_BATCH_SIZE),
                str(_THREADS.value),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        print(f"torch {child.stdout.readline().strip()}")

    def take_torch_turn(n):
        child.stdin.write(f"{n}\n")
        child.stdin.flush()
        return float(child.stdout.readline()) / n

    ours, theirs = [], []
    if child:
        take_torch_turn(2)
    for _ in range(_ROUNDS.value):
        ours.append(take_turn())
        if child:
            theirs.append(take_torch_turn(n_steps))
    for name, times in (("JAX", ours), ("PyTorch", theirs)):
        if times:
            print(
                f"{name}: {1000 * statistics.median(times):.0f} ms a step "
                f"(median of {len(times)} turns of {n_steps}; "
                f"{1000 * min(times):.0f} to {1000 * max(times):.0f})"
            )
    if child:
        ratio = statistics.median(
            a / b for a, b in zip(ours, theirs, strict=True)
        )
        print(f"JAX / PyTorch: {ratio:.2f} (median over turns)")
        child.stdin.close()
        child.wait()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak resident memory, JAX: {peak / 2**20:.2f} GiB")


if __name__ == "__main__":
    app.run(main)
