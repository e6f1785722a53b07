# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of a run, cell by cell, against NumPy and SciPy."""

import pathlib
import tempfile
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from mfcvae_jax.report.summary import Spread, Summary
from scipy import stats

from mfcvae_jax.evaluation import probes
from mfcvae_jax.report import markdown, published, tables
from mfcvae_jax.report.finished import NotDrawnError
from tests import examples, untrained


def _cells(table):
    """Header, and rows of cells."""
    header, line, *rows = [
        row[2:-2].split(" | ")
        for row in table.replace("|  |", "| |").split("\n")
    ]
    assert set(line) == {"---"}, line
    return header, rows


class WritingTest(parameterized.TestCase):
    def test_markdown(self):
        found = markdown.table(("a", "b"), [(1, "x"), (2.5, "")])
        self.assertEqual(
            found, "| a | b |\n| --- | --- |\n| 1 | x |\n| 2.5 |  |"
        )

    @parameterized.parameters(1, 2, 5)
    def test_percent_is_mean_and_sample_deviation(self, n):
        values = np.random.default_rng(n).random(n)
        wanted = f"{100 * values.mean():.2f}"
        if n > 1:
            wanted += f" ({100 * values.std(ddof=1):.2f})"
        self.assertEqual(tables.percent(values.tolist()), wanted)


class OfARunTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.finished = untrained.finished(
            f"{folder}/run", **untrained.facets(6, 4)
        )

    def _probe(self, accuracy):
        """The table, with a quicker classifier; and what that was given."""
        calls = []

        def probe_accuracy(train_z, train_y, test_z, test_y, seed):
            calls.append((train_z, test_z, seed))
            return accuracy(train_z, train_y, test_z, test_y)

        with mock.patch.object(probes, "probe_accuracy", probe_accuracy):
            return _cells(tables.probe(self.finished)), calls

    def test_probes_are_of_each_facet_and_of_all_three_times_each(self):
        found = iter(np.arange(9) / 10)
        (header, rows), calls = self._probe(lambda *_: next(found))
        self.assertEqual(header, ["inputs", "digit, %"])
        self.assertEqual(
            [row[0] for row in rows],
            ["z of facet 0", "z of facet 1", "z of all facets"],
        )
        for i, row in enumerate(rows):  # runs are the outer loop
            values = 10 * (np.arange(3) * 3 + i)
            self.assertEqual(
                row[1], f"{values.mean():.2f} ({values.std(ddof=1):.2f})"
            )
        self.assertEqual(
            [seed for *_, seed in calls], [0, 0, 0, 1, 1, 1, 2, 2, 2]
        )
        train, test = self.finished.run.dataset.train, self.finished.images
        for r in range(3):
            first, second, both = calls[3 * r : 3 * r + 3]
            for split, n in enumerate((len(train.images), len(test))):
                self.assertEqual(first[split].shape, (n, 3))
                np.testing.assert_array_equal(
                    both[split],
                    np.concatenate([first[split], second[split]], axis=1),
                )
        # Every run and split has samples of its own.
        noise = [calls[3 * r][s][:300] for r in range(3) for s in range(2)]
        self.assertLen({z.tobytes() for z in noise}, 6)

    def test_probes_of_the_paper_stand_beside_ours(self):
        values = ((1.5, 0.25), (2.0, None), (3.0, 1.0))
        known = {("digits", "digit"): values}
        with mock.patch.dict(published.PROBES, known):
            (header, rows), _ = self._probe(lambda *_: 0.5)
        self.assertEqual(header, ["inputs", "digit, %", "digit, the paper"])
        self.assertEqual(
            [row[2] for row in rows], ["1.50 (0.25)", "2.00", "3.00 (1.00)"]
        )

    def test_swap_rates_are_shares_of_pictures(self):
        resp = self.finished.scored.predictions.resp
        rng = np.random.default_rng(0)
        outcomes = {}

        def try_swap(pairs, facet):
            outcomes[facet] = rng.random((*pairs.shape, 2)) < 0.7
            return None, outcomes[facet]

        with mock.patch.object(self.finished, "try_swap", try_swap):
            header, rows = _cells(tables.swap_rates(self.finished))
        self.assertLen(header, 5)
        for facet, row in enumerate(rows):
            taken = outcomes[facet][:, :, facet].ravel()
            kept = outcomes[facet][:, :, 1 - facet].ravel()
            self.assertEqual(
                row,
                [
                    str(facet),
                    f"{100 * np.mean(taken):.1f}",
                    f"{100 * np.mean(kept):.1f}",
                    f"{100 * np.mean(taken & kept):.1f}",
                    str(len(taken)),
                ],
            )
        self.assertLess(len(rows[0]), len(resp[0]))

    def test_swap_of_a_facet_is_judged_by_the_model_itself(self):
        """try_swap, by encoding what was drawn once more."""
        pairs = np.array([[0, 5], [9, 31], [7, 7]])
        clusters = self.finished.scored.predictions.assignments
        for facet in range(2):
            swapped, is_right = self.finished.try_swap(pairs, facet)
            for p, pair in enumerate(pairs):
                for side in range(2):
                    again = self.finished.predict(swapped[p, side][None])
                    for j in range(2):
                        of = pair[1 - side if j == facet else side]
                        self.assertEqual(
                            is_right[p, side, j],
                            again.assignments[0, j] == clusters[of, j],
                        )

    def test_diversity_of_samples_and_of_inputs(self):
        rows = tables.diversity(self.finished)
        images = self.finished.images.reshape(359, -1).astype(np.float64)
        for j, row in enumerate(rows):
            clusters = self.finished.scored.predictions.assignments[:, j]
            within = sum(
                np.sum(images[clusters == k].var(axis=0))
                * np.sum(clusters == k)
                for k in np.unique(clusters)
            )
            self.assertAlmostEqual(
                row["spread_of_inputs"],
                within / (359 * images.var(axis=0).sum()),
                places=6,
            )
            samples = self.finished.sample_clusters(j, 50)
            told = [self.finished.predict(x).assignments for x in samples]
            weights = np.exp(
                self.finished.mixtures[j].log_weights.astype(np.float64)
            )
            kept = [np.mean(of[:, j] == k) for k, of in enumerate(told)]
            self.assertAlmostEqual(row["kept"], weights @ kept, places=5)
            for i, k in enumerate((6, 4)):
                shares = np.stack(
                    [np.bincount(of[:, i], minlength=k) / 50 for of in told]
                )
                log_reach = weights @ stats.entropy(shares, axis=1)
                log_reach -= stats.entropy(weights @ shares)
                self.assertAlmostEqual(
                    row["reach"][i], np.exp(log_reach), places=5
                )
        header, cells = _cells(tables.format_diversity(rows))
        self.assertEqual(header[4:], ["reach in facet 0", "reach in facet 1"])
        self.assertEqual(cells[1][0], "1")
        self.assertEqual(cells[1][1], f"{100 * rows[1]['kept']:.1f}")
        self.assertEqual(cells[0][5], f"{100 * rows[0]['reach'][1]:.1f}")


