# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of a run, cell by cell, against NumPy; and the paper's own numbers."""

from unittest import mock

import numpy as np
import pytest

from mfcvae_jax.evaluation import probes
from mfcvae_jax.report import markdown, paper, published, results
from mfcvae_jax.report.finished import NotDrawnError
from mfcvae_jax.report.seeds import Spread, Summary
from tests import examples, untrained
from tests.report.exhibits_test import run


def _cells(table):
    """Header, and rows of cells."""
    header, line, *rows = [
        row[2:-2].split(" | ")
        for row in table.replace("|  |", "| |").split("\n")
    ]
    assert set(line) == {"---"}, line
    return header, rows


def test_markdown():
    found = markdown.table(("a", "b"), [(1, "p(x|z)"), (2.5, "")])
    assert found == "| a | b |\n| --- | --- |\n| 1 | p(x\\|z) |\n| 2.5 |  |"


@pytest.mark.parametrize("n", [1, 2, 5])
def test_percent_is_mean_and_sample_deviation(n):
    values = np.random.default_rng(n).random(n)
    wanted = f"{100 * values.mean():.2f}"
    if n > 1:
        wanted += f" ({100 * values.std(ddof=1):.2f})"
    assert markdown.percent(values.tolist()) == wanted


class TestProbe:
    def _probe(self, finished, accuracies):
        """The table, with a quicker classifier; and what that was given."""
        with mock.patch.object(
            probes, "probe_accuracy", side_effect=accuracies
        ) as probe:
            return _cells(paper.probe(finished)), probe.call_args_list

    def test_probes_are_of_each_facet_and_of_all_three_times_each(self):
        finished = run(30, 4)
        (header, rows), calls = self._probe(finished, np.arange(9) / 10)
        assert header == ["inputs", "digit, %"]
        parts = ["z of facet 0", "z of facet 1", "z of all facets"]
        assert [row[0] for row in rows] == parts
        for i, row in enumerate(rows):  # runs are the outer loop
            values = 10 * (np.arange(3) * 3 + i)
            wanted = f"{values.mean():.2f} ({values.std(ddof=1):.2f})"
            assert row[1] == wanted
        seeds = [call.kwargs["seed"] for call in calls]
        assert seeds == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        n_train = len(finished.run.dataset.train.images)
        noise = set()
        for split, n in ((0, n_train), (2, len(finished.images))):
            z = [call.args[split] for call in calls]
            for first, second, both in zip(
                z[::3], z[1::3], z[2::3], strict=True
            ):
                assert first.shape == (n, 3)
                np.testing.assert_array_equal(both, np.hstack([first, second]))
                noise.add(first[:300].tobytes())
        assert len(noise) == 6  # every run and split has samples of its own

    def test_probes_of_the_paper_stand_beside_ours(self):
        values = ((1.5, 0.25), (2.0, None), (3.0, 1.0))
        known = {("digits", "digit"): values}
        with mock.patch.dict(published.PROBES, known):
            (header, rows), _ = self._probe(run(30, 4), 9 * [0.5])
        assert header == ["inputs", "digit, %", "digit, the paper"]
        wanted = ["1.50 (0.25)", "2.00", "3.00 (1.00)"]
        assert [row[2] for row in rows] == wanted

    def test_of_one_facet_there_is_no_row_of_all(self):
        (_, rows), _ = self._probe(run(5), 3 * [0.5])
        assert [row[0] for row in rows] == ["z of facet 0"]


def test_swap_rates_are_shares_of_pictures():
    finished, outcomes = run(30, 4), {}
    rng = np.random.default_rng(0)

    def try_swap(pairs, facet):
        outcomes[facet] = rng.random((*pairs.shape, 2)) < 0.7
        return None, outcomes[facet]

    with mock.patch.object(finished, "try_swap", try_swap):
        header, rows = _cells(paper.swap_rates(finished))
    assert len(header) == 5
    for facet, row in enumerate(rows):
        taken = outcomes[facet][:, :, facet].ravel()
        kept = outcomes[facet][:, :, 1 - facet].ravel()
        shares = [100 * np.mean(x) for x in (taken, kept, taken & kept)]
        cells = [f"{share:.1f}" for share in shares]
        assert row == [str(facet), *cells, str(len(taken))]


def test_diversity_is_that_of_the_run():
    finished = run(30, 4)
    header, cells = _cells(paper.diversity(finished))
    assert header[4:] == ["reach in facet 0", "reach in facet 1"]
    for j, (row, found) in enumerate(
        zip(cells, finished.diversity, strict=True)
    ):
        assert row[:2] == [f"Facet {j}", f"{100 * found['kept']:.1f}"]
        assert row[5] == f"{100 * found['reach'][1]:.1f}"


@pytest.mark.slow
def test_images_without_labels_have_no_tables_of_them(tmp_path):
    np.savez(tmp_path / "mine.npz", images=examples.images(200))
    finished = untrained.finished(
        tmp_path / "run",
        data={"name": "npz", "path": str(tmp_path / "mine.npz")},
        **untrained.facets(4, 3),
    )
    with pytest.raises(NotDrawnError, match="have no labels"):
        paper.probe(finished)
    assert len(_cells(paper.pruning(finished))[1]) == 2
    with pytest.raises(NotDrawnError, match="no seed has a results.json"):
        paper.table_2(finished)
    finished.workdir.write_results(results.of(finished).to_json())
    np.save(
        finished.workdir.assignments, finished.scored.predictions.assignments
    )
    with pytest.raises(NotDrawnError, match="have no labels"):
        paper.table_2(finished)


class TestAccuracies:
    def _summary(self, n_seeds, labeling="digit"):
        score = Spread(91.256, 2.5 if n_seeds > 1 else float("nan"), 93, 90)
        other = score._replace(mean=40.125)
        names = ("many_to_one", "one_to_one", "nmi", "ari")
        scores = {
            (0, 25, labeling): dict.fromkeys(names, other),
            (1, 30, labeling): dict.fromkeys(names, score)
            | {"one_to_one": other},
        }
        return Summary(tuple(range(n_seeds)), {}, (), scores)

    @pytest.mark.parametrize(
        ("n_seeds", "std", "text"),
        [(1, "", "1 seed"), (4, " (2.50)", "4 seeds")],
    )
    def test_ours_stand_below_the_papers(self, n_seeds, std, text):
        table = paper.accuracies("mnist", self._summary(n_seeds))
        lines = table.splitlines()[2:]
        assert len(lines) == len(published.ACCURACIES["mnist", "digit"]) + 2
        for line in (
            "| digit | VaDE (MLP, SF, G), by the authors |  | 89.09 (3.32) |",
            "| digit | MFCVAE (MF, G), the paper, 10 runs | 92.02 (3.18) |  |",
        ):
            assert line in lines
        ours = f"ours, facet 1, K = 30, {text}"
        assert lines[-1] == f"| digit | {ours} | 91.26{std} | 40.12{std} |"

    def test_data_set_that_the_paper_has_not_is_ours_alone(self):
        for dataset, labeling in (("digits", "digit"), ("mnist", "stroke")):
            table = paper.accuracies(dataset, self._summary(2, labeling))
            assert len(table.splitlines()) == 4
