# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What no figure draws: the error tells what came, and no file is made."""

import numpy as np
import pytest

from mfcvae_jax import figures
from mfcvae_jax.figures import confusion, tiles

_NAN = float("nan")
_ONE = np.ones((3, 1))
_TABLE = np.ones((2, 2))
_IMAGES = np.zeros((3, 4, 4, 1))
_SAMPLES = np.zeros((3, 2, 4, 4, 1))
_STEPS = np.linspace(-2, 2, 5)
_ROWS = np.zeros((2, 5, 8, 8, 1))
_PAIRS = np.zeros((2, 2, 8, 8, 1))
_PAGE = figures.SwapPage("Facet 1", _PAIRS, _PAIRS, _PAIRS, ("a", "b"), 1)
_RECORD = {"epoch": 0, "split": "test", "mixture_bound": 1.0}


def _arm(epochs, values, name="a"):
    return figures.Arm(name, epochs, values, ())


@pytest.mark.parametrize(
    ("table", "came"),
    [
        (np.ones(3), r"\(3,\)"),
        (np.array([[2, -1]]), "smallest of -1"),
        (np.zeros((2, 2)), "sum of 0"),
        (np.zeros((2, 0)), r"\(2, 0\)"),
    ],
)
def test_tables_of_counts(table, came):
    with pytest.raises(ValueError, match=came):
        confusion.block_order(table)


@pytest.mark.parametrize(
    ("responsibilities", "came"),
    [
        (np.ones(3), r"\(3,\)"),
        (np.ones((0, 3)), r"\(0, 3\)"),
        (np.log(np.full((2, 2), 0.5)), "Exponentiate"),
        (np.full((2, 3), 0.5), "sum of 1.5"),
        (np.full((2, 3), _NAN), "2 of 2 examples"),
    ],
)
def test_responsibilities(responsibilities, came):
    with pytest.raises(ValueError, match=came):
        figures.order_clusters(responsibilities)


_PART = np.zeros((2, 2, 3, 3, 1))
_PART[1, 0, 0, :2] = _NAN


@pytest.mark.parametrize(
    ("images", "came"),
    [
        (np.zeros((2, 3, 4, 1)), r"\(2, 3, 4, 1\)"),
        (np.zeros((1, 1, 3, 3, 2)), r"\(1, 1, 3, 3, 2\)"),
        (np.zeros((0, 1, 3, 3, 1)), r"\(0, 1, 3, 3, 1\)"),
        (np.zeros((1, 1, 3, 3, 1), np.int64), "int64"),
        (_PART, "row 1, column 0.* 2 of"),
    ],
)
def test_tiles(images, came):
    with pytest.raises(ValueError, match=came):
        tiles.sheet(images)


