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
_PART = np.zeros((2, 2, 3, 3, 1))
_PART[1, 0, 0, :2] = _NAN


def _of(function, **settings):
    """What the error must say of some arguments, as parameters of a test."""

    def fault(came, *args, **others):
        return pytest.param(function, args, settings | others, came)

    return fault


_block_order = _of(confusion.block_order)
_order_clusters = _of(figures.order_clusters)
_sheet = _of(tiles.sheet)


@pytest.mark.parametrize(
    ("function", "args", "settings", "came"),
    [
        _block_order(r"\(3,\)", np.ones(3)),
        _block_order("smallest of -1", np.array([[2, -1]])),
        _block_order("sum of 0", np.zeros((2, 2))),
        _block_order(r"\(2, 0\)", np.zeros((2, 0))),
        _order_clusters(r"\(3,\)", np.ones(3)),
        _order_clusters(r"\(0, 3\)", np.ones((0, 3))),
        _order_clusters("Exponentiate", np.log(np.full((2, 2), 0.5))),
        _order_clusters("sum of 1.5", np.full((2, 3), 0.5)),
        _order_clusters("2 of 2 examples", np.full((2, 3), _NAN)),
        _sheet(r"\(2, 3, 4, 1\)", np.zeros((2, 3, 4, 1))),
        _sheet(r"\(1, 1, 3, 3, 2\)", np.zeros((1, 1, 3, 3, 2))),
        _sheet(r"\(0, 1, 3, 3, 1\)", np.zeros((0, 1, 3, 3, 1))),
        _sheet("int64", np.zeros((1, 1, 3, 3, 1), np.int64)),
        _sheet("row 1, column 0.* 2 of", _PART),
    ],
)
def test_arrays(function, args, settings, came):
    with pytest.raises(ValueError, match=came):
        function(*args, **settings)


def _arm(epochs, values, name="a"):
    return figures.Arm(name, epochs, values, ())


_arms = _of(figures.accuracy_over_training, ylabel="accuracy")
_clusters = _of(figures.cluster_examples)
_samples = _of(figures.cluster_samples)
_tables = _of(figures.confusion_matrices, labelings=["a"])
_evidence = _of(figures.evidence_curves)
_grid = _of(figures.facet_grid, row_title="", column_title="")
_traversals = _of(figures.latent_traversals)
_curves = _of(figures.learning_curves)
_pairs = _of(figures.reconstruction_pairs)
_swaps = _of(figures.swapped_pairs)


