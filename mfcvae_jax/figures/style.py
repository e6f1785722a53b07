# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The shared look of all figures: colours, type sizes, page, saving.

Figures are designed for a page 9 inches (900 CSS pixels) wide and saved at
200 dots per inch, so that they stay sharp on dense displays.
"""

import bisect
import functools
import os
import pathlib
from collections.abc import Sequence
from typing import BinaryIO

import matplotlib
from matplotlib import colors as mpl_colors
from matplotlib import figure as mpl_figure
from matplotlib import font_manager, textpath

__all__ = [
    "BACKGROUND",
    "DPI",
    "FAINT",
    "INK",
    "MUTED",
    "SIZE_LABEL",
    "SIZE_TITLE",
    "WIDTH",
    "cut",
    "facet_colour",
    "facet_titles",
    "house_style",
    "new_figure",
    "readable_on",
    "save",
    "text_width",
    "wrap",
    "write",
]

DPI = 200
WIDTH = 9.0  # inches

BACKGROUND = "#ffffff"
INK = "#24292f"
MUTED = "#6a737d"
FAINT = "#e4e7eb"

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

_FONT = "DejaVu Sans"  # comes with Matplotlib, so every machine draws alike

# A decorator: the settings hold while the function runs, and no longer.
house_style = matplotlib.rc_context(
    {
        "font.family": "sans-serif",
        "font.sans-serif": [_FONT],
        "font.size": SIZE_LABEL,
        "text.color": INK,
        "text.parse_math": False,  # a '$' in a class name is a dollar
        "axes.edgecolor": "#9aa3ad",
        "axes.linewidth": 0.7,
        "axes.labelcolor": MUTED,
        "axes.axisbelow": True,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "grid.color": FAINT,
        "grid.linewidth": 0.7,
        "grid.linestyle": "-",
        "xtick.color": "#9aa3ad",
        "ytick.color": "#9aa3ad",
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.labelsize": SIZE_LABEL,
        "ytick.labelsize": SIZE_LABEL,
        "xtick.major.size": 3.0,
        "ytick.major.size": 0.0,
        "xtick.major.width": 0.7,
        "lines.linewidth": 1.6,
        "lines.solid_capstyle": "round",
        "lines.dash_capstyle": "round",
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


def facet_titles(
    titles: Sequence[str] | None, n_facets: int
) -> tuple[str, ...]:
    """Returns one title per facet, 'Facet 0', 'Facet 1', ... by default.

    Args:
        titles: J titles, or None.
        n_facets: J.

    Raises:
        ValueError: if the number of titles is not the number of facets.
    """
    if titles is None:
        return tuple(f"Facet {j}" for j in range(n_facets))
    if isinstance(titles, str) or len(titles) != n_facets:
        raise ValueError(
            f"Expected titles to hold one text per facet, {n_facets} in all; "
            f"got {titles!r}."
        )
    return tuple(str(title) for title in titles)


def readable_on(colour: tuple[float, float, float]) -> str:
    """Returns white or ink, whichever contrasts more with a background.

    Args:
        colour: red, green and blue of the background, each in [0, 1].
    """
    background, ink = _luminance(colour), _luminance(mpl_colors.to_rgb(INK))
    contrast_white = 1.05 / (background + 0.05)
    contrast_ink = (background + 0.05) / (ink + 0.05)
    return BACKGROUND if contrast_white > contrast_ink else INK


def new_figure(width: float, height: float) -> mpl_figure.Figure:
    """Returns an empty white figure.

    Args:
        width: in inches.
        height: in inches.
    """
    return mpl_figure.Figure(
        figsize=(width, height), dpi=DPI, facecolor=BACKGROUND
    )


def save(
    figure: mpl_figure.Figure, path: str | os.PathLike[str] | BinaryIO
) -> None:
    """Writes a figure; makes the folder; the ending chooses the format.

    A file that is open for writing gets a PNG.
    """
    if isinstance(path, str | os.PathLike):
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)


@functools.cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Returns the width of one line of text, in inches.

    Args:
        text: the line.
        size: in points.
        weight: 'normal' or 'bold'.
    """
    if not text.strip():
        return 0.0
    font = font_manager.FontProperties(family=_FONT, weight=weight, size=size)
    width, _, _ = textpath.text_to_path.get_text_width_height_descent(
        text, font, ismath=False
    )
    return float(width) / 72


def wrap(
    text: str, width: float, size: float, weight: str = "normal"
) -> tuple[str, ...]:
    """Breaks a text into lines no wider than `width`.

    A single word that is too wide is cut, so that no text ever runs into its
    neighbour. Words joined by no-break spaces count as one.

    Args:
        text: the text; its own line breaks are kept.
        width: in inches.
        size: in points.
        weight: 'normal' or 'bold'.

    Returns:
        The lines; none for an empty text.
    """
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in filter(None, paragraph.split(" ")):
            longer = f"{line} {word}".strip()
            if line and text_width(longer, size, weight) > width:
                lines.append(line)
                longer = word
            line = cut(longer, width, size, weight)
        lines.append(line)
    return tuple(lines)


def cut(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Cuts a line that is wider than `width`, ending it in an ellipsis.

    Args:
        text: the line.
        width: in inches.
        size: in points.
        weight: 'normal' or 'bold'.
    """
    if text_width(text, size, weight) <= width:
        return text
    n_kept = bisect.bisect_right(
        range(1, len(text)),
        width,
        key=lambda n: text_width(text[:n] + "…", size, weight),
    )
    return text[: max(1, n_kept)].rstrip() + "…"


def write(
    figure: mpl_figure.Figure, x: float, y: float, text: str, **settings
) -> None:
    """Writes one line of text on the page.

    Args:
        figure: the page.
        x: in inches from the left.
        y: of the middle of the line unless `va` says otherwise, in inches
            from the top.
        text: the line.
        **settings: of Matplotlib's Text.
    """
    width, height = figure.get_size_inches()
    figure.text(
        x / width, 1 - y / height, text, **{"va": "center_baseline", **settings}
    )


def _luminance(colour: tuple[float, float, float]) -> float:
    """Relative luminance of an sRGB colour, as WCAG 2 defines it."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
