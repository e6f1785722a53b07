# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the pictures of a run are given, for one to three facets."""

import dataclasses
import functools
import tempfile
from unittest import mock

import numpy as np
import pytest
from scipy import special

from mfcvae_jax import figures
from mfcvae_jax.evaluation import swaps
from mfcvae_jax.report import exhibits
from mfcvae_jax.report.finished import NotDrawnError
from tests import oracles, untrained

_TWO = (30, 4)  # more than a grid has room for


@functools.cache
def run(*n_components):
    """A run with so many clusters in its facets."""
    folder = f"{tempfile.mkdtemp()}/run"
    return untrained.finished(folder, **untrained.facets(*n_components))


def _chosen(name):
    (exhibit,) = (e for e in exhibits.EXHIBITS if e.name == name)
    return exhibit


def _given(finished, name, figure):
    """What a figure is given when an exhibit is drawn."""
    with mock.patch.object(figures, figure) as draw:
        _chosen(name).make(finished)
    (call,) = draw.call_args_list
    return call


def _swap_pages(finished, **known):
    finished = dataclasses.replace(finished, **known) if known else finished
    return _given(finished, "swaps.png", "swapped_pairs").args[0]


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


def _with_outcomes(finished, outcomes):
    """Swaps, of which it is given for each facet and pair if they work."""

    def try_swap(pairs, facet):
        is_right = np.ones((*pairs.shape, finished.n_facets), bool)
        is_right[:, 1, -1] = outcomes[facet][: len(pairs)]
        return finished.images[pairs][:, ::-1], is_right

    return mock.patch.object(finished, "try_swap", try_swap)


class TestDraw:
    def test_what_a_run_cannot_have_is_told_and_the_rest_is_drawn(
        self, tmp_path
    ):
        wanted = ("grid.png", "swaps.png", "learning_curves.png", "swaps.md")
        chosen = [_chosen(name) for name in wanted]
        chosen.append(_chosen("reconstructions.png"))
        folder = tmp_path / "figures"
        made = exhibits.draw(run(5), folder, chosen)
        assert [one.reason for one in made] == [
            "there is one facet, and a grid needs two",
            "there is one facet, and a swap needs two",
            "nothing was recorded: it was not trained here",
            "there is one facet, and a swap needs two",
            "",
        ]
        assert list(folder.iterdir()) == [made[-1].path]
        assert made[-1].path.read_bytes() == made[-1].content

    @pytest.mark.slow
    def test_all_pictures_are_drawn_also_with_clusters_without_examples(
        self, tmp_path
    ):
        resp = run(*_TWO).scored.predictions.resp
        assert len(np.unique(resp[0].argmax(axis=1))) < 31
        pictures = [e for e in exhibits.EXHIBITS if e.name.endswith(".png")]
        made = exhibits.draw(run(*_TWO), tmp_path, pictures)
        assert [one.exhibit.name for one in made if one.reason] == [
            "learning_curves.png"
        ]
        for one in made:
            assert one.reason or one.path.stat().st_size > 3000

    def test_words_on_the_page_have_their_facts(self):
        finished = run(*_TWO)
        facts = exhibits.facts(finished)
        for exhibit in exhibits.EXHIBITS:
            assert bool(exhibit.title) == bool(exhibit.alt)
            assert "{" not in exhibit.alt.format(**facts)
            assert not exhibit.title or len(exhibit.alt) > 40
        n_used = len(np.unique(finished.scored.predictions.assignments[:, 1]))
        assert f"facet 1 has {n_used} of 4 clusters in use" in facts["facets"]
        assert facts["labelings"] == "digit"
        names = {exhibit.name for exhibit in exhibits.EXHIBITS}
        assert len(names) == len(exhibits.EXHIBITS)


