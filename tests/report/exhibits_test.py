# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the pictures of a run are given, for one to three facets."""

import pathlib
import tempfile
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import special

from mfcvae_jax import figures
from mfcvae_jax.evaluation import swaps
from mfcvae_jax.report import pictures
from mfcvae_jax.report.finished import NotDrawnError
from tests import examples, untrained


def _decoded(finished, z):
    """Means of Bernoulli pixels, all facets in."""
    model = finished.run.stepper.model
    output = model.apply(
        finished.state.variables,
        tuple(z),
        np.ones(finished.n_facets, np.float32),
        method=model.decode,
    )
    return special.expit(np.asarray(output))


class _OfARun(parameterized.TestCase):
    """One run for all tests of a class."""

    n_components: tuple[int, ...]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.finished = untrained.finished(
            f"{folder}/run", **untrained.facets(*cls.n_components)
        )
        cls.folder = pathlib.Path(folder) / "figures"

    def _pages(self, finished, pairs=None):
        """What the picture of swaps is given."""
        with mock.patch.object(figures, "swapped_pairs") as draw:
            pictures.draw_swaps(finished, self.folder / "swaps.png", pairs)
        (call,) = draw.call_args_list
        return call.args[0]

    def _with_outcomes(self, outcomes):
        """Swaps, of which it is given for each facet and pair if they work."""

        def try_swap(pairs, facet):
            swapped = self.finished.images[pairs][:, ::-1]
            is_right = np.ones((*pairs.shape, self.finished.n_facets), bool)
            is_right[:, 1, -1] = outcomes[facet][: len(pairs)]
            return swapped, is_right

        return mock.patch.object(self.finished, "try_swap", try_swap)


class OneFacetTest(_OfARun):
    n_components = (5,)

    def test_grid_and_swaps_say_why_not(self):
        drawn, reasons = pictures.draw(
            self.finished, self.folder, ["grid", "swaps", "reconstructions"]
        )
        self.assertEqual(
            reasons,
            {
                "grid": "there is one facet, and a grid needs two",
                "swaps": "there is one facet, and a swap needs two",
            },
        )
        self.assertEqual(list(drawn), ["reconstructions"])
        self.assertEqual(
            [path.name for path in self.folder.iterdir()],
            ["reconstructions.png"],
        )

    def test_not_even_given_pairs_are_swapped(self):
        with self.assertRaisesRegex(NotDrawnError, "there is one facet"):
            pictures.draw_swaps(
                self.finished, self.folder / "x.png", np.array([[0, 1]])
            )

    def test_nothing_recorded_has_no_curves(self):
        _, reasons = pictures.draw(
            self.finished, self.folder, ["learning_curves"]
        )
        self.assertIn("nothing was recorded", reasons["learning_curves"])


