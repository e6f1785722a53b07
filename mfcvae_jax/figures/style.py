# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The shared look of all figures: colours, type, the page and its layout.

Matplotlib's constrained layout gives every text its room; `Page.fit` then makes
the page as large as the panels need. Only line breaks are ours: they count
characters.
"""

import functools
import os
import pathlib
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import matplotlib
import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import layout_engine
from matplotlib import text as mpl_text
from matplotlib.backends import backend_agg

__all__ = [
    "BACKGROUND",
    "DPI",
    "INK",
    "MUTED",
    "Page",
    "SIZE_LABEL",
    "SIZE_TITLE",
    "WIDTH",
    "check_texts",
    "cut",
    "epoch_span",
    "facet_colour",
    "house_style",
    "n_characters",
    "readable_on",
    "set_epochs",
    "wrap",
    "write_after",
    "write_column",
    "write_over_columns",
]

DPI = 200  # sharp on dense displays
WIDTH = 9.0  # inches, shown as 900 CSS pixels

BACKGROUND = "#ffffff"
INK = "#24292f"
MUTED = "#6a737d"
_FAINT = "#e4e7eb"
_RULE = "#9aa3ad"

SIZE_TITLE = 9.0  # points
SIZE_LABEL = 7.5

# Told apart in hue and in lightness, also by readers with colour-vision
# deficiency; no pure red or green.
_FACET_COLOURS = (
    "#2f6da8",
    "#d9772b",
    "#3f9d7c",
    "#8e5aa6",
    "#b8952d",
    "#c4506b",
)

# Mean width of a character of running text, in units of the type size.
_CHARACTER = {"normal": 0.58, "bold": 0.66}
_UPRIGHT = 1.0  # inches, of the longest text that stands upright

# A decorator: the settings hold while the function runs, and no longer.
house_style = matplotlib.rc_context(
    {
        "font.family": "sans-serif",
        # Comes with Matplotlib, so every machine draws alike.
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": SIZE_LABEL,
        "text.color": INK,
        "text.parse_math": False,  # a '$' in a class name is a dollar
        "axes.edgecolor": _RULE,
        "axes.linewidth": 0.7,
        "axes.labelcolor": MUTED,
        "axes.labelsize": SIZE_LABEL,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlepad": 9.0,
        "axes.titlesize": SIZE_TITLE,
        "axes.titleweight": "bold",
        "axes.grid": False,
        "grid.color": _FAINT,
        "grid.linewidth": 0.7,
        "xtick.color": _RULE,
        "ytick.color": _RULE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.labelsize": SIZE_LABEL,
        "ytick.labelsize": SIZE_LABEL,
        "xtick.major.size": 3.0,
        "ytick.major.size": 0.0,
        "xtick.major.width": 0.7,
        "lines.linewidth": 1.6,
        "legend.frameon": False,
        "legend.fontsize": SIZE_LABEL,
        "figure.facecolor": BACKGROUND,
        "savefig.facecolor": BACKGROUND,
        "savefig.bbox": None,  # a tight box would shift tiles off the pixels
    }
)


def facet_colour(facet: int) -> str:
    """Returns the colour of a facet, the same in every figure."""
    return _FACET_COLOURS[facet % len(_FACET_COLOURS)]


def check_texts(texts: Sequence[Any], n: int, name: str) -> tuple[str, ...]:
    """Returns the texts, if there is one for each of n things.

    Raises:
        ValueError: if there are more or fewer, or a single text.
    """
    if isinstance(texts, str) or len(texts) != n:
        raise ValueError(
            f"Expected {name} to hold one text each, {n} in all; got {texts!r}."
        )
    return tuple(str(text) for text in texts)


def readable_on(colour: Sequence[float]) -> str:
    """Returns white or ink, whichever reads better on a colour in [0, 1]^3."""
    lightness = np.dot(colour, (0.299, 0.587, 0.114))
    return BACKGROUND if lightness < 0.475 else INK


class Page:
    """A figure with a grid of axes, around which it grows.

    Attributes:
        figure: Matplotlib's.
        axes: shape (rows, columns).
    """

    def __init__(
        self, widths: Sequence[float], heights: Sequence[float], dpi: int = DPI
    ) -> None:
        """Makes an empty white page; widths and heights of axes in inches."""
        self._widths, self._heights = widths, heights
        self._layout = layout_engine.ConstrainedLayoutEngine(
            w_pad=0.12, h_pad=0.11, wspace=0, hspace=0
        )
        # With room for any label: axes that collapse cannot be laid out.
        self.figure = mpl_figure.Figure(
            figsize=(
                sum(widths) + 2 * len(widths),
                sum(heights) + 2 * len(heights),
            ),
            dpi=dpi,
            layout=self._layout,
        )
        self._canvas = backend_agg.FigureCanvasAgg(self.figure)
        self.axes = self.figure.subplots(
            len(heights),
            len(widths),
            squeeze=False,
            width_ratios=widths,
            height_ratios=heights,
        )

    def fit(self, width: float | None = None) -> None:
        """Makes the page as large as axes and labels need, once all are there.

        With a width of the page, in inches, the axes share what is left of it;
        with None they have the widths that were asked for.
        """
        wanted = np.array([self._widths[0], self._heights[0]])
        total = np.array([sum(self._widths), sum(self._heights)])
        size, dpi = self.figure.get_size_inches(), self.figure.dpi
        for _ in range(3):
            if width is not None:
                size[0] = width
            # Whole pixels, and a little for what divisions lose.
            self.figure.set_size_inches(*(np.ceil(size * dpi) + 0.01) / dpi)
            self._layout.execute(self.figure)
            # Labels keep their size, so what the page gains goes to the axes.
            first = self.axes[0, 0].get_position(original=True)
            missing = total * (1 - first.size * size / wanted)
            if np.abs(missing[width is not None :]).max() * dpi < 2:
                break
            size = size + missing
        self.figure.set_layout_engine("none")

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Writes the page; makes the folder; the ending chooses the format.

        A file that is open for writing gets a PNG.
        """
        if isinstance(path, str | os.PathLike):
            path = pathlib.Path(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix != ".png":
                self.figure.savefig(path)
                return
        # `savefig` also writes PNGs, but draws twice, which takes long.
        self._canvas.print_png(path)


def n_characters(
    width: float, size: float = SIZE_LABEL, weight: str = "normal"
) -> int:
    """Returns how many characters of running text a width holds, at least 1.

    The width is in inches, the size of the type in points.
    """
    return max(1, int(width * 72 / (size * _CHARACTER[weight])))


def wrap(text: str, length: int, n_lines: int = 3) -> str:
    """Breaks a text into lines; what does not fit ends in an ellipsis.

    The length of a line is in characters. Words joined by no-break spaces count
    as one; words longer than a line are broken.
    """
    lines = textwrap.wrap(text, length)
    last = " ".join(lines[n_lines - 1 :])
    return "\n".join([*lines[: n_lines - 1], cut(last, length)]).rstrip()


def cut(text: str, length: int) -> str:
    """Cuts a text that is longer than `length`, ending it in an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def write_after(
    axes: mpl_axes.Axes, artist: mpl_text.Text, text: str, **settings: Any
) -> mpl_text.Text:
    """Writes a text, muted by default, on the line of another one after it."""
    return axes.annotate(
        text,
        (1, 0),
        xycoords=artist,
        xytext=(6, 0),
        textcoords="offset points",
        va="bottom",
        **{"color": MUTED, **settings},
    )


def write_column(
    axes: mpl_axes.Axes,
    x: float,
    rows: np.ndarray,
    texts: Sequence[str],
    *,
    distance: float,
    header: str = "",
    rise: float = 4.0,
    color: str = INK,
) -> None:
    """Writes texts beside rows, right-aligned, and a muted header over them.

    Args:
        axes: whose limits are set.
        x: where the texts stand, in data coordinates.
        rows: the height of each text, in data coordinates.
        texts: one per row.
        distance: from x to the end of the texts, in points.
        header: one word, or empty.
        rise: from the top of the axes to the header, in points.
        color: of the texts.
    """
    if not texts:
        return
    write = functools.partial(
        axes.annotate,
        textcoords="offset points",
        ha="right",
        annotation_clip=False,
    )
    longest = max(texts, key=lambda text: max(map(len, text.split("\n"))))
    for row, text in zip(rows, texts, strict=True):
        written = write(
            text,
            xy=(x, row),
            xytext=(distance, 0),
            va="center_baseline",
            color=color,
        )
        # The layout takes its time for each text; the longest one is enough.
        written.set_in_layout(text == longest)
    top = axes.get_ylim()[1]
    write(header, xy=(x, top), xytext=(distance, rise), color=MUTED)


def write_over_columns(
    axes: mpl_axes.Axes,
    centres: np.ndarray,
    texts: Sequence[str],
    *,
    width: float,
    color: str = MUTED,
) -> None:
    """Breaks texts to the width of their columns, or sets them upright.

    Centres are in data coordinates; the width, of the narrowest column, is in
    inches.
    """
    length = n_characters(width)
    upright = max(map(len, " ".join(texts).split()), default=0) > length
    if upright:
        texts = [cut(text, n_characters(_UPRIGHT)) for text in texts]
    else:
        texts = [wrap(text, length) for text in texts]
    axes.set_xticks(centres, texts, rotation=90 if upright else 0, color=color)
    axes.tick_params(axis="x", length=0, labeltop=True, labelbottom=False)


def epoch_span(epochs: Iterable[float]) -> tuple[float, float]:
    """Returns the first and the last epoch, or a range around a single one."""
    epochs = np.fromiter(epochs, float)
    low, high = float(epochs.min()), float(epochs.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def set_epochs(
    axes: mpl_axes.Axes, span: tuple[float, float], *, is_labelled: bool
) -> None:
    """Sets the axis of epochs; only the lowest panel of a column has labels."""
    axes.set_xlim(*span)
    is_long = span[1] - span[0] >= 1
    axes.locator_params(axis="x", nbins=8, min_n_ticks=1, integer=is_long)
    axes.tick_params(
        axis="x", labelbottom=is_labelled, length=3 if is_labelled else 0
    )
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    if is_labelled:
        axes.set_xlabel("epoch", labelpad=3)
