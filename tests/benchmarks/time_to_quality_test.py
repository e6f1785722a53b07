# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""When a method is near its last NMI for good, and the page that says so."""

from tests import scripts

time_to_quality = scripts.load("time_to_quality")
_DOCS = scripts.ROOT / "docs"


def test_a_method_is_near_when_it_is_no_longer_far():
    points = ((1, 0.50), (2, 0.79), (3, 0.60), (4, 0.785), (5, 0.80))
    about = {"method": "ours", "cache": "cached"}
    rows = [about | {"seconds": s, "nmi": nmi} for s, nmi in points]
    rows.append({"method": "k", "cache": "", "seconds": 7, "nmi": 0.3})
    _, _, *lines = time_to_quality.table(rows).splitlines()
    assert lines == [
        "| ours | cached | 80.0 | 4 | 5 |",
        "| k |  | 30.0 | 7 | 7 |",
    ]


def test_page_has_the_table_of_the_file():
    rows = scripts.results("time_to_quality")
    table = time_to_quality.table(rows)
    assert table in (_DOCS / "rivals.md").read_text()
    (axes,) = time_to_quality.draw(rows).axes
    assert len(axes.lines) == len(table.splitlines()) - 2
