# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The arms of a sweep beside each other, over training: the paper's App. E.1.

Each arm is a run of several seeds; what is compared is what they recorded.
"""

import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mfcvae_jax import figures
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.figures import records as records_lib
from mfcvae_jax.report import markdown
from mfcvae_jax.workdir import Workdir

__all__ = ["Arm", "accuracies", "draw_accuracies", "end_table", "read_arms"]

_N_PANELS = 8  # of a picture
_MEASURES = ("many_to_one", "one_to_one", "nmi")


class Arm(NamedTuple):
    """The records of one arm."""

    name: str  # what sets it apart from the other arms
    settings: settings_lib.Settings  # of all its seeds
    # By seed, those of the held-out split, oldest first.
    records: dict[int, list[dict[str, Any]]]


def read_arms(folder: pathlib.Path) -> tuple[tuple[Arm, ...], tuple[str, ...]]:
    """Reads the arms of a sweep from the folder of experiments/sweep.py.

    Returns:
        The arms that recorded anything, and a line on each seed that did not,
        or that diverged.

    Raises:
        FileNotFoundError: if there is no run in the folder.
        ValueError: if the arms are of several data sets, or of one without
            labels.
    """
    configs = sorted(folder.glob("*/config.json"))
    if not configs:
        raise FileNotFoundError(
            f"no runs in {folder}: train them with experiments/sweep.py"
        )
    arms, missing = [], []
    for path in configs:
        home = Workdir(path.parent)
        settings = home.settings()
        records = {}
        for seed, at in home.by_seed(settings).items():
            of_seed = [r for r in at.records() if r["split"] == "test"]
            why = at.why_given_up()
            if not why and len(of_seed) > 1:
                records[seed] = of_seed
            elif why != "was not kept":
                missing.append(f"{at.path}: {why or 'nothing recorded yet'}")
        if records:
            arms.append(Arm(home.path.name, settings, records))
    data = {(arm.settings.data.name, arm.settings.data.path) for arm in arms}
    if len(data) > 1:
        names = sorted(" ".join(filter(None, of_arm)) for of_arm in data)
        raise ValueError(
            f"expected the arms in {folder} to be of one data set, found "
            f"{', '.join(names)}: compare them in folders of their own"
        )
    if arms and not _labelings(arms):
        raise ValueError(
            f"the examples of the runs in {folder} have no labels, so there "
            "are no accuracies to compare"
        )
    described = {_describe(arm.settings): arm for arm in arms}
    if len(described) == len(arms):
        arms = [arm._replace(name=name) for name, arm in described.items()]
    return tuple(arms), tuple(missing)


def draw_accuracies(
    arms: Sequence[Arm], folder: pathlib.Path
) -> list[pathlib.Path]:
    """Draws many-to-one accuracy over training; returns the paths.

    One picture a labeling, and more if arms and facets are too many for one.
    """
    paths = []
    for labeling in _labelings(arms):
        panels = [
            _curves(arm, facet, labeling)
            for arm in arms
            for facet in range(len(arm.settings.facets))
        ]
        ylabel = f"many-to-one accuracy, {labeling}"
        for first in range(0, len(panels), _N_PANELS):
            number = f"_{first // _N_PANELS + 1}" if first else ""
            path = folder / f"accuracy_{labeling.replace('/', '_')}{number}.png"
            some = panels[first : first + _N_PANELS]
            figures.accuracy_over_training(some, path, ylabel=ylabel)
            paths.append(path)
    return paths


def accuracies(arms: Sequence[Arm]) -> Iterator[dict[str, Any]]:
    """Yields a row for each seed, record, facet and labeling, oldest first.

    It has arm, seed, epoch, facet, labeling and the measures, in [0, 1].
    """
    for arm in arms:
        facets = range(len(arm.settings.facets))
        for seed, records in arm.records.items():
            for record, j, labeling in itertools.product(
                records, facets, _labelings(arms)
            ):
                at = {
                    "arm": arm.name,
                    "seed": seed,
                    "epoch": round(record["epoch"], 2),
                    "facet": j,
                    "labeling": labeling,
                }
                yield at | {
                    name: round(record[f"{name}/{j}/{labeling}"], 4)
                    for name in _MEASURES
                }


def end_table(arms: Sequence[Arm]) -> str:
    """Tells where accuracies end: in %, mean (sample deviation) over seeds."""
    rows = []
    for arm in arms:
        ends = [of_seed[-1] for of_seed in arm.records.values()]
        for j, k in enumerate(arm.settings.facets.n_components):
            n_used = np.mean([end[f"clusters/{j}"] for end in ends])
            for labeling in _labelings(arms):
                scores = [
                    markdown.percent([r[f"{n}/{j}/{labeling}"] for r in ends])
                    for n in _MEASURES
                ]
                where = (arm.name, f"{j}, K = {k}", labeling)
                rows.append((*where, *scores, f"{n_used:.1f}", len(ends)))
    scores = ["many-to-one, %", "one-to-one, %", "NMI, %"]
    header = ("arm", "facet", "labeling", *scores, "clusters in use", "seeds")
    return markdown.table(header, rows)


def _describe(settings: settings_lib.Settings) -> str:
    """What App. E.1 varies: the net, and how the facets come in."""
    nets = {
        settings_lib.SharedEncoder: "one encoder",
        settings_lib.SeparateEncoders: "an encoder each",
    }
    net = nets.get(type(settings.net), "ladder")
    is_progressive = len(settings.progressive.stage_epochs) > 1
    return f"{net}, {'progressive' if is_progressive else 'all at once'}"


def _labelings(arms: Sequence[Arm]) -> tuple[str, ...]:
    return records_lib.find_labelings(next(iter(arms[0].records.values())))


def _curves(arm: Arm, facet: int, labeling: str) -> figures.Arm:
    """The accuracy of one facet, NaN where a seed has no record."""
    epochs = sorted({r["epoch"] for rs in arm.records.values() for r in rs})
    key = f"many_to_one/{facet}/{labeling}"
    seeds = [{r["epoch"]: r[key] for r in rs} for rs in arm.records.values()]
    values = np.array([[s.get(e, np.nan) for e in epochs] for s in seeds])
    starts = np.cumsum(arm.settings.progressive.stage_epochs)[:-1]
    name = f"{arm.name}: facet {facet}"
    enters = tuple(map(float, starts))
    return figures.Arm(name, np.array(epochs), values, enters)
