# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several starts of one fit: what is kept, told, saved and drawn."""

import numpy as np
import pytest

from mfcvae_jax import Facet, MultiFacetClustering, compare_facets, figures
from mfcvae_jax.estimator import defaults
from mfcvae_jax.figures import records as records_lib
from tests.estimator import small_fits

pytestmark = small_fits.may_have_one_cluster

IMAGES = small_fits.IMAGES[:24]
FACETS = (Facet(4, 2), Facet("auto", 3))


def estimator(**params):
    """Stages of 1 and 4 epochs of 5 steps: of 24 images, 2 are held back."""
    params = {"n_init": 3, "epochs": (1, 4), "batch_size": 4} | params
    return small_fits.estimator(facets=FACETS, **params)


@pytest.fixture(scope="module")
def fitted():
    return estimator().fit(IMAGES)


@pytest.mark.parametrize(
    ("n_init", "n_examples", "wanted"),
    [(1, 300, 0), (2, 300, 30), (2, 2, 1), (4, 19, 1), (3, 10**6, 5000)],
)
def test_held_back(n_init, n_examples, wanted):
    assert defaults.n_held_back(n_init, n_examples) == wanted


@pytest.mark.parametrize(
    ("n_facets", "n_examples", "wanted"),
    [(2, 100, 4), (2, 99, 1), (3, 20_000, 4), (2, 20_001, 1), (1, 1000, 1)],
)
def test_only_several_facets_start_several_times(n_facets, n_examples, wanted):
    assert defaults.n_starts("auto", n_facets, n_examples) == wanted
    assert defaults.n_starts(7, n_facets, n_examples) == 7


@pytest.mark.slow
class TestRestarts:
    def test_all_examples_are_labelled_and_a_tenth_not_trained_on(self, fitted):
        assert fitted.labels_.shape == (24, 2)
        np.testing.assert_array_equal(fitted.predict(IMAGES), fitted.labels_)
        assert fitted.history_[-1]["step"] == 5 * (22 // 4)
        # As many clusters as examples, to begin with.
        assert len(fitted.evidence_[1].n_components) == 22

    def test_history_says_which_start_went_when(self, fitted):
        choices = [r for r in fitted.history_ if r["split"] == "choice"]
        # Three starts after the last warm-up, of two epochs, two at the end.
        found = [(r["epoch"], r["n_starts"]) for r in choices]
        assert found == [(4, 3)] * 3 + [(5, 2)] * 2
        for epoch, n in ((4, 3), (5, 2)):
            of_epoch = [r for r in choices if r["epoch"] == epoch]
            bounds = {r["start"]: r["mixture_bound"] for r in of_epoch}
            best = max(bounds, key=lambda start: bounds[start])
            ranks = {r["start"]: r["rank"] for r in of_epoch}
            assert ranks[best] == 1
            assert sorted(ranks.values()) == list(range(1, n + 1))
        # At the end, one is kept.
        assert [r["start"] for r in of_epoch if r["is_kept"]] == [best]

    def test_drawn_is_the_one_that_was_kept(self, fitted, tmp_path):
        records = records_lib.of_kept(fitted.history_)
        (start,) = {r["start"] for r in records}
        (*_, last) = (r for r in fitted.history_ if r.get("is_kept"))
        assert start == last["start"]
        figures.learning_curves(fitted.history_, tmp_path / "of_all.png")
        figures.learning_curves(records, tmp_path / "of_kept.png")
        of_all, of_kept = (tmp_path / f"of_{x}.png" for x in ("all", "kept"))
        assert of_all.read_bytes() == of_kept.read_bytes()

    def test_fit_in_a_folder_is_the_same(self, fitted, tmp_path):
        model = estimator(workdir=tmp_path / "run").fit(IMAGES)
        np.testing.assert_array_equal(model.labels_, fitted.labels_)
        assert model.history_ == fitted.history_

    def test_file_keeps_it(self, fitted, tmp_path):
        fitted.save(tmp_path / "model.npz")
        loaded = MultiFacetClustering.load(tmp_path / "model.npz")
        assert loaded.n_init == 3
        assert loaded.history_ == fitted.history_
        np.testing.assert_array_equal(loaded.predict(IMAGES), fitted.labels_)

    def test_facets_are_compared_by_starts_of_their_own(
        self, fitted, monkeypatch
    ):
        seen = []

        def fit(self, x):
            seen.append(self.random_state)
            vars(self).update(vars(fitted))
            return self

        monkeypatch.setattr(MultiFacetClustering, "fit", fit)
        compare_facets(IMAGES, [FACETS], estimator=estimator(), seeds=(0, 1))
        assert seen == [0, 3]
