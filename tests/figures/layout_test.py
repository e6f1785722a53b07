# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""No text of any figure is clipped or overlaps another one or an image."""

import functools

import matplotlib
import numpy as np
import pytest
from absl.testing import parameterized

from mfcvae_jax import figures
from mfcvae_jax.evaluation.pruning import Evidence
from tests.figures import pages

_WORD = "Donaudampfschifffahrtsgesellschaft"
_WORDS = "a text of many words and more "


def _clusters(n_facets, size, n_columns=10):
    resp = [np.eye(30)[np.arange(30)], *[np.eye(9)[np.arange(30) % 3]] * 2]
    return functools.partial(
        figures.cluster_examples,
        np.zeros((30, *size), np.uint8),
        resp[:n_facets],
        n_rows=2,
        n_columns=n_columns,
    )


def _swaps(n_pages, size):
    images = np.zeros((3, 2, size, size, 1))
    labels = ("cube to a sphere of this and that", "", "7")
    page = figures.SwapPage(
        f"Facet {_WORDS}", images, images, images, labels, 0
    )
    return functools.partial(figures.swapped_pairs, [page] * n_pages)


def _grid(n_rows, n_columns, size):
    return functools.partial(
        figures.facet_grid,
        np.zeros((n_rows, n_columns, size, size, 3)),
        [f"{_WORD} {_WORDS}"] * n_rows,
        [f"cluster {q} of a facet and more" for q in range(n_columns)],
        row_title=_WORDS * 3,
        column_title=_WORDS * 3,
    )


def _traversals(n_facets, n_steps, size):
    return functools.partial(
        figures.latent_traversals,
        [np.zeros((5, n_steps, size, size, 1))] * n_facets,
        np.linspace(-2.25, 2.25, n_steps),
    )


def _confusion(n_facets, n_classes):
    rng = np.random.default_rng(0)
    return functools.partial(
        figures.confusion_matrices,
        [
            [100 * rng.integers(0, 99, (6 + j, n)) for n in n_classes]
            for j in range(n_facets)
        ],
        labelings=[
            f"labeling {m} of many words" for m in range(len(n_classes))
        ],
    )


def _curves(n_facets, n_epochs, stages, labelings):
    records = []
    for e in range(n_epochs):
        record = {"epoch": e, "mixture_bound": -100 - 900 * np.exp(-e)}
        record |= {"mean_field_bound": -102.0}
        for j in range(n_facets):
            record |= {f"kl_z/{j}": 5.0 + j, f"kl_c/{j}": 1.0}
            record |= {f"many_to_one/{j}/{name}": 0.5 for name in labelings}
        records += [{**record, "split": split} for split in ("train", "test")]
    return functools.partial(
        figures.learning_curves,
        records,
        stages=[(start, j, start + 4) for j, start in enumerate(stages)],
    )


def _arms(n_arms, n_seeds):
    rng = np.random.default_rng(0)
    arms = [
        figures.Arm(
            _WORDS * (1 + 2 * (i % 2)),
            np.arange(6) * 10,
            rng.uniform(0.3, 0.8, (n_seeds, 6)),
            (10.0, 20.0) if i else (),
        )
        for i in range(n_arms)
    ]
    arms[-1].values[:, -1] = 0.0
    arms[-1].values[1:, -1] = np.nan
    return functools.partial(
        figures.accuracy_over_training, arms, ylabel=_WORDS * 9
    )


def _evidence(n_facets):
    sizes = np.arange(1, 26)
    found = Evidence(sizes, -np.log(sizes), 0 * sizes, -5000.0 / sizes)
    return functools.partial(figures.evidence_curves, [found] * n_facets)


_DRAWN = {
    "clusters_1": _clusters(1, (8, 8, 1)),
    "clusters_wide": _clusters(2, (8, 16, 3)),
    "clusters_high": _clusters(3, (40, 20, 1)),
    "clusters_large": _clusters(3, (64, 64, 3)),
    "clusters_one_column": _clusters(1, (8, 8, 1), 1),
    "samples": functools.partial(
        figures.cluster_samples,
        [np.zeros((1, 1, 8, 8, 3))] * 2,
        titles=[_WORD * 3, _WORDS * 4],
    ),
    "reconstructions": functools.partial(
        figures.reconstruction_pairs,
        *[np.zeros((5, 8, 8, 3))] * 2,
    ),
    "swaps_1": _swaps(1, 8),
    "swaps_5": _swaps(5, 40),
    "grid_1": _grid(1, 1, 8),
    "grid_row": _grid(1, 20, 64),
    "grid_column": _grid(12, 2, 28),
    "grid_square": _grid(10, 10, 28),
    "traversals_1": _traversals(1, 1, 8),
    "traversals_2": _traversals(2, 9, 8),
    "traversals_4": _traversals(4, 7, 64),
    "traversals_30": _traversals(2, 30, 8),
    "confusion_1": _confusion(1, (1,)),
    "confusion_2": _confusion(2, (2, 10)),
    "confusion_3": _confusion(3, (10, 10, 4)),
    "confusion_40": _confusion(1, (40, 3)),
    "curves_one_epoch": _curves(1, 1, (0,), ()),
    "curves_two": _curves(2, 60, (0, 30), ("digit",)),
    "curves_close": _curves(4, 100, (0, 1, 2, 98), ("floor", "object, of 4")),
    "arms_1": _arms(1, 1),
    "arms_3": _arms(3, 10),
    "arms_8": _arms(8, 2),
    "evidence_1": _evidence(1),
    "evidence_3": _evidence(3),
}


class LayoutTest(pages.FigureCase):
    @parameterized.named_parameters(*_DRAWN.items())
    def test_texts_are_apart_and_on_the_page(self, draw):
        figure = self.draw(draw)
        self.assertEmpty(pages.clashes(figure))
        pages.sheets(figure, self.path)

    @parameterized.parameters("swaps_1", "confusion_2", "curves_two", "arms_3")
    @pytest.mark.slow
    def test_two_drawings_are_the_same(self, name):
        other = self.path.with_name("other.png")
        for path in (self.path, other):
            _DRAWN[name](path)
        self.assertEqual(self.path.read_bytes(), other.read_bytes())

    def test_settings_of_matplotlib_are_left_alone(self):
        before = dict(matplotlib.rcParams)
        _DRAWN["clusters_1"](self.path)
        self.assertEqual(dict(matplotlib.rcParams), before)

    def test_the_ending_chooses_the_format(self):
        path = self.path.with_suffix(".pdf")
        _DRAWN["evidence_1"](path)
        self.assertEqual(path.read_bytes()[:4], b"%PDF")
