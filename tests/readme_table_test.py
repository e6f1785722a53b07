# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The table of results in README.md has the numbers of the studies."""

import re
import statistics
from typing import NamedTuple

from mfcvae_jax.report import study
from tests.scripts import ROOT, results

_DOCS = ROOT / "docs"
_MEAN = re.compile(r"(?<![\d.])\d+\.\d \(\d+\.\d\)")


class _Row(NamedTuple):
    """What a row of README.md shows: scores of ours, and the other method.

    Seconds are those of ours on a CPU, whatever the device of the scores.
    """

    name: str
    data: str
    arm: str
    device: str
    other: str
    other_arm: str


_README = {
    ("digits in five hues", "25, 10"): _Row(
        "rivals",
        "digits_tinted",
        "recipe, K = 25, 10",
        "cpu",
        "NrKmeans",
        "nrkmeans, K = 25, 10",
    ),
    ("grey digits", "10"): _Row(
        "rivals",
        "digits",
        "recipe, K = 10",
        "cpu",
        "PCA and a mixture",
        "pca_gmm, K = 10",
    ),
    ("NRLetters", "10, 10, 10"): _Row(
        "recipe",
        "nrletters",
        "both, five starts",
        "cpu",
        "NrKmeans",
        "nrkmeans, K = 10, 10, 10",
    ),
    ("MNIST, a view", "25, 10"): _Row(
        "recipe",
        "mnist",
        "two facets, a view, K = 25, 10",
        "NVIDIA H200",
        "VaDE",
        "vade, K = 10",
    ),
    ("MNIST, a view", "25, 25"): _Row(
        "recipe",
        "mnist",
        "two facets, a view",
        "NVIDIA H200",
        "VaDE",
        "vade, K = 25",
    ),
    ("MNIST, one facet", "25"): _Row(
        "recipe",
        "mnist",
        "one facet, no view",
        "NVIDIA H200",
        "VaDE",
        "vade, K = 25",
    ),
    ("Sprites", "25, 25, 25"): _Row(
        "rivals",
        "sprites",
        "recipe_components, K = 25, 25, 25",
        "cpu",
        "NrKmeans",
        "nrkmeans, K = 25, 25, 25",
    ),
    ("rendered 3D Shapes", "60, 20"): _Row(
        "recipe",
        "shapes3d_rendered_floor",
        "both, four starts",
        "cpu",
        "NrKmeans",
        "nrkmeans, K = 60, 20",
    ),
}


def _of_table(name):
    """The table of a study: its rows by data, arm, device and labeling."""
    header, _, *lines = study.table(results(name)).splitlines()
    names, *cells = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (header, *lines)
    )
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    return {
        (row["data"], row["arm"], row["device"], row["labeling"]): row
        for row in rows
        if row["images"] == "test"
    }


def _seconds(name, data, arm):
    """The median of CPU seconds, of the device "cpu"."""
    of_seeds = {
        row["seed"]: float(row["cpu_seconds"])
        for row in results(name)
        if (row["data"], row["arm"]) == (data, arm)
        and (row["images"], row["device"]) == ("test", "cpu")
    }
    median = statistics.median(of_seeds.values())
    return f"{median:.0f}" if median >= 1 else f"{median:.1f}"


def test_rows_of_the_readme_are_those_of_the_studies():
    tables = {name: _of_table(name) for name in ("recipe", "rivals")}
    section = (ROOT / "README.md").read_text().split("## Results")[1]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    seen = set()
    for line in lines[2:]:
        what, clusters, labeling, many_to_one, nmi, other, seconds = (
            cell.strip() for cell in line.split("|")[1:-1]
        )
        if what:
            (key,) = (
                (name, sizes)
                for name, sizes in _README
                if what.startswith(name) and clusters == sizes
            )
            row = _README[key]
            seen.add(key)
            both = (
                _seconds(row.name, row.data, row.arm),
                _seconds("rivals", row.data, row.other_arm),
            )
            assert seconds == ", ".join(both), line
        column = labeling.replace(" ", "_")
        ours = tables[row.name][row.data, row.arm, row.device, column]
        if what:
            assert what.endswith(f" {ours['seeds']} seeds"), line
        assert (many_to_one, nmi) == (ours["many-to-one"], ours["NMI"]), line
        theirs = tables["rivals"][row.data, row.other_arm, "cpu", column]
        assert other == f"{row.other} {theirs['NMI']}", line
    assert seen == set(_README)


def test_means_beside_the_table_of_the_readme_are_in_the_pages():
    text = (ROOT / "README.md").read_text().split("## Results")[1]
    pages = (_DOCS / name for name in ("results.md", "rivals.md"))
    known = set(_MEAN.findall("".join(page.read_text() for page in pages)))
    found = _MEAN.findall(text.split("\n## ")[0])
    assert found
    assert not set(found) - known