@pytest.mark.parametrize(
    ("function", "args", "settings", "came"),
    [
        _arms("got 0", []),
        _arms("got 9", [_arm([0], [[0.5]])] * 9),
        _arms(
            r"arm 0, 'a'.*\(S, 2\).*\(3, 3\)", [_arm([0, 1], np.ones((3, 3)))]
        ),
        _arms(r"\(1,\)", [_arm([0], np.ones(1))]),
        _arms(r"\(0, 1\)", [_arm([0], np.ones((0, 1)))]),
        _arms(r"\[1.0, 0.0\]", [_arm([1, 0], np.ones((1, 2)))]),
        _arms(r"\[\]", [_arm([], np.ones((1, 0)))]),
        _arms(
            "arm 1, 'b'.*Divide percentages by 100",
            [_arm([0], [[0.5]]), _arm([0], [[55.0]], "b")],
        ),
        _arms("leave an arm without values out", [_arm([0], [[_NAN]])]),
        _clusters(r"\(3, 4, 4\)", np.zeros((3, 4, 4)), [_ONE]),
        _clusters(r"facet 1 for 3 images.*\(2, 1\)", _IMAGES, [_ONE, _ONE[:2]]),
        _clusters("list of length 0", _IMAGES, []),
        _clusters("ndarray of length 3", _IMAGES, _ONE),
        _clusters("at least one image", _IMAGES, [_ONE], n_rows=0),
        _clusters("at least one image", _IMAGES, [_ONE], n_columns=0),
        _samples(r"facet 0.*\(2, 3, 4, 1\)", [np.zeros((2, 3, 4, 1))]),
        _samples("none", []),
        _samples(r"\(5, 4\)", [_SAMPLES, np.zeros((1, 1, 5, 4, 1))]),
        _samples("got 2", [_SAMPLES], orders=[[0], [1]]),
        _samples(r"facet 0.*\[0, 3\]", [_SAMPLES], orders=[[0, 3]]),
        _samples(r"\[-1\]", [_SAMPLES], orders=[[-1]]),
        _samples(r"\[1, 1\]", [_SAMPLES], orders=[[1, 1]]),
        _samples(r"\[\]", [_SAMPLES], orders=[[]]),
        _samples(r"\[1.0\]", [_SAMPLES], orders=[[1.0]]),
        _samples("1 in all", [_SAMPLES], titles=["a", "b"]),
        _samples("'a'", [_SAMPLES], titles="a"),
        _tables("none", []),
        _tables("0 in all", [[]]),
        _tables("'a'", [[_TABLE]], labelings="a"),
        _tables("1 in all", [[_TABLE]], labelings=["a", "b"]),
        _tables(r"\(2,\)", [[np.ones(2)]]),
        _tables(r"facet 1.*\[\(2, 3\)\]", [[_TABLE], [np.ones((2, 3))]]),
        _tables(r"facet 1.*\[\]", [[_TABLE], []]),
        _evidence("none", []),
        _grid(r"\(2, 4, 4, 1\)", np.zeros((2, 4, 4, 1)), "ab", "c"),
        _grid(r"rows.*3 in all.*\['a'\]", _SAMPLES, ["a"], ["c", "d"]),
        _grid(r"columns.*2 in all.*\['c'\]", _SAMPLES, list("abc"), ["c"]),
        _grid("'abc'", _SAMPLES, "abc", ["c", "d"]),
        _traversals("got none", [], _STEPS),
        _traversals(r"\(5, 8, 8, 1\)", [np.zeros((5, 8, 8, 1))], _STEPS),
        _traversals(
            r"5 images.*facet 1.*\(2, 4, 8, 8, 1\)",
            [_ROWS, _ROWS[:, :4]],
            _STEPS,
        ),
        _traversals(r"\(7, 8\)", [_ROWS, _ROWS[:, :, :7]], _STEPS),
        _traversals(r"\[1.0, -1.0\]", [_ROWS[:, :2]], [1, -1]),
        _traversals(r"\[\[1.0, 2.0\]\]", [_ROWS[:, :2]], [[1, 2]]),
        _curves("0 records", []),
        _curves("1 records", [{"epoch": 0, "split": "test"}]),
        _curves("'dev'", [_RECORD | {"split": "dev"}]),
        _curves("record 0; got 'test' and None", [{"split": "test"}]),
        _curves("nan", [_RECORD | {"epoch": _NAN}]),
        _curves(r"stage 0.*\(5, 0, 1\)", [_RECORD], stages=[(5, 0, 1)]),
        _curves(r"stage 1.*\(1, 2\)", [_RECORD], stages=[(0, 0, 1), (1, 2)]),
        _pairs(r"\(3, 4, 4\)", _IMAGES, np.zeros((3, 4, 4))),
        _pairs(r"4, 4, 1\).*\(3, 4, 5, 1\)", _IMAGES, np.zeros((3, 4, 5, 1))),
        _swaps("got none", []),
        _swaps(
            r"at least one image.*page 1, 'no'.*\(0, 2, 8, 8, 1\)",
            [_PAGE, _PAGE._replace(title="no", inputs=_PAIRS[:0])],
        ),
        _swaps(
            r"inputs of page 0.*\(2, 3, 8, 8, 1\)",
            [_PAGE._replace(inputs=np.zeros((2, 3, 8, 8, 1)))],
        ),
        _swaps(
            r"swapped of page 0.*\(2, 2, 8, 8, 1\).*\(2, 2, 8, 9, 1\)",
            [_PAGE._replace(swapped=np.zeros((2, 2, 8, 9, 1)))],
        ),
        _swaps(r"\(2, 8, 8, 1\)", [_PAGE._replace(inputs=_PAIRS[0])]),
        _swaps(r"2 in all; got \('a',\)", [_PAGE._replace(labels=("a",))]),
    ],
)
def test_figures(function, args, settings, came, tmp_path):
    path = tmp_path / "figure.png"
    with pytest.raises(ValueError, match=came):
        function(*args, path, **settings)
    assert not path.exists()
