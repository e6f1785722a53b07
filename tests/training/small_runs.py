# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of training share: small runs, and what they come to."""

import signal
import sys
from typing import Any
from unittest import mock

import chex
import jax
import numpy as np

from mfcvae_jax.training import devices, disk, loop, recording, runs, state
from mfcvae_jax.workdir import Workdir
from tests import examples, scripts

# One facet, 12 steps in two dispatches an epoch: little to compile.
ONE_FACET = {
    "facets": {
        "n_components": (10,),
        "latent_dim": (3,),
        "covariance": ("diagonal",),
        "learn_weights": (True,),
    },
    "net": {
        **examples.config()["net"],
        "encoder_backbone": ((32,),),
        "encoder_rungs": ((),),
        "decoder_rungs": ((24,),),
        "decoder_backbone": ((32,),),
        "batch_norm": True,
    },
    "progressive": {"stage_epochs": (2,), "fade_in_steps": 300},
    "train": {"batch_size": 119, "steps_per_dispatch": 6},
    "evaluate": {"batch_size": 359},
}

# A child that dies of something else than a test's signal must not be waited
# for; generous, since machines are busy.
PATIENCE_SECONDS = 900

# Too many epochs to end before it is killed.
LONG = ONE_FACET | {
    "facets": ONE_FACET["facets"]
    | {"view": (({"kind": "affine", "rotation": 15.0, "shift": 0.1},),)},
    "progressive": {
        "stage_epochs": (50,),
        "fade_in_steps": 300,
        "warm_up_epochs": (25,),
    },
}


def run(**overrides) -> runs.Run:
    """A run of ``examples.config``."""
    return runs.make_run(examples.settings(**overrides))


def train(
    of_run: runs.Run, workdir: Workdir, *, resume: bool = False, **kwargs
) -> tuple[state.TrainState | None, ...]:
    """Trains in a workdir; returns the states."""
    recorder = disk.InWorkdir(workdir, resume=resume)
    return loop.train(of_run, recorder, **kwargs).states


def some_state(of_run: runs.Run, step: int = 0) -> state.TrainState:
    """A state that no training comes to: its leaves are all different."""
    rng = np.random.default_rng(step)

    def draw(leaf):
        return rng.integers(0, 100, leaf.shape).astype(leaf.dtype)

    drawn = jax.tree.map(draw, runs.blank_state(of_run))
    return drawn._replace(step=np.int32(step))


class Killed(BaseException):
    """Stands for SIGKILL where it can be told what was done before."""


class InterruptedAt(disk.InWorkdir):
    """Sends a signal to this process at the nth call of a method.

    The method, "save", "drop" or the split of a record, has done nothing yet.
    Without a signal it raises Killed.
    """

    def __init__(self, workdir, method, n, signum=None):
        super().__init__(workdir, resume=workdir.config.exists())
        self._method, self._left, self._signum = method, n, signum

    def _count(self, method):
        self._left -= method == self._method
        if self._left or method != self._method:
            return
        if self._signum is None:
            raise Killed
        signal.raise_signal(self._signum)

    def record(self, seed, record):
        self._count(record["split"])
        super().record(seed, record)

    def save(self, seed, state, bound):
        self._count("save")
        super().save(seed, state, bound)

    def drop(self, seed, why):
        self._count("drop")
        super().drop(seed, why)


def diverging(seeds, after=-1):
    """Breaks losses one step into each scan after a step, as a context."""

    class Diverging(devices.Program):
        def run(self, state, *args):
            first = int(np.ravel(state.step)[0])
            state, metrics = super().run(state, *args)
            for i in seeds if first > after else ():
                loss = metrics[i].loss.copy()
                loss[1:] = np.nan
                metrics[i] = metrics[i]._replace(loss=loss)
            return state, metrics

    return mock.patch.object(loop, "Program", Diverging)


def records(
    source: Workdir | recording.InMemory, *splits: str
) -> list[dict[str, Any]]:
    """What was recorded of some splits, or of all but the speed."""
    every = source.records() if isinstance(source, Workdir) else source.records
    if splits:
        return [record for record in every if record["split"] in splits]
    return [record for record in every if record["split"] != "speed"]


def assert_equal_states(left, right) -> None:
    """To the last bit: parameters, optimiser, statistics, key, step."""
    chex.assert_trees_all_equal(*jax.device_get((left, right)), strict=True)


def assert_close(left, right) -> None:
    """Of two trees of arrays, by the root mean square of each.

    Where a gradient is next to 0, rounding decides its sign, and Adam's steps
    are as long as any: single entries are far off.
    """

    def compare(ours, theirs):
        error = np.sqrt(np.mean(np.square(ours - theirs)))
        scale = np.sqrt(np.mean(np.square(theirs)))
        assert error < 5e-3 * (1 + scale), (error, scale)

    jax.tree.map(compare, left, right)


def command(folder, config, workdir) -> list[str]:
    """The command that trains a config, which is written into a folder."""
    file = examples.config_file(folder / "config.py", config)
    return [
        *(sys.executable, str(scripts.ROOT / "experiments" / "train.py")),
        *(f"--config={file}", f"--workdir={workdir.path}"),
    ]