# By figure: what it is given, settings, and what the error says of it.
_FAULTS = {
    "accuracy_over_training": [
        (([],), {}, "got 0"),
        (([_arm([0], [[0.5]])] * 9,), {}, "got 9"),
        (
            ([_arm([0, 1], np.ones((3, 3)))],),
            {},
            r"arm 0, 'a'.*\(S, 2\).*\(3, 3\)",
        ),
        (([_arm([0], np.ones(1))],), {}, r"\(1,\)"),
        (([_arm([0], np.ones((0, 1)))],), {}, r"\(0, 1\)"),
        (([_arm([1, 0], np.ones((1, 2)))],), {}, r"\[1.0, 0.0\]"),
        (([_arm([], np.ones((1, 0)))],), {}, r"\[\]"),
        (
            ([_arm([0], [[0.5]]), _arm([0], [[55.0]], "b")],),
            {},
            "arm 1, 'b'.*Divide percentages by 100",
        ),
        (([_arm([0], [[_NAN]])],), {}, "leave an arm without values out"),
    ],
    "cluster_examples": [
        ((np.zeros((3, 4, 4)), [_ONE]), {}, r"\(3, 4, 4\)"),
        ((_IMAGES, [_ONE, _ONE[:2]]), {}, r"facet 1 for 3 images.*\(2, 1\)"),
        ((_IMAGES, []), {}, "list of length 0"),
        ((_IMAGES, _ONE), {}, "ndarray of length 3"),
        ((_IMAGES, [_ONE]), {"n_rows": 0}, "at least one image"),
        ((_IMAGES, [_ONE]), {"n_columns": 0}, "at least one image"),
    ],
    "cluster_samples": [
        (([np.zeros((2, 3, 4, 1))],), {}, r"facet 0.*\(2, 3, 4, 1\)"),
        (([],), {}, "none"),
        (([_SAMPLES, np.zeros((1, 1, 5, 4, 1))],), {}, r"\(5, 4\)"),
        (([_SAMPLES],), {"orders": [[0], [1]]}, "got 2"),
        (([_SAMPLES],), {"orders": [[0, 3]]}, r"facet 0.*\[0, 3\]"),
        (([_SAMPLES],), {"orders": [[-1]]}, r"\[-1\]"),
        (([_SAMPLES],), {"orders": [[1, 1]]}, r"\[1, 1\]"),
        (([_SAMPLES],), {"orders": [[]]}, r"\[\]"),
        (([_SAMPLES],), {"orders": [[1.0]]}, r"\[1.0\]"),
        (([_SAMPLES],), {"n_rows": 0}, "at least one image"),
        (([_SAMPLES],), {"titles": ["a", "b"]}, "1 in all"),
        (([_SAMPLES],), {"titles": "a"}, "'a'"),
    ],
    "confusion_matrices": [
        (([],), {"labelings": ["a"]}, "none"),
        (([[]],), {"labelings": ["a"]}, "0 in all"),
        (([[_TABLE]],), {"labelings": "a"}, "'a'"),
        (([[_TABLE]],), {"labelings": ["a", "b"]}, "1 in all"),
        (([[np.ones(2)]],), {"labelings": ["a"]}, r"\(2,\)"),
        (
            ([[_TABLE], [np.ones((2, 3))]],),
            {"labelings": ["a"]},
            r"facet 1.*\[\(2, 3\)\]",
        ),
        (([[_TABLE], []],), {"labelings": ["a"]}, r"facet 1.*\[\]"),
    ],
    "evidence_curves": [
        (([],), {}, "none"),
    ],
    "facet_grid": [
        ((np.zeros((2, 4, 4, 1)), "ab", "c"), {}, r"\(2, 4, 4, 1\)"),
        ((_SAMPLES, ["a"], ["c", "d"]), {}, r"rows.*3 in all.*\['a'\]"),
        ((_SAMPLES, list("abc"), ["c"]), {}, r"columns.*2 in all.*\['c'\]"),
        ((_SAMPLES, "abc", ["c", "d"]), {}, "'abc'"),
    ],
    "latent_traversals": [
        (([], _STEPS), {}, "got none"),
        (([np.zeros((5, 8, 8, 1))], _STEPS), {}, r"\(5, 8, 8, 1\)"),
        (
            ([_ROWS, _ROWS[:, :4]], _STEPS),
            {},
            r"5 images.*facet 1.*\(2, 4, 8, 8, 1\)",
        ),
        (([_ROWS, _ROWS[:, :, :7]], _STEPS), {}, r"\(7, 8\)"),
        (([_ROWS[:, :2]], [1, -1]), {}, r"\[1.0, -1.0\]"),
        (([_ROWS[:, :2]], [[1, 2]]), {}, r"\[\[1.0, 2.0\]\]"),
    ],
    "learning_curves": [
        (([],), {}, "0 records"),
        (([{"epoch": 0, "split": "test"}],), {}, "1 records"),
        (([_RECORD | {"split": "dev"}],), {}, "'dev'"),
        (([{"split": "test"}],), {}, "record 0; got 'test' and None"),
        (([_RECORD | {"epoch": _NAN}],), {}, "nan"),
        (([_RECORD],), {"stages": [(5, 0, 1)]}, r"stage 0.*\(5, 0, 1\)"),
        (([_RECORD],), {"stages": [(0, 0, 1), (1, 2)]}, r"stage 1.*\(1, 2\)"),
    ],
    "reconstruction_pairs": [
        ((_IMAGES, np.zeros((3, 4, 4))), {}, r"\(3, 4, 4\)"),
        (
            (_IMAGES, np.zeros((3, 4, 5, 1))),
            {},
            r"\(3, 4, 4, 1\).*\(3, 4, 5, 1\)",
        ),
    ],
    "swapped_pairs": [
        (([],), {}, "got none"),
        (
            ([_PAGE, _PAGE._replace(title="no", inputs=_PAIRS[:0])],),
            {},
            r"at least one image.*page 1, 'no'.*\(0, 2, 8, 8, 1\)",
        ),
        (
            ([_PAGE._replace(inputs=np.zeros((2, 3, 8, 8, 1)))],),
            {},
            r"inputs of page 0.*\(2, 3, 8, 8, 1\)",
        ),
        (
            ([_PAGE._replace(swapped=np.zeros((2, 2, 8, 9, 1)))],),
            {},
            r"swapped of page 0.*\(2, 2, 8, 8, 1\).*\(2, 2, 8, 9, 1\)",
        ),
        (
            ([_PAGE._replace(inputs=np.zeros((2, 8, 8, 1)))],),
            {},
            r"\(2, 8, 8, 1\)",
        ),
        (([_PAGE._replace(labels=("a",))],), {}, r"2 in all; got \('a',\)"),
    ],
}
_ALWAYS = {
    "accuracy_over_training": {"ylabel": "accuracy"},
    "facet_grid": {"row_title": "", "column_title": ""},
}


@pytest.mark.parametrize(
    ("name", "args", "settings", "came"),
    [(name, *fault) for name, faults in _FAULTS.items() for fault in faults],
)
def test_figures(name, args, settings, came, tmp_path):
    path = tmp_path / "figure.png"
    settings = _ALWAYS.get(name, {}) | settings
    with pytest.raises(ValueError, match=came):
        getattr(figures, name)(*args, path, **settings)
    assert not path.exists()
