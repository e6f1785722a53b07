# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Looks at the figures that a test draws: their texts and their images."""

import contextlib
import os
from collections.abc import Iterator
from unittest import mock

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import text as mpl_text
from matplotlib.backends import backend_agg
from PIL import Image

from mfcvae_jax.figures import style


@contextlib.contextmanager
def captured() -> Iterator[list[mpl_figure.Figure]]:
    """Collects the figures that are saved, which still are."""
    figures = []
    save = style.save

    def keep(figure, path):
        figures.append(figure)
        save(figure, path)

    with mock.patch.object(style, "save", keep):
        yield figures


def texts(figure: mpl_figure.Figure) -> list[str]:
    """Returns what is written on a figure, no-break spaces made plain."""
    return [text.get_text().replace("\u00a0", " ") for text in _written(figure)]


def clashes(figure: mpl_figure.Figure) -> list[tuple[str, ...]]:
    """Returns texts that overlap each other or leave the page."""
    renderer = backend_agg.FigureCanvasAgg(figure).get_renderer()
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
    # Boxes hold ascenders and descenders that the texts may not have.
    low = np.array([box.min for _, box in boxes]) + 1.5
    high = np.array([box.max for _, box in boxes]) - 1.5
    overlaps = (low[:, None] < high).all(-1) & (low < high[:, None]).all(-1)
    for a, b in np.argwhere(np.triu(overlaps, 1)):
        found.append((boxes[a][0], boxes[b][0]))
    return found


def sheets(
    figure: mpl_figure.Figure, path: str | os.PathLike[str]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns each image of a figure, as given and as it stands in a PNG."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    found = []
    for axes in figure.axes:
        for image in axes.images:
            given = np.asarray(image.get_array())
            box = axes.get_position().transformed(figure.transFigure)
            left = round(box.x0)
            top = round(picture.shape[0] - box.y1)
            height, width, _ = given.shape
            found.append(
                (given, picture[top : top + height, left : left + width])
            )
    return found


def _written(figure: mpl_figure.Figure) -> list[mpl_text.Text]:
    written = list(figure.texts)
    for axes in figure.axes:
        written += axes.texts
        legend = axes.get_legend()
        written += legend.get_texts() if legend else []
    return written
