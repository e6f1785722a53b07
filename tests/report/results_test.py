# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a result, against the numbers that went in; and through JSON."""

import json
from unittest import mock

import numpy as np
import pytest

from mfcvae_jax.report import results


def example(n_facets=2, seed=0, labelings=("digit", "hue")):
    """Results with all numbers at random."""
    rng = np.random.default_rng(seed)
    shared = rng.random((2, n_facets, n_facets))
    shared += shared.swapaxes(1, 2)
    counts = rng.integers(1, 9, (2, n_facets)).tolist()
    terms = {"mixture_bound": -80.5, "mean_field_bound": -81.0}
    terms["log_p_x_z"] = -70.0
    for j in range(n_facets):
        for name in ("gap", "kl_z", "kl_c"):
            terms[f"{name}/{j}"] = float(rng.normal())

    def fractions(*names):
        return {name: float(rng.random()) for name in names}

    return results.Results(
        step=20,
        split="test",
        n_examples=120,
        terms=terms,
        scores=[
            {"facet": j, "n_components": 9, "labeling": name, "n_classes": 3}
            | fractions("many_to_one", "one_to_one", "balanced")
            | fractions("nmi", "ari", "majority")
            for j in range(n_facets)
            for name in labelings
        ],
        diversity=[
            fractions("kept", "spread", "spread_of_inputs")
            | {"reach": rng.random(n_facets).tolist()}
            for _ in range(n_facets)
        ],
        measures={
            "mutual_information_nats": shared[0].tolist(),
            "normalised_mutual_information": shared[1].tolist(),
            "clusters_in_use": counts[0],
            "effective_clusters": rng.random(n_facets).tolist(),
            "clusters_needed": counts[1],
        },
    )


def test_every_number_has_one_row():
    found = example()
    rows = {
        (row.measure.name, row.facet, row.labeling): row for row in found.rows()
    }
    assert len(rows) == len(list(found.rows()))
    normalised = found.measures["normalised_mutual_information"]
    for (name, facet, labeling), value in {
        ("mixture_bound", "", ""): -80.5,
        ("gap", "1", ""): found.terms["gap/1"],
        ("clusters_needed", "0", ""): found.measures["clusters_needed"][0],
        ("redundancy", "0, 1", ""): normalised[1][0],
        ("reach", "1", "facet 0"): found.diversity[1]["reach"][0],
        ("nmi", "1", "hue"): found.scores[3]["nmi"],
    }.items():
        assert rows[name, facet, labeling].value == value
    n_numbers = 3 + 2 * 6 + 2 + 2 * (3 + 2) + 4 * 6
    assert len(rows) == n_numbers
    assert rows["gap", "1", ""].label == "-log Z, facet 1, nats"
    shared = rows["redundancy", "0, 1", ""].label
    assert shared == "redundancy of facets 0 and 1, %"
    kept = rows["kept", "0", ""]
    assert kept.label == "kept by samples, facet 0, %"
    assert kept.shown == 100 * kept.value


def test_tables_show_all_rows_once():
    found = example()
    tables = found.tables()
    cells = [cell for table in tables for row in table.rows for cell in row]
    n_heads = sum(table.n_heads * len(table.rows) for table in tables)
    assert len(cells) - n_heads == len(list(found.rows()))
    _, facets, pairs, samples, scores = tables
    assert facets.header[:2] == ("facet", "gap")
    assert facets.rows[1][1] == f"{found.terms['gap/1']:.2f}"
    assert facets.rows[1][4] == str(found.measures["clusters_in_use"][1])
    assert pairs.rows[0][0] == "Facets 0 and 1"
    assert samples.header[-2:] == ("reach in facet 0", "reach in facet 1")
    assert samples.rows[0][-1] == f"{100 * found.diversity[0]['reach'][1]:.1f}"
    assert scores.rows[1][:2] == ("Facet 0, K = 9", "hue (3)")
    bare = example(1, labelings=()).tables()  # neither pairs nor scores
    assert [len(table.rows) for table in bare] == [1, 1, 1]


def test_json_and_back():
    found = example()
    plain = json.loads(json.dumps(found.to_json()))
    assert results.Results.from_json(plain) == found
    assert plain["clusters_needed"] == found.measures["clusters_needed"]
    del plain["clusters_needed"]  # before this number came in
    rows = results.Results.from_json(plain).rows()
    names = {row.measure.name for row in rows}
    assert "clusters_needed" not in names
    assert "clusters_in_use" in names
    del plain["diversity"], plain["scores"]
    with pytest.raises(
        results.OldResultsError, match="scores, diversity: .* report"
    ):
        results.Results.from_json(plain)


def test_a_number_of_the_whole_run_that_is_found_has_its_row():
    found = example()._replace(measures={"mine": 3.5})
    measure = results.Measure(results.BOUNDS, "mine", find=lambda _: 3.5)
    with mock.patch.object(results, "MEASURES", [measure]):
        (row,) = found.rows()
    assert (row.label, row.value) == ("mine", 3.5)
