# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Times a training step of the published SVHN model, beside PyTorch.

One step is forward, backward and Adam on a batch of 150, in the compiled scan
that training uses. PyTorch runs the same net and loss in a process of its own,
``svhn_step_torch.py``; the two take turns, so that both see the same machine.
Images are random: no data set is needed.

    python benchmarks/svhn_step.py --torch_python=/elsewhere/bin/python
"""

import operator
import pathlib
import resource
import statistics
import subprocess
import time
from typing import Any

import jax
import numpy as np
from absl import app, flags

from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.training import optimiser, state, steps
from mfcvae_jax.variational import elbo

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
        estimate=elbo.five_terms,
    )


class PyTorch:
    """The same step in PyTorch, in a process of its own."""

    def __init__(self, python):
        command = [python, _CHILD, str(_BATCH_SIZE), str(_THREADS.value)]
        self._child: Any = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        print(f"torch {self._answer()}")
        self.take_turn(2)

    def _answer(self):
        return self._child.stdout.readline().strip()

    def take_turn(self, n_steps):
        """Takes steps and returns the seconds that each took."""
        self._child.stdin.write(f"{n_steps}\n")
        self._child.stdin.flush()
        return float(self._answer()) / n_steps

    def close(self):
        """Ends the process."""
        self._child.communicate()


class Jax:
    """The step in the scan that training uses."""

    def __init__(self):
        images = np.random.default_rng(0).integers(
            0, 256, (20 * _BATCH_SIZE, 32, 32, 3), np.uint8
        )
        self._data = jax.device_put((images, np.arange(len(images))))
        stepper = make_stepper()
        self._run = stepper.compile_steps(_BATCH_SIZE)
        variables = state.initial_variables(stepper.model, jax.random.key(0))
        self._state = state.make_state(
            variables, stepper.optimiser, jax.random.key(1)
        )
        print(f"jax {jax.__version__} on {jax.default_backend()}")

    def take_turn(self, n_steps):
        """Takes steps and returns the seconds that each took."""
        start = time.perf_counter()
        self._state, metrics = self._run(self._state, *self._data, 0, n_steps)
        jax.block_until_ready((self._state, metrics))
        return (time.perf_counter() - start) / n_steps


def main(argv):
    del argv
    n_steps = _STEPS.value
    sides: dict[str, Any] = {"JAX": Jax()}
    first = n_steps * sides["JAX"].take_turn(n_steps)
    print(f"first turn, with compilation: {first:.1f} s")
    if _TORCH_PYTHON.value:
        sides["PyTorch"] = PyTorch(_TORCH_PYTHON.value)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(_ROUNDS.value):
        for name, side in sides.items():
            times[name].append(1000 * side.take_turn(n_steps))
    for name, turns in times.items():
        print(
            f"{name}: {statistics.median(turns):.0f} ms a step, median of "
            f"{len(turns)} turns of {n_steps} steps "
            f"({min(turns):.0f} to {max(turns):.0f})"
        )
    if "PyTorch" in sides:
        ratios = map(operator.truediv, times["JAX"], times["PyTorch"])
        print(f"JAX / PyTorch: {statistics.median(ratios):.2f}, turn by turn")
        sides["PyTorch"].close()
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak resident memory, JAX: {peak / 2**20:.2f} GiB")


if __name__ == "__main__":
    app.run(main)
