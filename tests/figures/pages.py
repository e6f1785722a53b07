# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Looks at the figures that a test draws: their texts and their images."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from unittest import mock

import matplotlib
import numpy as np
from absl.testing import parameterized
from matplotlib import figure as mpl_figure
from matplotlib import text as mpl_text
from PIL import Image

from mfcvae_jax.figures import style

# Texts that are longer than their room.
WORD = "Donaudampfschifffahrtsgesellschaft"
WORDS = "a text of many words and more "


class FigureCase(parameterized.TestCase):
    """Draws into a file of its own, and checks what holds for every figure."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder) / "new" / "figure.png"
        self.sheets: list[np.ndarray] = []  # the images that were drawn last

    def draw(self, function, *args, **settings) -> mpl_figure.Figure:
        """Calls a function of figures and returns what it has drawn.

        No text is clipped or overlaps another one or an image, images stand in
        the PNG unchanged, and Matplotlib's settings are left alone.
        """
        before = dict(matplotlib.rcParams)
        with captured() as figures:
            function(*args, self.path, **settings)
        self.assertEqual(dict(matplotlib.rcParams), before)
        (figure,) = figures
        self.assertEmpty(clashes(figure))
        self.sheets = _sheets(figure, self.path)
        return figure

    def draw_twice(self, function, *args, **settings) -> mpl_figure.Figure:
        """The same, of a figure that must come out alike, byte by byte."""
        self.draw(function, *args, **settings)
        first = self.path.read_bytes()
        figure = self.draw(function, *args, **settings)
        self.assertEqual(first, self.path.read_bytes())
        return figure


@contextlib.contextmanager
def captured() -> Iterator[list[mpl_figure.Figure]]:
    """Collects the figures that are saved, which still are."""
    figures = []
    save = style.Page.save

    def keep(page, path):
        figures.append(page.figure)
        save(page, path)

    with mock.patch.object(style.Page, "save", keep):
        yield figures


def texts(figure: mpl_figure.Figure) -> list[str]:
    """Returns what is written on a figure, on one line each."""
    return [text.get_text().replace("\n", " ") for text in _written(figure)]


def clashes(figure: mpl_figure.Figure) -> list[tuple[str, ...]]:
    """Returns texts that overlap each other or an image, or leave the page."""
    renderer = figure.canvas.get_renderer()
    boxes = [
        (text.get_text(), text.get_window_extent(renderer))
        for text in _written(figure)
    ]
    page = figure.bbox
    found = [
        (text,)
        for text, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1 or box.y1 > page.y1
    ]
    boxes += [
        ("an image", image.get_window_extent(renderer))
        for axes in figure.axes
        for image in axes.images
    ]
    # Boxes hold ascenders and descenders that the texts may not have.
    low = np.array([box.min for _, box in boxes]) + 1.5
    high = np.array([box.max for _, box in boxes]) - 1.5
    overlaps = (low[:, None] < high).all(-1) & (low < high[:, None]).all(-1)
    for a, b in np.argwhere(np.triu(overlaps, 1)):
        found.append((boxes[a][0], boxes[b][0]))
    return found


def tiles(sheet: np.ndarray, n_rows: int, n_columns: int) -> np.ndarray:
    """Returns the first channel in the middle of each tile of a sheet."""
    at = (
        np.linspace(0, size, 2 * n + 1)[1::2].astype(int)
        for size, n in zip(sheet.shape, (n_rows, n_columns), strict=False)
    )
    return sheet[np.ix_(*at)][..., 0]


def rows_of_axes(figure: mpl_figure.Figure) -> list[int]:
    """Returns how many axes stand beside each other, from the top."""
    tops = [round(axes.get_position().y1, 6) for axes in figure.axes]
    return [tops.count(top) for top in sorted(set(tops), reverse=True)]


def _sheets(
    figure: mpl_figure.Figure, path: str | os.PathLike[str]
) -> list[np.ndarray]:
    """Returns the images of a figure, which must stand in its PNG unchanged."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    found = []
    for axes in figure.axes:
        for image in axes.images:
            given = np.asarray(image.get_array())
            height, width, _ = given.shape
            box = image.get_window_extent()
            left, top = round(box.x0), round(picture.shape[0] - box.y1)
            drawn = picture[top : top + height, left : left + width]
            np.testing.assert_array_equal(given, drawn)
            found.append(given)
    return found


def _written(figure: mpl_figure.Figure) -> list[mpl_text.Text]:
    """All that is seen: no empty texts, and no ticks outside of the axes."""
    unseen = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick, place in zip(
                axis.get_major_ticks(), axis.get_majorticklocs(), strict=True
            ):
                if not low <= place <= high:
                    unseen |= {tick.label1, tick.label2}
    return [
        text
        for text in figure.findobj(mpl_text.Text)
        if text.get_visible()
        and text.get_text().strip()
        and text.get_color() != "none"
        and text not in unseen
    ]