class NotDrawnTest(absltest.TestCase):
    def test_one_facet_has_probes_but_no_swaps(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        finished = untrained.finished(f"{folder}/run", **untrained.facets(5))
        with self.assertRaisesRegex(NotDrawnError, "there is one facet"):
            tables.swap_rates(finished)
        with mock.patch.object(probes, "probe_accuracy", return_value=0.5):
            _, rows = _cells(tables.probe(finished))
        self.assertEqual([row[0] for row in rows], ["z of facet 0"])

    @pytest.mark.slow
    def test_images_without_labels_have_no_probes(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        np.savez(folder / "mine.npz", images=examples.images(200))
        finished = untrained.finished(
            folder / "run",
            data={"name": "npz", "path": str(folder / "mine.npz")},
            **untrained.facets(4, 3),
        )
        with self.assertRaisesRegex(NotDrawnError, "have no labels"):
            tables.probe(finished)
        self.assertLen(tables.diversity(finished), 2)


class AccuraciesTest(parameterized.TestCase):
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

    @parameterized.parameters((1, "", "1 seed"), (4, " (2.50)", "4 seeds"))
    def test_ours_stand_below_the_papers(self, n_seeds, std, text):
        table = tables.accuracies("mnist", self._summary(n_seeds))
        lines = table.splitlines()[2:]
        self.assertLen(lines, len(published.ACCURACIES["mnist", "digit"]) + 2)
        self.assertIn(
            "| digit | VaDE (MLP, SF, G), by the authors |  | 89.09 (3.32) |",
            lines,
        )
        self.assertIn(
            "| digit | MFCVAE (MF, G), the paper, 10 runs | 92.02 (3.18) |  |",
            lines,
        )
        self.assertEqual(
            lines[-1],
            f"| digit | ours, facet 1, K = 30, {text} | 91.26{std} | "
            f"40.12{std} |",
        )

    def test_data_set_that_the_paper_has_not_is_ours_alone(self):
        table = tables.accuracies("digits", self._summary(2))
        self.assertLen(table.splitlines(), 4)
        table = tables.accuracies("mnist", self._summary(2, "stroke"))
        self.assertLen(table.splitlines(), 4)


if __name__ == "__main__":
    absltest.main()
