# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores that are printed are those that a report writes."""

import json
import re

import pytest

from tests.commands.calls import Untrained, call


@pytest.mark.slow
class EvaluateAndReportTest(Untrained):
    def test_evaluate_prints_what_report_writes_and_writes_nothing(self):
        def files():
            return {
                path: path.stat().st_mtime_ns
                for path in self.workdir.path.rglob("*")
                if path.is_file()
            }

        before = files()
        printed = self.call("evaluate").out
        self.assertEqual(files(), before)
        # Report says the same, and then what it has written.
        self.assertStartsWith(self.call("report").out, printed.rstrip())
        self.assertTrue(self.workdir.report.exists())
        self.assertTrue((self.workdir.figures / "clusters.png").exists())
        results = json.loads(self.workdir.results.read_text())
        self.assertIn(f"{results['n_examples']} held-out examples", printed)
        bound = results["terms"]["mixture_bound"]
        self.assertRegex(printed, rf"(?m)^mixture bound M +{bound:.2f}$")
        for score in results["scores"]:
            row = f"Facet {score['facet']}, K = {score['n_components']} .* "
            cell = re.escape(f"{100 * score['many_to_one']:.1f}")
            self.assertRegex(printed, rf"(?m)^{row}{cell} ")

    def test_no_best_checkpoint_was_told(self):
        done = call("evaluate", f"--workdir={self.workdir.path}", "--best")
        self.assertEqual(done.code, 2)
        self.assertIn("no checkpoint", done.err)

    def test_no_run(self):
        for name in ("evaluate", "report"):
            done = call(name, f"--workdir={self.folder}")
            self.assertEqual(done.code, 2)
            self.assertStartsWith(done.err, "error: no run in workdir")
