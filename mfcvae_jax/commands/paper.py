# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Draws the figures and tables of the paper from a run, without training.

    mfcvae paper --workdir=runs/mnist
    mfcvae paper --workdir=runs/mnist --make=figure_5 --pairs=3:18,7:40

All of them unless --make names some:

  figure_4    examples of each cluster, the first ten and all
  table_1     what a classifier can tell from each facet; slow on large data
  figure_5    one facet swapped between pairs of inputs, and how often it works
  table_2     accuracy beside the paper's and its rivals'
  figure_6    samples of each cluster, the first ten and all
  grid        samples of every pair of clusters of the first and the last facet
  traversals  one latent dimension at a time
  diversity   how diverse the samples of each cluster are
  pruning     how many clusters each facet needs, without labels

They are written to the folder paper/ in the workdir. Of several seeds, the one
with the best held-out bound is drawn, or --seed. What a run cannot have is
said, with the reason. (Fig. 1: figure_1.py. App. E.1: ablation.py.)
"""

import dataclasses
import json
import re
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from mfcvae_jax.commands import running
from mfcvae_jax.commands.finished import WORKDIR

if TYPE_CHECKING:
    from mfcvae_jax.report.finished import Finished
    from mfcvae_jax.workdir import Workdir

__all__ = ["FLAGS", "main"]


FLAGS = (
    WORKDIR,
    running.words("make", "What to draw; all by default."),
    running.integer("seed", "Which of several seeds to draw."),
    running.real(
        "temperature",
        "Factor on standard deviations in figure_6 and diversity; by default "
        "that of the config.",
        lower_bound=0.0,
    ),
    running.words(
        "pairs",
        "Held-out examples to swap in figure_5, a:b,c:d,...; by default the "
        "most confident.",
    ),
)


def main(values: flags.FlagValues) -> int:
    """Draws what is wanted, as far as the run can have it."""
    from mfcvae_jax.report import exhibits

    parts = exhibits.of_paper()
    wanted = list(parts) if values.make is None else values.make
    unknown = sorted(set(wanted) - set(parts))
    if unknown or not wanted:
        raise ValueError(
            f"--make={','.join(unknown)}: choose from {', '.join(parts)}"
        )
    finished = _finished(values)
    folder = finished.workdir.path / "paper"
    for name in wanted:
        made = exhibits.draw(finished, folder, parts[name])
        print(name)
        if all(one.reason for one in made):
            print(f"not drawn: {made[0].reason}\n", flush=True)
            continue
        for one in made:
            if one.reason:
                print(f"{one.path.name}: not drawn: {one.reason}")
            else:
                print(one.path)
                if isinstance(one.content, str):
                    print(one.content)
        print(flush=True)
    return 0


def _pairs(texts: list[str] | None) -> np.ndarray | None:
    if texts is None:
        return None
    if not texts or not all(re.fullmatch(r"\d+:\d+", t) for t in texts):
        raise ValueError(
            f"--pairs={','.join(texts)}: expected pairs of examples such as "
            "3:18,7:40"
        )
    return np.array([text.split(":") for text in texts], int)


def _of_seed(whole: "Workdir", seed: int | None) -> "Workdir":
    """The folder of one seed of a run."""
    folders = whole.by_seed(whole.settings())
    if seed is not None:
        if seed not in folders:
            raise ValueError(
                f"--seed={seed}: the run in {whole.path} has the seeds "
                f"{', '.join(map(str, folders))}"
            )
        return folders[seed]
    if len(folders) == 1:
        return whole
    if whole.results.exists():
        return folders[json.loads(whole.results.read_text())["seeds"][0]]
    # A run that is not at its end: the first seed that may come to one.
    going_on = [f for f in folders.values() if not f.why_given_up()]
    return (going_on or list(folders.values()))[0]


def _finished(values: flags.FlagValues) -> "Finished":
    """Restores the last state of a seed, with what the flags say of it."""
    from mfcvae_jax.report.finished import Finished
    from mfcvae_jax.training import disk, runs
    from mfcvae_jax.workdir import Workdir

    pairs = _pairs(values.pairs)
    whole = Workdir(values.workdir)
    folder = _of_seed(whole, values.seed)
    settings = folder.settings()
    if values.temperature is not None:
        figures = dataclasses.replace(
            settings.figures, temperature=values.temperature
        )
        settings = dataclasses.replace(settings, figures=figures)
    run = runs.make_run(settings)
    (state,) = disk.restore(run, folder)
    if state is None:
        raise RuntimeError(
            f"the seed in {folder.path} {folder.why_given_up()} (a file there "
            "says how): choose another --seed"
        )
    n_steps = run.stepper.schedule.n_steps
    print(f"{folder.path}, step {int(state.step)} of {n_steps}")
    if int(state.step) < n_steps:
        print("This run is not at its end; it is drawn as it stands.")
    print()
    return Finished(run, state, folder, whole=whole, pairs=pairs)
