# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Studies the recipe: warm-ups with fitted priors, and a price on redundancy.

    python experiments/recipe.py --data=digits
    python experiments/recipe.py --data=digits_tinted
    python experiments/recipe.py --data=nrletters --path=nrletters.npz

Prints the tables of docs/recipe.md: each part on its own and together, all
seeds of an arm in one program. Scores are of a fifth of the training images,
which is held back from training; settings were chosen by these. --final trains
on all training images and scores the test images.

For each labeling a facet of its own is chosen, seed by seed, so that the sum of
NMI is largest.
"""

import pathlib
import time
from typing import Any

import numpy as np
from absl import app, flags, logging
from scipy import optimize

from mfcvae_jax import config as config_lib
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Dataset, Split
from mfcvae_jax.report import markdown
from mfcvae_jax.settings import Settings
from mfcvae_jax.training import loop, recording, runs

_CONFIGS = pathlib.Path(__file__).parent / "configs"
# Deepest facet first.
_WARM = "progressive.warm_up_epochs"
_STAGES = "progressive.stage_epochs"
_PRICE = "progressive.redundancy_price"
_ONE_FACET: dict[str, Any] = {
    "facets.latent_dim": (16,),
    "facets.covariance": ("full",),
    "train.batch_size": 64,
    _STAGES: (200,),
}
# data: config, and of each arm its changes.
ARMS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "digits": (
        "published/digits_vade.py",
        {
            f"K = {k}, {name}": changes | {"facets.n_components": (k,)}
            for k in (10, 25)
            for name, changes in {
                "published": {},
                "16 dimensions, full": _ONE_FACET,
                "... and a warm-up": _ONE_FACET | {_WARM: (100,)},
            }.items()
        },
    ),
    "digits_tinted": (
        "digits_tinted.py",
        {
            "neither": {_WARM: (), _PRICE: 0.0},
            "price": {_WARM: ()},
            "warm-ups": {_PRICE: 0.0},
            "both": {},
            "both, 1 dimension for the hue": {"facets.latent_dim": (16, 1)},
        },
    ),
    "nrletters": (
        "nrletters.py",
        {
            "neither": {_WARM: (), _PRICE: 0.0},
            "price": {_WARM: ()},
            "warm-ups": {_PRICE: 0.0},
            "both": {},
            "both, K = 6, 4, 3": {"facets.n_components": (3, 4, 6)},
            "both, 3 dimensions": {"facets.latent_dim": (3, 3, 3)},
        },
    ),
}

_DATA = flags.DEFINE_enum("data", "digits", list(ARMS), "Which.")
_PATH = flags.DEFINE_string("path", "", "The file of nrletters.")
_N_SEEDS = flags.DEFINE_integer("n_seeds", 5, "Seeds per arm.", 1)
_FINAL = flags.DEFINE_bool("final", False, "Score the test images.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    return running.exit_code(_study)


def _study() -> int:
    where = {"data.path": _PATH.value} if _PATH.value else {}
    rows: list[tuple[Any, ...]] = []
    for name, settings in arms(_DATA.value, _N_SEEDS.value, where).items():
        print(name, flush=True)
        rows += _train(name, settings)
    header = ("arm", "labeling", "many-to-one", "NMI", "worst NMI", "seconds")
    print("\n" + markdown.table(header, rows))
    return 0


def arms(data: str, n_seeds: int, where: dict[str, Any]) -> dict[str, Settings]:
    """Returns the settings of all arms of a data set, by name.

    Args:
        data: a key of ``ARMS``.
        n_seeds: of every arm.
        where: settings that say where the data lie.
    """
    config, changes = ARMS[data]
    base = config_lib.load(_CONFIGS / config).to_dict()
    asked = {"n_seeds": n_seeds, "evaluate.every_epochs": 10**6} | where
    return {
        name: config_lib.from_config(config_lib.changed(base, asked | of_arm))
        for name, of_arm in changes.items()
    }


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


def own_facets(nmi: np.ndarray) -> np.ndarray:
    """Gives each labeling a facet of its own.

    Args:
        nmi: of facets and labelings, shape (J, M), M <= J.

    Returns:
        The facet of each labeling, shape (M,), so that the sum is largest.
    """
    labelings, facets = optimize.linear_sum_assignment(-nmi.T)
    return facets[np.argsort(labelings)]


def _train(name: str, settings: Settings) -> list[tuple[Any, ...]]:
    """Trains an arm; returns a row for each labeling."""
    data = settings.data
    dataset = reader.load(data.name, data.data_dir, data.path)
    if not _FINAL.value:
        dataset = held_back(dataset)
    start = time.perf_counter()
    _, scored = loop.train(runs.run_on(settings, dataset), recording.Recorder())
    seconds = time.perf_counter() - start
    labelings = [labeling.name for labeling in dataset.spec.labelings]
    found = np.zeros((2, len(scored), len(labelings)))
    for i, of_seed in enumerate(scored):
        assert of_seed is not None  # a study of seeds that diverge is none
        scores = {
            (row["facet"], row["labeling"]): (row["many_to_one"], row["nmi"])
            for row in of_seed.scores
        }
        table = np.array(
            [
                [scores[j, labeling] for labeling in labelings]
                for j in range(len(settings.facets))
            ]
        )
        facets = own_facets(table[..., 1])
        found[:, i] = table[facets, np.arange(len(labelings))].T
    found *= 100
    return [
        (
            name,
            labeling,
            *(
                markdown.mean_std(v.mean(), v.std(ddof=1), 1)
                for v in found[:, :, m]
            ),
            f"{found[1, :, m].min():.1f}",
            f"{seconds:.0f}",
        )
        for m, labeling in enumerate(labelings)
    ]


if __name__ == "__main__":
    app.run(main)
