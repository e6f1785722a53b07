# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The study of the recipe: its arms, and how facets are matched."""

import itertools
import pathlib
import re
import statistics
import sys

import numpy as np
import pytest
from absl import flags

from mfcvae_jax import config as config_lib
from mfcvae_jax.datasets import reader

# The experiments are commands, not a package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "experiments"))
_ROOT = pathlib.Path(__file__).parents[2]
_CONFIGS = _ROOT / "experiments" / "configs"
_BEFORE = set(flags.FLAGS)
import recipe  # noqa: E402

# Flags are the process's: other tests parse scripts with flags of these names.
for _name in set(flags.FLAGS) - _BEFORE:
    delattr(flags.FLAGS, _name)


@pytest.mark.parametrize("data", recipe.ARMS)
def test_arms_differ_in_what_is_studied(data):
    found = recipe.arms(data, {})
    assert len({str(settings) for settings in found.values()}) == len(found)
    for settings in found.values():
        runs = recipe.of_seeds(settings, 3)
        assert len(runs) == 3
        starts = [seed for run in runs for seed in run.of_each_seed]
        assert len({start.seed for start in starts}) == 3 * settings.n_init


def test_held_back_images_are_not_trained_on():
    whole = reader.load("digits")
    part = recipe.held_back(whole)
    n = len(whole.train.images)
    assert len(part.test.images) == n // 5
    assert len(part.train.images) == n - n // 5
    both = np.concatenate([part.train.images, part.test.images])
    key = lambda images: sorted(image.tobytes() for image in images)  # noqa: E731
    assert key(both) == key(whole.train.images)


def test_each_labeling_gets_a_facet_of_its_own_at_the_largest_sum():
    rng = np.random.default_rng(0)
    for n_facets, n_labelings in ((3, 3), (4, 2), (1, 1)):
        nmi = rng.random((n_facets, n_labelings))
        found = recipe.own_facets(nmi)
        assert len(set(found)) == n_labelings
        best = max(
            sum(nmi[j, m] for m, j in enumerate(choice))
            for choice in itertools.permutations(range(n_facets), n_labelings)
        )
        np.testing.assert_allclose(nmi[found, range(n_labelings)].sum(), best)
    more = np.array([[0.1, 0.5, 0.3], [0.4, 0.2, 0.1]])
    assert recipe.own_facets(more).tolist() == [1, 0, 0]


@pytest.mark.slow
def test_a_seed_is_trained_once_and_read_again(tmp_path):
    (settings,) = recipe.of_seeds(
        config_lib.from_config(
            config_lib.changed(
                config_lib.load(_CONFIGS / "digits_tinted.py").to_dict(),
                {
                    "progressive.stage_epochs": (1, 1),
                    "progressive.warm_up_epochs": (),
                    "evaluate.every_epochs": 10,
                },
            )
        ),
        1,
    )
    rows = recipe.train(settings, reader.load("digits_tinted"))
    what = {"data": "digits_tinted", "arm": "small", "images": "held back"}
    recipe.append(tmp_path / "r.csv", [what | {"seed": "0"} | r for r in rows])
    (found,) = [
        row
        for row in recipe.read(tmp_path / "r.csv")
        if (row["facet"], row["labeling"]) == ("1", "hue")
    ]
    assert 0.2 <= float(found["many_to_one"]) <= 1
    lines = recipe.table(recipe.read(tmp_path / "r.csv")).splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert [row[5] for row in cells[2:]] == ["digit", "hue", "facet 0 and 1"]


def test_table_takes_the_mean_of_the_own_facet_over_seeds():
    what = {"data": "d", "arm": "a", "images": "test", "cpu_seconds": "9"}

    def row(seed, facet, labeling, nmi, many_to_one=""):
        scores = {"nmi": nmi, "many_to_one": many_to_one}
        scores |= {"one_to_one": "", "ari": ""}
        place = {"seed": seed, "facet": facet, "labeling": labeling}
        return what | place | scores

    rows = [
        row("0", "0", "x", "0.1", "0.2"),
        row("0", "1", "x", "0.5", "0.8"),
        row("1", "0", "x", "0.7", "0.9"),
        row("1", "1", "x", "0.3", "0.4"),
        row("0", "1", "facet 0", "0.05"),
        row("1", "1", "facet 0", "0.15"),
    ]
    lines = recipe.table(rows).splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    std = statistics.stdev([50, 70])
    assert cells[0][4:10] == [
        *("2", "x", "0 or 1"),
        f"85.0 ({statistics.stdev([80, 90]):.1f})",
        "",
        f"60.0 ({std:.1f})",
    ]
    assert cells[0][11] == "50.0"
    assert cells[1][5] == "facet 0 and 1" and cells[1][9].startswith("10.0")


def test_pages_have_the_numbers_of_the_committed_file():
    rows = recipe.read(_ROOT / "docs" / "results" / "recipe.csv")
    results = (_ROOT / "docs" / "results.md").read_text()
    assert recipe.table(rows) in results
    readme = (_ROOT / "README.md").read_text()
    section = readme.split("## Results")[1].split("\n## ")[0]
    rivals = (_ROOT / "docs" / "rivals.md").read_text()
    numbers = re.findall(r"\d+\.\d \(\d+\.\d\)", section)
    assert numbers
    of_rivals = {
        f"{float(mean):.1f} ({float(std):.1f})"
        for mean, std in re.findall(r"(\d+\.\d+) \((\d+\.\d+)\)", rivals)
    }
    for number in numbers:
        assert number in results or number in of_rivals, number
