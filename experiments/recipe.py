# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Studies the recipe: warm-ups, fitted priors, price, views and restarts.

    python experiments/recipe.py --data=digits
    python experiments/recipe.py --data=nrletters --path=nrletters.npz

Trains parts on their own and together, or the arms that --arms names, and adds
a row for each seed, facet and labeling to --csv; what is there already is not
trained again. docs/results/recipe.csv is such a file, and docs/results.md shows
its table. Scores are of a fifth of the training images, which is held back from
training; settings were chosen by these. --final trains on all training images
and scores the test images. On a GPU or TPU, --at_once trains the seeds of an
arm in one program; their seconds are then an equal part of what it took.

For each labeling a facet of its own is chosen, seed by seed, so that the sum of
NMI is largest; if there are more labelings than facets, the facet of the
largest NMI.
"""

import dataclasses
import pathlib
import time
from typing import Any

import jax
import numpy as np
from absl import flags

from mfcvae_jax import config as config_lib
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Dataset, Split
from mfcvae_jax.evaluation import redundancy
from mfcvae_jax.report import csv_rows, study
from mfcvae_jax.settings import Settings
from mfcvae_jax.training import loop, recording, runs

_CONFIGS = pathlib.Path(__file__).parent / "configs"
# Deepest facet first.
_WARM = "progressive.warm_up_epochs"
_STAGES = "progressive.stage_epochs"
_PRICE = "progressive.redundancy_price"
_VIEW = "facets.view"
_ONE_FACET: dict[str, Any] = {
    "facets.latent_dim": (16,),
    "facets.covariance": ("full",),
    "train.batch_size": 64,
    _STAGES: (200,),
}
_ONE_WARM_FACET = _ONE_FACET | {_WARM: (100,)}
_NEITHER: dict[str, Any] = {_WARM: (), _PRICE: 0.0}
_ONE_START = {"n_init": 1}
_SCENES = {
    "neither": _NEITHER | _ONE_START,
    "both": _ONE_START,
    "both, four starts": {},
}

# Of each data set its arms: what they change in its config, which has its name
# unless "config" says otherwise.
ARMS: dict[str, dict[str, dict[str, Any]]] = {
    "digits": {
        f"K = {k}, {name}": changes
        | {"facets.n_components": (k,), "config": "published/digits_vade"}
        for k in (10, 25)
        for name, changes in {
            "published": {},
            "16 dimensions, full": _ONE_FACET,
            "... and a warm-up": _ONE_WARM_FACET,
            "... and four starts": _ONE_WARM_FACET | {"n_init": 4},
        }.items()
    },
    "digits_tinted": {
        "neither": _NEITHER,
        "price": {_WARM: ()},
        "warm-ups": {_PRICE: 0.0},
        "both": {},
        "both, 1 dimension for the hue": {"facets.latent_dim": (16, 1)},
    },
    "nrletters": {
        "neither": _NEITHER | _ONE_START,
        "price": {_WARM: ()} | _ONE_START,
        "warm-ups": {_PRICE: 0.0} | _ONE_START,
        "both": _ONE_START,
        "both, 3 dimensions": {"facets.latent_dim": (3, 3, 3)} | _ONE_START,
        "both, shorter warm-ups": {
            _WARM: (8, 3, 3),
            _STAGES: (14, 9, 15),
            "progressive.fade_in_steps": 100,
            "n_init": 1,
        },
        "both, longer warm-ups": {
            _WARM: (8, 8, 8),
            _STAGES: (14, 14, 20),
            "progressive.fade_in_steps": 248,
            "n_init": 1,
        },
        "both, five starts": {},
        "both, five starts, K = 6, 4, 3": {"facets.n_components": (3, 4, 6)},
        "both, data-dependent initialisation": {
            "train.data_dependent_init": True
        }
        | _ONE_START,
    },
    "mnist": {
        "one facet, no view": {"config": "mnist_vade"},
        "two facets, no view": {_VIEW: ()},
        "two facets, a view, no price": {_PRICE: 0.0},
        "two facets, a view, no warm-ups": {_WARM: ()},
        "two facets, a view": {},
        "two facets, a view, K = 25, 10": {"facets.n_components": (25, 10)},
    },
    "shapes3d_rendered_floor": _SCENES,
    "shapes3d_rendered_wall": _SCENES
    | {
        f"both, a price of {price}": {_PRICE: float(price)} | _ONE_START
        for price in (20, 60, 600)
    },
    "sprites": {"neither": _NEITHER, "both": {}},
}

_DATA = flags.DEFINE_enum("data", "digits", list(ARMS), "Which.")
_PATH = flags.DEFINE_string("path", "", "The file of nrletters or sprites.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Where TFDS data lie.")
_ARMS = flags.DEFINE_list("arms", [], "Which arms, by number from 1; or all.")
_N_SEEDS = flags.DEFINE_integer("n_seeds", 5, "Seeds per arm.", 1)
_CSV = flags.DEFINE_string("csv", "runs/recipe.csv", "Where results go.")
_FINAL = flags.DEFINE_bool("final", False, "Score the test images.")
_AT_ONCE = flags.DEFINE_bool("at_once", False, "All seeds in one program.")


def _run() -> int:
    where = {"data.path": _PATH.value} if _PATH.value else {}
    if _DATA_DIR.value:
        where["data.data_dir"] = _DATA_DIR.value
    path = pathlib.Path(_CSV.value)
    images = "test" if _FINAL.value else "held back"
    for i, (name, settings) in enumerate(arms(_DATA.value, where).items(), 1):
        if _ARMS.value and str(i) not in _ARMS.value:
            continue
        data = settings.data
        dataset = reader.load(data.name, data.data_dir, data.path)
        if not _FINAL.value:
            dataset = held_back(dataset)
        what = {"data": _DATA.value, "arm": name, "images": images}
        what["device"] = jax.devices()[0].device_kind
        missing = [
            one
            for one in of_seeds(settings, _N_SEEDS.value)
            if not study.has(path, what | {"seed": _number(one)})
        ]
        at_once = _AT_ONCE.value and settings.n_init == 1
        for group in [missing] if at_once else [[one] for one in missing]:
            for one, rows in zip(group, train(group, dataset), strict=True):
                study.append(path, what | {"seed": _number(one)}, rows)
    found = csv_rows.read(path)
    print(study.table(row for row in found if row["data"] == _DATA.value))
    return 0


def arms(data: str, where: dict[str, Any]) -> dict[str, Settings]:
    """Returns the settings of all arms; ``where`` says where the data lie."""
    found = {}
    for name, changes in ARMS[data].items():
        asked = {"evaluate.every_epochs": 10**6} | where | changes
        config = asked.pop("config", data)
        base = config_lib.load(_CONFIGS / f"{config}.py").to_dict()
        found[name] = config_lib.from_config(config_lib.changed(base, asked))
    return found


def of_seeds(settings: Settings, n_seeds: int) -> list[Settings]:
    """Returns the same run for each seed, with starts of its own."""
    return [
        dataclasses.replace(settings, seed=i * settings.n_init)
        for i in range(n_seeds)
    ]


def held_back(dataset: Dataset) -> Dataset:
    """Returns a data set whose test split is a fifth of the training split."""
    images, labels = dataset.train
    order = np.random.RandomState(0).permutation(len(images))
    n = len(images) // 5
    test, train = (
        Split(images[np.sort(rows)], labels[np.sort(rows)])
        for rows in (order[:n], order[n:])
    )
    return Dataset(dataset.spec, train=train, test=test)


def train(
    group: list[Settings], dataset: Dataset
) -> list[list[dict[str, Any]]]:
    """Trains consecutive seeds of ``of_seeds``; returns the rows of each.

    Several, which must be of one start each, are trained in one program.
    """
    if not group:
        return []
    first, n = group[0], len(group)
    settings = first if n == 1 else dataclasses.replace(first, n_seeds=n)
    cpu, wall = time.process_time(), time.perf_counter()
    _, of_starts = loop.train(
        runs.run_on(settings, dataset), recording.Recorder()
    )
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return [
        study.rows(
            scored.scores,
            redundancy.facet_redundancy(
                scored.predictions.assignments, settings.facets.n_components
            ).normalised,
            cpu_seconds=cpu / n,
            wall_seconds=wall / n,
        )
        for scored in of_starts
        if scored is not None  # of several starts, one is kept
    ]


def _number(settings: Settings) -> str:
    return str(settings.seed // settings.n_init)


if __name__ == "__main__":
    running.script(_run, is_quiet=True)
