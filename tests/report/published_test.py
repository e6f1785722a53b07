# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of the paper, against its tables, if the text is there."""

import pathlib
import re

import pytest

from mfcvae_jax.datasets import spec
from mfcvae_jax.report.published import ACCURACIES, PROBES

_PAPER = pathlib.Path(__file__).parents[3] / "shared" / "paper" / "mfcvae.md"
_needs_paper = pytest.mark.skipif(
    not _PAPER.is_file(), reason=f"no text of the paper in {_PAPER}"
)

# Columns of Table 1 from the left. Its header says "config. 2" of the floor
# colour, but it is configuration 1 that has floor colours.
_COLUMNS = (
    ("mnist", "digit"),
    ("shapes3d_floor", "shape"),
    ("shapes3d_floor", "floor_hue"),
    ("shapes3d_wall", "shape"),
    ("shapes3d_wall", "wall_hue"),
    ("svhn_cropped", "digit"),
)


def _values(text):
    """Numbers, each with its standard deviation if there is one."""
    found = re.findall(r"(\d+(?:\.\d+)?)(?: \((\d+\.\d+)\))?", text)
    return [(float(m), float(s) if s else None) for m, s in found]


def _rows(caption):
    """Rows of the table below a caption: first cell, and the others."""
    text = _PAPER.read_text().split(f"\n{caption}", 1)[1]
    rows = text.split("\n\n")[1].strip("\n").splitlines()
    return [(row.split("\t")[0], row.split("\t")[1:]) for row in rows[1:]]


def test_data_sets_and_labelings_exist():
    known = {
        (value.name, labeling.name)
        for value in vars(spec).values()
        if isinstance(value, spec.DatasetSpec)
        for labeling in value.labelings
    }
    assert {*ACCURACIES, *PROBES, *_COLUMNS} <= known


def test_every_row_says_which_accuracy_it_is():
    for rows in ACCURACIES.values():
        for row in rows:
            is_ours = row.method.startswith("MFCVAE")
            assert row.kind == ("many_to_one" if is_ours else "one_to_one")


@_needs_paper
def test_probes_are_table_1():
    by_input = [
        [_values(cell)[0] for cell in cells] for _, cells in _rows("Table 1:")
    ]
    columns = zip(*by_input, strict=True)
    assert dict(zip(_COLUMNS, columns, strict=True)) == PROBES


@_needs_paper
@pytest.mark.parametrize(
    ("column", "dataset"), [(0, "mnist"), (1, "svhn_cropped")]
)
def test_accuracies_are_table_2(column, dataset):
    wanted = [
        (name.split(" (")[0], "conv." in name, value)
        for name, cells in _rows("Table 2:")
        for value in _values(re.sub("<.*?>", "", cells[column]))
    ]
    found = [
        (row.method.split(" (")[0], "conv." in row.method, row.value)
        for row in ACCURACIES[dataset, "digit"]
    ]
    assert found == wanted


@_needs_paper
def test_accuracies_on_shapes_are_those_of_the_text():
    (sentence,) = re.findall(
        r"MFCVAE performs strongly on 3DShapes.*?configuration 2\.",
        _PAPER.read_text(),
    )
    numbers = re.findall(r"\$(\d+\.\d+)\\% \\pm (\d+\.\d+)\\%\$", sentence)
    where = [
        ("shapes3d_floor", "floor_hue"),
        ("shapes3d_floor", "shape"),
        ("shapes3d_wall", "wall_hue"),
        ("shapes3d_wall", "shape"),
    ]
    found = [ACCURACIES[at][0].value for at in where]
    assert found == [(float(mean), float(std)) for mean, std in numbers]
