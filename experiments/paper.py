# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Draws the figures and tables of the paper from a run, without training.

    python experiments/paper.py --workdir=runs/mnist
    python experiments/paper.py --workdir=runs/mnist --make=figure_5 \
        --pairs=3:18,7:40

All of them unless --make names some:

  figure_4    examples of each cluster, the first ten and all
  table_1     what a classifier can tell from each facet; slow on large data
  figure_5    one facet swapped between pairs of inputs, and how often it works
  table_2     accuracy beside the paper's and its rivals'
  figure_6    samples of each cluster, the first ten and all
  grid        samples of every pair of clusters of the first and the last facet
  traversals  one latent dimension at a time
  diversity   how diverse the samples of each cluster are

They are written to the folder paper/ in the workdir. Of several seeds, the one
with the best held-out bound is drawn, or --seed. What a run cannot have is
said, with the reason. (Fig. 1: figure_1.py. App. E.1: ablation.py.)
"""

import dataclasses
import json
import pathlib
import re
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from absl import app, flags, logging

from mfcvae_jax import pictures, summary, tables
from mfcvae_jax.finished import Finished, NotDrawnError
from mfcvae_jax.training import loop, runs
from mfcvae_jax.workdir import Workdir

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run.", required=True
)
_MAKE = flags.DEFINE_list("make", None, "What to draw; all by default.")
_SEED = flags.DEFINE_integer("seed", None, "Which of several seeds to draw.")
_TEMPERATURE = flags.DEFINE_float(
    "temperature",
    None,
    "Factor on standard deviations in figure_6 and diversity; by default that "
    "of the config.",
    0.0,
)
_PAIRS = flags.DEFINE_list(
    "pairs",
    None,
    "Held-out examples to swap in figure_5, a:b,c:d,...; by default the most "
    "confident.",
)


class Drawn(NamedTuple):
    """What is drawn, and where.

    Attributes:
        finished: the run of one seed.
        folder: where to write.
        whole: folder of all seeds, or of the one.
        pairs: examples to swap, (P, 2); None to choose them.
    """

    finished: Finished
    folder: pathlib.Path
    whole: Workdir
    pairs: np.ndarray | None


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        wanted = _wanted(_MAKE.value)
        pairs = _pairs(_PAIRS.value)
        whole = Workdir(_WORKDIR.value)
        finished = _finished(_of_seed(whole, _SEED.value), _TEMPERATURE.value)
        if pairs is not None:  # before what takes long
            pictures.check_pairs(pairs, len(finished.run.dataset.test.images))
        folder = finished.workdir.path / "paper"
        folder.mkdir(exist_ok=True)
        for name in wanted:
            try:
                made = MAKERS[name](Drawn(finished, folder, whole, pairs))
            except NotDrawnError as reason:
                made = f"not drawn: {reason}"
            print(f"{name}\n{made}\n", flush=True)
    except (ValueError, OSError, RuntimeError) as error:
        logging.debug("where it came from", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _wanted(names: list[str] | None) -> list[str]:
    if names is None:
        return list(MAKERS)
    unknown = sorted(set(names) - set(MAKERS))
    if unknown or not names:
        raise ValueError(
            f"--make={','.join(unknown)}: choose from {', '.join(MAKERS)}"
        )
    return names


def _pairs(texts: list[str] | None) -> np.ndarray | None:
    if texts is None:
        return None
    if not texts or not all(re.fullmatch(r"\d+:\d+", t) for t in texts):
        raise ValueError(
            f"--pairs={','.join(texts)}: expected pairs of examples such as "
            "3:18,7:40"
        )
    return np.array([text.split(":") for text in texts], int)


def _of_seed(whole: Workdir, seed: int | None) -> Workdir:
    """The folder of one seed of a run."""
    settings = whole.settings()
    folders = {
        settings.seed + i: folder
        for i, folder in enumerate(whole.of_each_seed(settings))
    }
    if seed is not None and seed not in folders:
        raise ValueError(
            f"--seed={seed}: the run in {whole.path} has the seeds "
            f"{', '.join(map(str, folders))}"
        )
    if seed is not None:
        return folders[seed]
    if len(folders) == 1:
        return whole
    if whole.results.exists():
        return folders[json.loads(whole.results.read_text())["seeds"][0]]
    # A run that is not at its end: the first seed that may come to one.
    going_on = [f for f in folders.values() if not f.diverged.exists()]
    return (going_on or list(folders.values()))[0]


def _finished(folder: Workdir, temperature: float | None) -> Finished:
    """Restores the last state of a run."""
    settings = folder.settings()
    if temperature is not None:
        settings = dataclasses.replace(
            settings,
            figures=dataclasses.replace(
                settings.figures, temperature=temperature
            ),
        )
    run = runs.make_run(settings)
    (state,) = loop.restore(run, folder)
    if state is None:
        raise RuntimeError(
            f"the seed in {folder.path} diverged ({folder.diverged.name} says "
            "how): choose another --seed"
        )
    n_steps = run.stepper.schedule.n_steps
    print(f"{folder.path}, step {int(state.step)} of {n_steps}")
    if int(state.step) < n_steps:
        print("This run is not at its end; it is drawn as it stands.")
    print()
    return Finished(run, state, folder)


def _pictures(*names: str) -> Callable[[Drawn], str]:
    def make(drawn):
        paths, reasons = pictures.draw(drawn.finished, drawn.folder, names)
        lines = [str(path) for path in paths.values()]
        lines += [f"{name}: not drawn: {why}" for name, why in reasons.items()]
        return "\n".join(lines)

    return make


def _table_1(drawn: Drawn) -> str:
    return _written(drawn, "table_1", tables.probe(drawn.finished))


def _figure_5(drawn: Drawn) -> str:
    path = drawn.folder / "swaps.png"
    pictures.draw_swaps(drawn.finished, path, drawn.pairs)
    try:
        rates = _written(drawn, "swaps", tables.swap_rates(drawn.finished))
    except NotDrawnError as reason:  # but --pairs could be swapped
        rates = f"no rates: {reason}"
    return f"{path}\n{rates}"


def _table_2(drawn: Drawn) -> str:
    settings = drawn.whole.settings()
    results, assignments = {}, {}
    for i, folder in enumerate(drawn.whole.of_each_seed(settings)):
        if folder.results.exists():  # else it diverged, or is not at its end
            seed = settings.seed + i
            results[seed] = json.loads(folder.results.read_text())
            assignments[seed] = np.load(folder.assignments)
    if not results:
        raise NotDrawnError(
            "no seed has a results.json: train to the end, or give "
            "experiments/evaluate.py this --workdir"
        )
    found = summary.summarise(results, assignments)
    if not found.scores:
        raise NotDrawnError("these examples have no labels")
    dataset = drawn.finished.run.dataset.spec.name
    return _written(drawn, "table_2", tables.accuracies(dataset, found))


def _diversity(drawn: Drawn) -> str:
    rows = tables.diversity(drawn.finished)
    return _written(drawn, "diversity", tables.format_diversity(rows))


def _written(drawn: Drawn, name: str, table: str) -> str:
    path = drawn.folder / f"{name}.md"
    path.write_text(f"{table}\n")
    return f"{path}\n{table}"


MAKERS: dict[str, Callable[[Drawn], str]] = {
    "figure_4": _pictures("clusters", "all_clusters"),
    "table_1": _table_1,
    "figure_5": _figure_5,
    "table_2": _table_2,
    "figure_6": _pictures("samples", "all_samples"),
    "grid": _pictures("grid"),
    "traversals": _pictures("traversals"),
    "diversity": _diversity,
}


if __name__ == "__main__":
    app.run(main)
