# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Times a training step of ours beside the same one in PyTorch.

Ours is the step in the compiled scan that training uses. PyTorch is no
dependency, so it runs in a process of its own, under a Python that has it: a
script that gets the batch size, the number of threads and the device, prints
its version, and then reads a number of steps a line from standard input, takes
them, and answers with the seconds that they took, by the clock and of CPU time.
The two sides take turns, so that both see the same machine.
"""

import operator
import pathlib
import resource
import statistics
import subprocess
import time
from typing import Any, NamedTuple

import jax
import numpy as np
import published_step
from absl import flags

from mfcvae_jax.training import devices
from mfcvae_jax.training.steps import Stepper

TORCH_PYTHON = flags.DEFINE_string(
    "torch_python", None, "Python that has PyTorch; without it, JAX alone."
)
ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns that each side takes.", 1)
STEPS = flags.DEFINE_integer("steps", 5, "Optimiser steps in a turn.", 1)
_THREADS = flags.DEFINE_integer("threads", 2, "Threads of PyTorch.")


class Turn(NamedTuple):
    """What a step of one turn took, in ms."""

    wall: float
    cpu: float


class PyTorch:
    """The step in PyTorch, in a process of its own."""

    def __init__(
        self,
        python: str,
        script: pathlib.Path,
        batch_size: int,
        device: str = "cpu",
    ):
        numbers = (str(batch_size), str(_THREADS.value))
        command = [python, str(script), *numbers, device]
        self._child: Any = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        print(f"torch {self._answer()}")

    def _answer(self) -> str:
        return self._child.stdout.readline().strip()

    def take_turn(self, n_steps: int) -> Turn:
        """Takes steps."""
        self._child.stdin.write(f"{n_steps}\n")
        self._child.stdin.flush()
        seconds = map(float, self._answer().split())
        return Turn(*(1000 * s / n_steps for s in seconds))

    def close(self) -> None:
        """Ends the process."""
        self._child.communicate()


class Jax:
    """The step in the scan that training uses, of one or several seeds."""

    def __init__(
        self,
        stepper: Stepper,
        batch_size: int,
        images: np.ndarray,
        n_seeds: int = 1,
    ):
        self._program = devices.Program(stepper, batch_size, n_seeds)
        start = published_step.first_state(stepper)
        self._state = self._program.place([start] * n_seeds)
        self._images = self._program.place_images(images)
        order = np.random.default_rng(1).permutation(len(images))
        orders = np.tile(order.astype(np.int32), (n_seeds, 1))
        self._order = self._program.place_order(self._program.arrange(orders))

    def take_turn(self, n_steps: int) -> Turn:
        """Takes steps."""
        wall, cpu = time.perf_counter(), time.process_time()
        self._state, _ = self._program.run(
            self._state, self._images, self._order, 0, n_steps
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Turn(1000 * wall / n_steps, 1000 * cpu / n_steps)


def compare(
    stepper: Stepper,
    batch_size: int,
    images: np.ndarray,
    torch_script: pathlib.Path,
) -> None:
    """Lets the two sides take turns, and prints the medians.

    Args:
        stepper: with our step.
        batch_size: of both sides.
        images: for our side, enough for the steps of a turn.
        torch_script: the other side, which makes its own images.
    """
    n_steps = STEPS.value
    sides: dict[str, Any] = {"JAX": Jax(stepper, batch_size, images)}
    print(f"jax {jax.__version__} on {jax.default_backend()}")
    first = n_steps * sides["JAX"].take_turn(n_steps).wall
    print(f"first turn, with compilation: {first / 1000:.1f} s")
    if TORCH_PYTHON.value:
        sides["PyTorch"] = PyTorch(TORCH_PYTHON.value, torch_script, batch_size)
    for side in sides.values():
        side.take_turn(2)  # the caches are the other's, or cold
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for _ in range(ROUNDS.value):
        for name, side in sides.items():
            turns[name].append(side.take_turn(n_steps))
    for name, taken in turns.items():
        wall = [turn.wall for turn in taken]
        cpu = statistics.median(turn.cpu for turn in taken)
        print(
            f"{name}: {statistics.median(wall):.1f} ms a step, median of "
            f"{len(taken)} turns of {n_steps} steps "
            f"({min(wall):.1f} to {max(wall):.1f}); CPU time {cpu:.1f} ms"
        )
    if "PyTorch" in sides:
        ours, theirs = (
            [turn.wall for turn in turns[name]] for name in ("JAX", "PyTorch")
        )
        ratio = statistics.median(map(operator.truediv, ours, theirs))
        print(
            f"JAX / PyTorch: {ratio:.3f}, turn by turn; "
            f"{1 / ratio:.2f} times as fast"
        )
        sides["PyTorch"].close()
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak resident memory, JAX: {peak / 2**20:.2f} GiB")
