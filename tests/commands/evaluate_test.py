# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores that are printed are those that a report writes."""

import json
import re

import pytest

from tests.commands.calls import adopted, call

pytestmark = pytest.mark.slow


def test_evaluate_prints_what_report_writes_and_writes_nothing():
    workdir = adopted().workdir

    def files():
        return {
            path: path.stat().st_mtime_ns
            for path in workdir.path.rglob("*")
            if path.is_file()
        }

    before = files()
    printed = adopted().call("evaluate")
    assert files() == before
    # Report says the same, and then what it has written.
    assert adopted().call("report").startswith(printed.rstrip())
    assert workdir.report.exists()
    assert (workdir.figures / "clusters.png").exists()
    results = json.loads(workdir.results.read_text())
    assert f"{results['n_examples']} held-out examples" in printed
    bound = results["terms"]["mixture_bound"]
    assert re.search(rf"(?m)^mixture bound M +{bound:.2f}$", printed)
    for score in results["scores"]:
        row = f"Facet {score['facet']}, K = {score['n_components']} .* "
        cell = re.escape(f"{100 * score['many_to_one']:.1f}")
        assert re.search(rf"(?m)^{row}{cell} ", printed)


def test_no_best_checkpoint_was_told():
    at = f"--workdir={adopted().workdir.path}"
    assert "no checkpoint" in call("evaluate", at, "--best").error()


@pytest.mark.parametrize("name", ["evaluate", "report"])
def test_no_run(tmp_path, name):
    done = call(name, f"--workdir={tmp_path}")
    assert done.error().startswith("no run in workdir")