class TwoFacetsTest(_OfARun):
    n_components = (30, 4)  # more than a grid has room for

    def test_one_swap_is_shown_since_the_other_is_its_mirror_image(self):
        works = np.ones(200, bool)
        works[[2, 9, 11]] = False
        with self._with_outcomes([works]):
            page, failing = self._pages(self.finished)
        resp = self.finished.scored.predictions.resp
        pairs = swaps.choose_pairs(resp, 200)
        images = self.finished.images
        np.testing.assert_array_equal(page.inputs, images[pairs[:7]])
        self.assertEqual(page.labels, ("", "", "fails", "", "", "", ""))
        self.assertEqual((page.title, page.facet), ("Facet 0 swapped", 0))
        # Those that are shown already are not shown again.
        np.testing.assert_array_equal(failing.inputs, images[pairs[[9, 11]]])
        np.testing.assert_array_equal(
            failing.swapped, images[pairs[[9, 11]]][:, ::-1]
        )
        self.assertEqual(failing.facet, -1)

    def test_where_no_swap_fails_no_page_says_so(self):
        with self._with_outcomes([np.ones(200, bool)]):
            self.assertLen(self._pages(self.finished), 1)

    def test_given_pairs_are_shown_as_they_are(self):
        pairs = np.array([[3, 18], [7, 7]])
        (page,) = self._pages(self.finished, pairs)
        images = self.finished.images
        np.testing.assert_array_equal(page.inputs, images[pairs])
        # An input swapped with itself is its reconstruction, and stays.
        np.testing.assert_allclose(
            page.swapped[1], page.reconstructions[1], atol=1e-5
        )
        flat = images[pairs].reshape(-1, 8, 8, 1)
        predictions = self.finished.predict(flat)
        np.testing.assert_allclose(
            page.reconstructions.reshape(-1, 8, 8, 1),
            _decoded(self.finished, predictions.latents),
            atol=1e-5,
        )

    @parameterized.parameters(
        ([[0, 359]], "examples 0 to 358, got 0 to 359"),
        ([[-1, 3]], "examples 0 to 358, got -1 to 3"),
        (np.empty((0, 2), int), "at least one pair"),
    )
    def test_bad_pairs_are_refused(self, pairs, message):
        with self.assertRaisesRegex(ValueError, message):
            self._pages(self.finished, np.array(pairs))

    def test_all_in_one_cluster_leaves_nothing_to_swap(self):
        resp = list(self.finished.scored.predictions.resp)
        resp[1] = np.tile([1.0, 0.0, 0.0, 0.0], (len(resp[1]), 1))
        scored = self.finished.scored._replace(
            predictions=self.finished.scored.predictions._replace(
                resp=tuple(resp)
            )
        )
        with (
            mock.patch.object(self.finished, "scored", scored),
            self.assertRaisesRegex(NotDrawnError, "no two inputs"),
        ):
            self._pages(self.finished)

    def test_grid_is_decoded_from_the_means_of_both_components(self):
        with mock.patch.object(figures, "facet_grid") as draw:
            drawn, _ = pictures.draw(self.finished, self.folder, ["grid"])
        images, rows, columns, path = draw.call_args.args
        self.assertEqual(path, drawn["grid"])
        self.assertLen(rows, 12)
        resp = self.finished.scored.predictions.resp
        self.assertContainsSubset(
            map(int, columns), np.unique(resp[1].argmax(axis=1))
        )
        self.assertEqual(images.shape, (12, len(columns), 8, 8, 1))
        means = [mixture.means for mixture in self.finished.mixtures]
        for r, c in ((0, 0), (2, 1), (11, len(columns) - 1)):
            z = means[0][[int(rows[r])]], means[1][[int(columns[c])]]
            np.testing.assert_allclose(
                images[r, c], _decoded(self.finished, z)[0], atol=1e-5
            )

    def test_traversals_start_at_the_most_confident_example(self):
        resp = self.finished.scored.predictions.resp
        best = np.argmax(np.min([r.max(axis=1) for r in resp], axis=0))
        with mock.patch.object(figures, "latent_traversals") as draw:
            pictures.draw(self.finished, self.folder, ["traversals"])
        rows, steps, _ = draw.call_args.args
        self.assertLen(rows, 2)
        for facet, of_facet in enumerate(rows):
            np.testing.assert_array_equal(
                of_facet,
                self.finished.traverse(
                    self.finished.images[best], steps, facet
                ),
            )

    def test_confusion_counts_all_examples(self):
        with mock.patch.object(figures, "confusion_matrices") as draw:
            pictures.draw(self.finished, self.folder, ["confusion"])
        (counts,) = draw.call_args.args[:1]
        labels = self.finished.run.dataset.test.labels[:, 0]
        for (table,), k in zip(counts, self.n_components, strict=True):
            self.assertEqual(table.shape, (k, 10))
            np.testing.assert_array_equal(
                table.sum(axis=0), np.bincount(labels)
            )

    @pytest.mark.slow
    def test_clusters_without_examples_are_left_out_and_all_is_drawn(self):
        resp = self.finished.scored.predictions.resp
        self.assertLess(len(np.unique(resp[0].argmax(axis=1))), 31)
        drawn, reasons = pictures.draw(self.finished, self.folder)
        self.assertEqual(list(reasons), ["learning_curves"])
        for path in drawn.values():
            self.assertGreater(path.stat().st_size, 3000)


@pytest.mark.slow
class ThreeFacetsTest(_OfARun):
    n_components = (4, 5, 3)

    def test_failures_of_all_facets_are_shown(self):
        """Two of the first facet, eleven of the second, one of the last."""
        works = np.ones((3, 200), bool)
        works[0, [7, 8]] = works[1, 7:18] = works[2, 8] = False
        pairs = np.arange(40).reshape(20, 2)
        with (
            self._with_outcomes(works),
            mock.patch.object(swaps, "choose_pairs", return_value=pairs),
        ):
            *pages, failing = self._pages(self.finished)
        self.assertEqual([page.facet for page in pages], [0, 1, 2])
        wanted = 2 * ["facet 0"] + 4 * ["facet 1"] + ["facet 2"]
        self.assertEqual(failing.labels, tuple(wanted))
        images = self.finished.images
        for row, i in zip(failing.inputs, [7, 8, 7, 8, 9, 10, 8], strict=True):
            np.testing.assert_array_equal(row, images[pairs[i]])

    def test_grid_is_of_the_first_and_the_last(self):
        with mock.patch.object(figures, "facet_grid") as draw:
            pictures.draw(self.finished, self.folder, ["grid"])
        images, rows, columns, _ = draw.call_args.args
        means = [mixture.means for mixture in self.finished.mixtures]
        resp = self.finished.scored.predictions.resp[1]
        middle = figures.order_clusters(resp).components[0]
        z = (
            means[0][[int(rows[1])]],
            means[1][[middle]],
            means[2][[int(columns[0])]],
        )
        np.testing.assert_allclose(
            images[1, 0], _decoded(self.finished, z)[0], atol=1e-5
        )
        self.assertEqual(draw.call_args.kwargs["column_title"], "Facet 2")


@pytest.mark.slow
class NoLabelsTest(absltest.TestCase):
    def test_clusters_are_drawn_and_confusion_is_not(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        np.savez(folder / "mine.npz", images=examples.images(200))
        finished = untrained.finished(
            folder / "run",
            data={"name": "npz", "path": str(folder / "mine.npz")},
            **untrained.facets(4, 3),
        )
        drawn, reasons = pictures.draw(
            finished, folder / "figures", ["clusters", "confusion"]
        )
        self.assertEqual(
            reasons, {"confusion": "these examples have no labels"}
        )
        self.assertEqual(list(drawn), ["clusters"])


if __name__ == "__main__":
    absltest.main()
