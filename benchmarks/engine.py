# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Times the compiled engine: what one program, many seeds and a cache give.

Four tables, of the model of any config; images are random, so no data set is
needed:

    overhead  a dispatch of the engine beside a plain jitted scan of its step
    seeds     1 to 16 seeds at once, beside one
    dispatch  1 to 1000 steps per dispatch
    latency   from the start of Python to the end of the first dispatch, without
              and with the compilation cache of an earlier process

    python benchmarks/engine.py --config=experiments/configs/published/digits.py

Turns are interleaved, so that all see the same machine.
"""

import functools
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np
import published_step
from absl import flags
from ml_collections import config_flags

from mfcvae_jax import config as config_lib
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import batches, reader
from mfcvae_jax.training import compilation, devices, runs

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string="File with the settings.", lock_config=True
)
_TABLES = flags.DEFINE_multi_enum(
    "table",
    ["overhead", "seeds", "dispatch", "latency"],
    ["overhead", "seeds", "dispatch", "latency"],
    "Which to measure; may be repeated.",
)
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns that each side takes.")
_STEPS = flags.DEFINE_integer("steps", 40, "Optimiser steps in a turn.")
_MAX_SEEDS = flags.DEFINE_integer("max_seeds", 16, "Most seeds at once.")
_FIRST_DISPATCH = flags.DEFINE_string(
    "first_dispatch", None, "Only take one, with the cache in this folder."
)


def make_stepper(settings):
    shape = reader.spec_of(settings.data.name).image_shape
    return runs.make_stepper(settings, shape, steps_per_epoch=100)


class Engine:
    """Some seeds of the model, ready to take steps."""

    def __init__(self, settings, n_seeds=1):
        stepper = make_stepper(settings)
        batch_size = settings.train.batch_size
        images = published_step.random_images(stepper, 8 * batch_size)
        self.program = devices.Program(stepper, batch_size, n_seeds)
        start = published_step.first_state(stepper)
        self.state = self.program.place([start] * n_seeds)
        self.images = self.program.place_images(images)
        order = np.tile(np.arange(len(images), dtype=np.int32), (n_seeds, 8))
        self.order = self.program.place_order(
            self.program.arrange(np.tile(order, (1, 16)))
        )

    def take_turn(self, n_steps):
        """Takes steps; the order has room for a thousand."""
        self.state, _ = self.program.run(
            self.state, self.images, self.order, 0, n_steps
        )


class PlainScan:
    """The step in a jitted scan, and nothing else."""

    def __init__(self, settings):
        engine = Engine(settings)
        stepper = make_stepper(settings)
        batch_size = settings.train.batch_size
        (self.state,) = engine.program.members(engine.state)
        images, order = engine.images, engine.order

        def scan(start, n_steps):
            def body(at, index):
                x = batches.take_batch(
                    images, order, index, batch_size, stepper.model.image_shape
                )
                return stepper.step(at, batches.as_float(x))

            return jax.lax.scan(body, start, np.arange(n_steps))

        self._scan = jax.jit(scan, static_argnums=1)

    def take_turn(self, n_steps):
        """Takes steps, and waits for them."""
        self.state, metrics = self._scan(self.state, n_steps)
        jax.block_until_ready((self.state, metrics))


def seconds(turns: list[Callable[[], None]]) -> list[list[float]]:
    """Times some turns in as many rounds as asked for, after one to compile.

    Returns:
        Rounds of one time per turn.
    """
    for turn in turns:
        turn()
    rounds = []
    for _ in range(_ROUNDS.value):
        times = []
        for turn in turns:
            start = time.perf_counter()
            turn()
            times.append(time.perf_counter() - start)
        rounds.append(times)
    return rounds


def middle(rounds, i, n=1):
    """Median of a turn's times in ms, each divided by n."""
    return 1000 * statistics.median(times[i] for times in rounds) / n


def ratio(rounds, i, j):
    """Median of the ratios of two turns of one round."""
    return statistics.median(times[i] / times[j] for times in rounds)


def overhead(settings):
    n = _STEPS.value
    sides = (PlainScan(settings), Engine(settings))
    rounds = seconds([functools.partial(s.take_turn, n) for s in sides])
    print(
        f"\n{n} steps in a dispatch\n\n| | ms a step | ratio |\n|---|---|---|"
    )
    print(f"| plain jitted scan | {middle(rounds, 0, n):.2f} | |")
    ours = ratio(rounds, 1, 0)
    print(f"| the engine | {middle(rounds, 1, n):.2f} | {ours:.3f} |")


def seeds(settings):
    n = _STEPS.value
    counts = [s for s in (1, 2, 4, 8, 10, 16) if s <= _MAX_SEEDS.value]
    engines = [Engine(settings, count) for count in counts]
    rounds = seconds([functools.partial(e.take_turn, n) for e in engines])
    print(
        "\n| seeds | ms a step of all | per seed, to one alone |\n|---|---|---|"
    )
    for i, count in enumerate(counts):
        each = ratio(rounds, i, 0) / count
        print(f"| {count} | {middle(rounds, i, n):.2f} | {each:.2f} |")


def dispatch(settings):
    total = 1000
    counts = (1, 3, 10, 30, 100, 300, 1000)
    engine = Engine(settings)

    def take(count):
        for _ in range(max(total // count // 10, 1)):
            engine.take_turn(count)

    rounds = seconds([functools.partial(take, c) for c in counts])
    print("\n| steps per dispatch | ms a step |\n|---|---|")
    for i, count in enumerate(counts):
        n = count * max(total // count // 10, 1)
        print(f"| {count} | {middle(rounds, i, n):.3f} |")


def latency():
    command = [sys.executable, __file__, *sys.argv[1:]]
    print("\n| compilation cache | s to the end of the first dispatch |")
    print("|---|---|")
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(max(_ROUNDS.value // 2, 1)):
        with tempfile.TemporaryDirectory() as folder:
            for times in (cold, warm):
                start = time.perf_counter()
                subprocess.run(
                    [*command, f"--first_dispatch={folder}"], check=True
                )
                times.append(time.perf_counter() - start)
    print(f"| empty | {statistics.median(cold):.1f} |")
    print(f"| of an earlier process | {statistics.median(warm):.1f} |")


def _benchmark() -> int:
    settings = config_lib.from_config(_CONFIG.value.to_dict())
    if _FIRST_DISPATCH.value:
        with compilation.cache_in(pathlib.Path(_FIRST_DISPATCH.value)):
            Engine(settings).take_turn(settings.train.steps_per_dispatch)
        return 0
    print(
        f"{settings.data.name}, batch {settings.train.batch_size}, "
        f"{len(jax.devices())} x {jax.devices()[0].device_kind}, jax "
        f"{jax.__version__}"
    )
    for name in _TABLES.value:
        if name == "latency":
            latency()
        else:
            {"overhead": overhead, "seeds": seeds, "dispatch": dispatch}[name](
                settings
            )
    return 0


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    running.script(_benchmark)
