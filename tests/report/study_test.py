# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Studies: how facets are matched to labelings, and how seeds are summed up."""

import itertools
import statistics

import numpy as np

from mfcvae_jax.report import study


def test_each_labeling_gets_a_facet_of_its_own_at_the_largest_sum():
    rng = np.random.default_rng(0)
    for n_facets, n_labelings in ((3, 3), (4, 2), (1, 1)):
        nmi = rng.random((n_facets, n_labelings))
        found = study.own_facets(nmi)
        assert len(set(found)) == n_labelings
        best = max(
            sum(nmi[j, m] for m, j in enumerate(choice))
            for choice in itertools.permutations(range(n_facets), n_labelings)
        )
        np.testing.assert_allclose(nmi[found, range(n_labelings)].sum(), best)
    more = np.array([[0.1, 0.5, 0.3], [0.4, 0.2, 0.1]])
    assert study.own_facets(more).tolist() == [1, 0, 0]


def test_table_takes_the_mean_of_the_own_facet_over_seeds():
    what = {"data": "d", "arm": "a", "images": "test", "device": "cpu"}
    what["cpu_seconds"] = "9"

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
    lines = study.table(rows).splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    std = statistics.stdev([50, 70])
    assert cells[0][5:11] == [
        *("2", "x", "0 or 1"),
        f"85.0 ({statistics.stdev([80, 90]):.1f})",
        "",
        f"60.0 ({std:.1f})",
    ]
    assert cells[0][12] == "50.0"
    assert cells[1][6] == "facet 0 and 1" and cells[1][10].startswith("10.0")
