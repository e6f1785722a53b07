# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's figures and arms, of a trained run of three seeds."""

import json
import pathlib
import re
import shutil
from unittest import mock

import pytest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.report import exhibits, write
from mfcvae_jax.training import disk, loop, runs
from tests import examples, scripts, untrained
from tests.commands.calls import call

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three seeds of two facets, trained and scored, without pictures."""
    settings = examples.settings(
        n_seeds=3,
        **untrained.facets(12, 5) | {"progressive": {"stage_epochs": (6,)}},
        # All that is enough, in so few steps, to learn anything.
        likelihood={"kind": "gaussian", "std": 0.05, "output": "sigmoid"},
        train={"learning_rate": 5e-3},
        checkpoint={"every_epochs": 3},
        evaluate={"every_epochs": 3},
    )
    run = runs.make_run(settings)
    found = workdir_lib.Workdir(tmp_path_factory.mktemp("paper") / "run")
    states, _ = loop.train(run, disk.InWorkdir(found))
    with mock.patch.object(exhibits, "draw", return_value=[]):
        write.write_reports(run, states, found)
    return found.path


@pytest.fixture
def copy(home, tmp_path):
    """The run again, for something to happen to it."""
    return pathlib.Path(shutil.copytree(home, tmp_path / "copy"))


def _paper(path, *args):
    return call("paper", f"--workdir={path}", *args)


def _drawn(path, *args):
    return _paper(path, *args).output()


def _parts(text):
    """What is said of each figure and table, by name."""
    return dict(
        part.split("\n", 1)
        for part in re.split(r"\n\n(?=[a-z_0-9]+\n)", text.strip())[1:]
    )


def test_all_is_drawn_of_the_seed_with_the_best_bound(home):
    text = _drawn(home)
    best = json.loads((home / "results.json").read_text())["seeds"][0]
    seed = home / f"seed_{best}"
    assert f"{seed}, step 66 of 66\n\n" in text
    assert "not drawn" not in text
    assert "not at its end" not in text
    parts = _parts(text)
    wanted = {
        name: [seed / "paper" / exhibit.name for exhibit in of_name]
        for name, of_name in exhibits.of_paper().items()
    }
    assert list(parts) == list(wanted)
    for name, part in parts.items():
        paths = re.findall(r"^/.*\.(?:png|md)$", part, re.MULTILINE)
        assert list(map(pathlib.Path, paths)) == wanted[name]
        assert all(path.stat().st_size > 100 for path in wanted[name])
    table = (seed / "paper" / "table_1.md").read_text()
    assert table in f"{parts['table_1']}\n"
    assert "ours, facet 0, K = 12, 3 seeds" in parts["table_2"]
    # Probes of what was learnt beat chance.
    (both,) = re.findall(r"z of all facets \| (\d+\.\d+)", table)
    assert float(both) > 15


def test_workdir_without_a_run_or_checkpoint(copy):
    assert "no run in workdir" in _paper(copy.parent).error()
    shutil.rmtree(copy / "seed_0" / "checkpoints")
    assert "no checkpoint" in _paper(copy / "seed_0").error()


def test_results_of_an_older_version_stop_nothing_else(copy):
    """That of before results said how diverse samples are."""
    path = copy / "seed_1" / "results.json"
    results = json.loads(path.read_text())
    del results["diversity"]
    path.write_text(json.dumps(results))
    parts = _parts(_drawn(copy, "--make=table_2,figure_6"))
    assert re.search(
        "not drawn: .* seed 1 .* with mfcvae report", parts["table_2"]
    )
    assert "copy/seed_" in parts["figure_6"]


def test_half_finished_run_is_drawn_and_says_so(copy):
    """One that was stopped half-way, when one seed had diverged."""
    (copy / "results.json").unlink()
    (copy / "seed_0" / "diverged.txt").write_text("at step 3\n")
    for seed in range(3):
        (copy / f"seed_{seed}" / "results.json").unlink()
        (last,) = (copy / f"seed_{seed}" / "checkpoints").glob("*66")
        shutil.rmtree(last)
    text = _drawn(copy, "--make=grid,table_2")
    # The first seed that has not diverged.
    assert f"{copy}/seed_1, step 33 of 66\n" in text
    assert "This run is not at its end" in text
    assert f"grid\n{copy}/seed_1/paper/grid.png" in text
    assert "table_2\nnot drawn: no seed has a results.json" in text
    refused = _paper(copy, "--make=grid", "--seed=0").error()
    assert re.search("seed_0 diverged .* choose another --seed", refused)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--seed=3", "has the seeds 0, 1, 2"),
        (
            "--make=figure_5,figure_9",
            "--make=figure_9: choose from figure_4, table_1",
        ),
        ("--make=", "--make=: choose from figure_4"),
        ("--pairs=3-4", "--pairs=3-4: expected pairs"),
        ("--pairs=-1:4", "--pairs=-1:4: expected pairs"),
        ("--pairs=3:4,0:359", "examples 0 to 358, got 0 to 359"),
    ],
)
def test_bad_flag_is_named_before_anything_is_drawn(home, flag, message):
    done = _paper(home, flag)
    assert message in done.error()
    assert "figure_4" not in done.out


def test_seed_and_pairs_are_those_that_were_asked_for(home):
    flags = ("--seed=1", "--make=figure_5", "--pairs=3:4,7:7")
    text = _drawn(home, *flags)
    assert "/seed_1, step 66" in text
    part = _parts(text)["figure_5"]
    assert "/paper/swaps.png\n" in part
    assert "| swapped facet |" in part


def test_ablation_of_the_seeds(home):
    def ablation(folder):
        return scripts.run("experiments/ablation.py", f"--sweep={folder}")

    done = ablation(home)
    assert done.returncode == 0, done.stderr
    assert f"{home}/accuracy_digit.png\n" in done.stdout
    assert (home / "accuracy_digit.png").stat().st_size > 5000
    table = (home / "accuracies.md").read_text()
    assert "| seed_2 | 0, K = 12 | digit |" in table
    numbers = (home / "accuracies.csv").read_text()
    assert "\nseed_2," in numbers
    assert ablation(home).returncode == 0
    assert (home / "accuracies.csv").read_text() == numbers
    refused = ablation(home / "seed_0")
    assert refused.returncode == 2
    assert re.fullmatch("error: no runs in .*\n", refused.stderr)