class TestSwaps:
    def test_one_swap_is_shown_since_the_other_is_its_mirror_image(self):
        finished, works = run(*_TWO), np.ones(200, bool)
        works[[2, 9, 11]] = False
        with _with_outcomes(finished, [works]):
            page, failing = _swap_pages(finished)
        resp = finished.scored.predictions.resp
        pairs, images = swaps.choose_pairs(resp, 200), finished.images
        np.testing.assert_array_equal(page.inputs, images[pairs[:7]])
        assert page.labels == ("", "", "fails", "", "", "", "")
        assert (page.title, page.facet) == ("Facet 0 swapped", 0)
        # Those that are shown already are not shown again.
        np.testing.assert_array_equal(failing.inputs, images[pairs[[9, 11]]])
        np.testing.assert_array_equal(
            failing.swapped, images[pairs[[9, 11]]][:, ::-1]
        )
        assert failing.facet == -1
        with _with_outcomes(finished, [np.ones(200, bool)]):
            assert len(_swap_pages(finished)) == 1

    def test_given_pairs_are_shown_as_they_are(self):
        finished, pairs = run(*_TWO), np.array([[3, 18], [7, 7]])
        (page,) = _swap_pages(finished, pairs=pairs)
        np.testing.assert_array_equal(page.inputs, finished.images[pairs])
        # An input swapped with itself is its reconstruction, and stays.
        np.testing.assert_allclose(
            page.swapped[1], page.reconstructions[1], atol=1e-5
        )
        flat = finished.images[pairs].reshape(-1, 8, 8, 1)
        np.testing.assert_allclose(
            page.reconstructions.reshape(-1, 8, 8, 1),
            _decoded(finished, finished.trained.modes(flat)),
            atol=1e-5,
        )
        with pytest.raises(NotDrawnError, match="there is one facet"):
            _swap_pages(run(5), pairs=pairs)

    def test_all_in_one_cluster_leaves_nothing_to_swap(self):
        finished = run(*_TWO)
        predictions = finished.scored.predictions
        one = np.tile([1.0, 0.0, 0.0, 0.0], (len(finished.images), 1))
        scored = finished.scored._replace(
            predictions=predictions._replace(resp=(predictions.resp[0], one))
        )
        with pytest.raises(NotDrawnError, match="no two inputs"):
            _swap_pages(finished, known=scored)

    @pytest.mark.slow
    def test_failures_of_all_facets_are_shown(self):
        """Two of the first facet, eleven of the second, one of the last."""
        finished, works = run(4, 5, 3), np.ones((3, 200), bool)
        works[0, [7, 8]] = works[1, 7:18] = works[2, 8] = False
        pairs = np.arange(40).reshape(20, 2)
        with (
            _with_outcomes(finished, works),
            mock.patch.object(finished, "confident_pairs", pairs),
        ):
            *pages, failing = _swap_pages(finished)
        assert [page.facet for page in pages] == [0, 1, 2]
        wanted = 2 * ["facet 0"] + 4 * ["facet 1"] + ["facet 2"]
        assert failing.labels == tuple(wanted)
        np.testing.assert_array_equal(
            failing.inputs, finished.images[pairs[[7, 8, 7, 8, 9, 10, 8]]]
        )


class TestOthers:
    @pytest.mark.parametrize(
        "n_components",
        [_TWO, pytest.param((4, 5, 3), marks=pytest.mark.slow)],
    )
    def test_grid_is_of_the_means_of_the_first_and_the_last(self, n_components):
        finished = run(*n_components)
        call = _given(finished, "grid.png", "facet_grid")
        images, rows, columns, _ = call.args
        last = finished.n_facets - 1
        assert call.kwargs["column_title"] == f"Facet {last}"
        assert len(rows) == min(12, n_components[0])
        assert images.shape == (len(rows), len(columns), 8, 8, 1)
        orders = [
            figures.order_clusters(r).components
            for r in finished.scored.predictions.resp
        ]
        assert list(map(int, columns)) == orders[last].tolist()
        means = [oracles.parts(p).means for p in finished.trained.mixtures]
        for r, c in ((0, 0), (2, 1), (len(rows) - 1, len(columns) - 1)):
            at = [order[0] for order in orders]
            at[0], at[last] = int(rows[r]), int(columns[c])
            z = [of_facet[[k]] for of_facet, k in zip(means, at, strict=True)]
            np.testing.assert_allclose(
                images[r, c], _decoded(finished, z)[0], atol=1e-5
            )

    def test_traversals_start_at_the_most_confident_example(self):
        finished = run(*_TWO)
        resp = finished.scored.predictions.resp
        best = np.argmax(np.min([r.max(axis=1) for r in resp], axis=0))
        rows, steps, _ = _given(
            finished, "traversals.png", "latent_traversals"
        ).args
        assert len(rows) == 2
        for facet, of_facet in enumerate(rows):
            wanted = finished.trained.traverse(
                finished.images[best], steps, facet
            )
            np.testing.assert_array_equal(of_facet, wanted)

    def test_confusion_counts_all_examples(self):
        finished = run(*_TWO)
        (counts, _) = _given(
            finished, "confusion.png", "confusion_matrices"
        ).args
        labels = finished.run.dataset.test.labels[:, 0]
        for (table,), k in zip(counts, _TWO, strict=True):
            assert table.shape == (k, 10)
            np.testing.assert_array_equal(
                table.sum(axis=0), np.bincount(labels)
            )
