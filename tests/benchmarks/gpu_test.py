# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The GPU's benchmark in the form that runs without one."""

import pytest

from mfcvae_jax.settings import Precision
from tests import scripts


@pytest.mark.slow
def test_each_precision_has_a_row_that_adds_up():
    flags = ["--models=mnist", "--seeds=2", "--rounds=1", "--steps=1"]
    done = scripts.run("benchmarks/gpu.py", *flags)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[:3] == "| m"]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert rows[0][0] == "model"
    assert [row[:3] for row in rows[1:]] == [
        ["mnist", precision.value, "2"] for precision in Precision
    ]
    for _, _, seeds, ms, steps, roofline, hours in rows[1:]:
        ms = float(ms.split()[0])
        assert float(steps) == pytest.approx(1000 * int(seeds) / ms, abs=0.51)
        # 402 epochs of 117 batches; no card is known, so no roofline.
        assert float(hours) == pytest.approx(402 * 117 * ms / 3.6e6, abs=0.006)
        assert not roofline
