# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The study of the recipe: its arms, and its file."""

import dataclasses

import numpy as np
import pytest

from mfcvae_jax.datasets import reader
from mfcvae_jax.report import csv_rows, study
from tests import scripts

recipe = scripts.load("recipe")


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
    assert sorted(map(bytes, both)) == sorted(map(bytes, whole.train.images))


@pytest.mark.slow
def test_seeds_are_trained_once_and_read_again(tmp_path):
    n_seeds = 2
    arm = recipe.arms("digits_tinted", {})["price"]  # has no warm-ups
    short = dataclasses.replace(arm.progressive, stage_epochs=(1, 1))
    group = recipe.of_seeds(
        dataclasses.replace(arm, progressive=short), n_seeds
    )
    path = tmp_path / "r.csv"
    what = {"data": "digits_tinted", "arm": "small", "images": "held back"}
    what |= {"device": "cpu", "seed": "0"}
    assert not study.has(path, what)
    of_seeds = recipe.train(group, reader.load("digits_tinted"))
    assert len(of_seeds) == n_seeds
    for seed, rows in enumerate(of_seeds):
        study.append(path, what | {"seed": str(seed)}, rows)
    assert study.has(path, what)
    assert not study.has(path, what | {"seed": str(n_seeds)})
    found = [
        float(row["many_to_one"])
        for row in csv_rows.read(path)
        if (row["facet"], row["labeling"]) == ("1", "hue")
    ]
    assert len(set(found)) == n_seeds
    assert all(0.2 <= share <= 1 for share in found)
    lines = study.table(csv_rows.read(path)).splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert {row[5] for row in cells[2:]} == {str(n_seeds)}
    assert [row[6] for row in cells[2:]] == ["digit", "hue", "facet 0 and 1"]
