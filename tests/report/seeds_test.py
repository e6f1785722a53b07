# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several seeds summed up: against NumPy, and labels never choose."""

import json
import math

import numpy as np
import pytest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.report import seeds
from mfcvae_jax.report.results import OldResultsError
from tests.report.results_test import example

# The best bound has the worst accuracy.
_ACCURACIES = {4: 0.5, 7: 0.9, 8: 0.75}
_BOUNDS = {4: -80.0, 7: -95.0, 8: -90.0}


def _results(labelings=("digit",)):
    found = {seed: example(seed=seed, labelings=labelings) for seed in _BOUNDS}
    for seed, bound in _BOUNDS.items():
        found[seed].terms["mixture_bound"] = bound
        for score in found[seed].scores:
            score["many_to_one"] = _ACCURACIES[seed]
    return found


def _assignments():
    """The seeds agree in the first facet and not in the second."""
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 5, 300)
    return {
        seed: np.stack([clusters, rng.integers(0, 5, 300)], axis=-1)
        for seed in _BOUNDS
    }


def test_mean_and_sample_deviation_and_the_bound_chooses():
    results = _results()
    found = seeds.summarise(results, _assignments())
    assert found.seeds == (4, 8, 7)
    values = 100 * np.array(list(_ACCURACIES.values()))
    np.testing.assert_allclose(
        found.scores[1, 9, "digit"]["many_to_one"],
        (values.mean(), values.std(ddof=1), 50, 90),
    )
    bound = found.numbers["M, nats"]
    assert (bound.best, bound.worst) == (-80.0, -95.0)
    np.testing.assert_allclose(found.stability, (1, 0), atol=0.02)
    gaps = [of_seed.terms["gap/1"] for of_seed in results.values()]
    assert found.numbers["-log Z, facet 1, nats"].mean == pytest.approx(
        np.mean(gaps)
    )
    kept = found.numbers["kept by samples, facet 0, %"]
    assert kept.best == 100 * results[4].diversity[0]["kept"]


def test_tables_and_json_say_the_same():
    found = seeds.summarise(_results(), _assignments())
    numbers, scores = seeds.tables(found)
    assert numbers.header[2:] == ("seed 4, best bound", "seed 7, worst bound")
    assert numbers.rows[0] == ("M, nats", "-88.33 (7.64)", "-80.00", "-95.00")
    assert "agreement of the seeds in facet 0" in numbers.rows[-2][0]
    assert scores.rows[1][:3] == ("Facet 1, K = 9", "digit", "71.7 (20.2)")
    again = json.loads(json.dumps(seeds.to_json(found)))
    assert again["seeds"] == [4, 8, 7]
    assert again["scores"][0]["many_to_one"]["best"] == 50.0
    assert again["numbers"]["M, nats"]["worst"] == -95.0


def test_one_seed_has_no_deviation_and_no_agreement():
    found = seeds.summarise({4: _results()[4]}, {})
    assert math.isnan(found.numbers["M, nats"].std)
    assert found.stability == ()
    assert seeds.tables(found)[0].rows[0][1] == "-80.00"


def test_images_without_labels_have_no_table_of_scores():
    found = seeds.summarise(_results(labelings=()), _assignments())
    (table,) = seeds.tables(found)
    assert "clusters in use, facet 1" in {row[0] for row in table.rows}


def test_what_runs_left_is_read_and_an_older_version_named(tmp_path):
    results, assignments = _results(), _assignments()
    folders = {}
    for seed, found in results.items():
        folders[seed] = workdir_lib.Workdir(tmp_path / str(seed))
        folders[seed].path.mkdir()
        folders[seed].write_results(found.to_json())
        np.save(folders[seed].assignments, assignments[seed])
    assert seeds.read(folders) == seeds.summarise(results, assignments)
    plain = results[7].to_json()
    del plain["diversity"]
    folders[7].write_results(plain)
    with pytest.raises(OldResultsError, match="seed 7 .* mfcvae report"):
        seeds.read(folders)


def test_nothing_cannot_be_summed_up():
    with pytest.raises(ValueError, match="no results"):
        seeds.summarise({}, {})
