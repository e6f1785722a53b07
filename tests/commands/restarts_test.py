# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The commands on a run of several starts: they take the one that is kept."""

import pytest

from mfcvae_jax import workdir as workdir_lib
from tests import examples
from tests.commands.calls import call
from tests.training import small_runs

_CONFIG = examples.config(
    **small_runs.ONE_FACET
    | {
        "n_init": 3,
        "progressive": {"stage_epochs": (2,), "fade_in_steps": 300},
    }
)


@pytest.mark.slow
def test_commands_take_the_start_that_is_kept(tmp_path):
    folder = workdir_lib.Workdir(tmp_path / "run")
    _, _, *flags = small_runs.command(tmp_path, _CONFIG, folder)

    trained = call("train", *flags).output()
    starts = [*folder.by_seed(folder.settings()).values()]
    (kept,) = (start for start in starts if not start.why_given_up())
    seed = kept.settings().seed
    assert f"| seed {seed} | is kept |" in trained
    assert trained.count("| was not kept |") == 2
    assert "This start is kept for its held-out mixture bound" in trained
    assert "Diverged" not in trained
    assert not any(s.results.exists() for s in starts if s is not kept)
    page = folder.report.read_text()
    assert f'<a href="seed_{seed}/report.html">' in page
    assert page.count("was not kept and is left out") == 2
    assert "This start is kept" in kept.report.read_text()

    at = f"--workdir={folder.path}"
    evaluated = call("evaluate", at).output()
    assert evaluated.count(": was not kept") == 2
    assert f"digits, seed {seed}, 359 held-out" in evaluated
    call("sample", at, f"--out={tmp_path / 'all.png'}").output()
    drawn = call("paper", at, "--make=figure_4").output()
    assert str(kept.path) in drawn
    gone = min({0, 1, 2} - {seed})
    refused = call("paper", at, "--make=figure_4", f"--seed={gone}")
    assert f"seed_{gone} was not kept" in refused.error()
