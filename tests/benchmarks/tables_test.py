# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of benchmarks/README.md have the numbers of the CSV files."""

import csv

from tests.scripts import ROOT


def test_tables_of_the_page_are_the_files():
    lines = (ROOT / "benchmarks" / "README.md").read_text().splitlines()
    cells = [
        [cell.strip("* ") for cell in line.split("|")[1:-1]]
        for line in lines
        if line.startswith("|") and not line.startswith("|---")
    ]
    stored = []
    for path in (ROOT / "docs" / "results" / "benchmarks").glob("*.csv"):
        with path.open(newline="") as file:
            stored += csv.reader(file)
    assert sorted(stored) == sorted(cells)
