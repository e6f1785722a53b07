# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Panels of image tiles side by side: labels, headers, titles and captions.

Lengths are in pixels of the saved picture. Tiles sit on whole pixels, and
every panel has tiles of the same size in the same places, so that rows align
over the panels. Type grows with the picture: shown at page width, all these
figures have text of the same size.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import patches

from mfcvae_jax.figures import style, tiles

__all__ = ["Panel", "broken", "draw_panels"]

_TILES_WIDTH = 1500  # pixels that the tiles of all panels should take
_TILE_LARGEST = 96
_GAP = 4
_TITLE_PITCH = 1.3  # lines
_HEADER_LONGEST = 1.0  # inches, of a header that stands upright
# Panels with short labels are given this room too, so that the tiles of
# different figures of one model stand in the same places.
_SHORTEST_LABELS = ("00", "0000")


class Panel(NamedTuple):
    """One panel.

    Attributes:
        images: shape (R, Q, H, W, C); see `tiles.sheet`.
        present: False where a tile is missing, shape (R, Q), or None.
        labels: one tuple of cells per row; the first cell is set in ink, the
            others muted. A cell may hold line breaks.
        headers: one text over each column of cells; may be empty.
        title: set above the panel, bold.
        caption: set under the panel, muted; may be empty.
        colour: of the mark beside the title, or None for no mark.
        tile_headers: one text over each column of tiles; may be empty.
            A text has the room of the empty ones beside it.
        side_title: set along the left side, bold, upwards; may be empty.
    """

    images: np.ndarray
    present: np.ndarray | None
    labels: tuple[tuple[str, ...], ...]
    headers: tuple[str, ...]
    title: str
    caption: str = ""
    colour: str | None = None
    tile_headers: tuple[str, ...] = ()
    side_title: str = ""


class _Headers(NamedTuple):
    """What stands over the columns of tiles of a panel.

    Attributes:
        lines: of each text.
        is_upright: whether texts run upwards, since one of them is too wide.
        height: of all of it, in pixels.
    """

    lines: tuple[tuple[str, ...], ...] = ()
    is_upright: bool = False
    height: int = 0


class _Band(NamedTuple):
    """Where panels beside each other stand, in pixels from the page's top."""

    top: int  # of the tiles
    header_height: int
    bottom: int  # of tiles and captions


class _Metrics(NamedTuple):
    """Lengths shared by all panels, in pixels; sizes in points."""

    scale: int
    tile_height: int
    tile_lefts: np.ndarray  # of the columns of tiles, in the sheet
    cell_widths: tuple[int, ...]
    cell_gap: int
    side: int  # room of the titles along the left side
    gutter: int  # the side, and the row labels with the space after each cell
    sheet_width: int
    margin: int
    panel_gap: int
    line: int
    title_size: float
    label_size: float

    @property
    def title_drop(self) -> float:
        """From the middle of the last line of a title to the tiles."""
        return 1.1 * self.line

    @property
    def panel_width(self) -> int:
        return self.gutter + self.sheet_width


@style.house_style
def draw_panels(
    panels: Sequence[Panel],
    path: str | os.PathLike[str],
    *,
    group: int = 1,
    group_gap: int = 6,
    column_group: int = 1,
    column_group_gap: int = 0,
    per_band: int | None = None,
) -> None:
    """Draws panels side by side and saves the figure.

    Args:
        panels: at least one; all with the same size of image.
        path: where to write; the ending chooses the format.
        group: set off every `group` rows from the next ones.
        group_gap: by this many pixels more than the gap between tiles.
        column_group: set off every `column_group` columns of tiles from the
            next ones.
        column_group_gap: by this many pixels more than the gap between tiles.
        per_band: panels beside each other; the others go under them. None for
            all of them.
    """
    per_band = min(per_band or len(panels), len(panels))
    metrics = _measure(panels, column_group, column_group_gap, per_band)
    titles = [
        style.wrap(
            panel.title,
            (metrics.sheet_width - _mark(metrics)) / style.DPI,
            metrics.title_size,
            "bold",
        )
        for panel in panels
    ]
    captions = [
        style.wrap(
            panel.caption,
            metrics.sheet_width / style.DPI,
            metrics.label_size,
        )
        for panel in panels
    ]
    sheets = [
        tiles.sheet(
            panel.images,
            present=panel.present,
            scale=metrics.scale,
            gap=_GAP,
            group=group,
            group_gap=group_gap,
            column_group=column_group,
            column_group_gap=column_group_gap,
        )
        for panel in panels
    ]
    headers = [_fit_headers(panel.tile_headers, metrics) for panel in panels]
    bands = []  # of each panel
    bottom = 0
    for first in range(0, len(panels), per_band):
        chosen = slice(first, first + per_band)
        band = _place_band(
            bottom + (metrics.panel_gap if bottom else metrics.margin),
            titles[chosen],
            headers[chosen],
            sheets[chosen],
            captions[chosen],
            metrics,
        )
        bands += [band] * len(panels[chosen])
        bottom = band.bottom
    height = bottom + metrics.margin
    width = (
        2 * metrics.margin
        + per_band * metrics.panel_width
        + (per_band - 1) * metrics.panel_gap
    )
    figure = style.new_figure(width / style.DPI, height / style.DPI)
    page = _Page(figure, width, height)
    for p, panel in enumerate(panels):
        pitch = metrics.panel_width + metrics.panel_gap
        left = metrics.margin + p % per_band * pitch
        top, header_height = bands[p].top, bands[p].header_height
        _draw_title(
            page,
            left + metrics.gutter,
            top - header_height,
            titles[p],
            panel,
            metrics,
        )
        _draw_headers(page, left + metrics.gutter, top, headers[p], metrics)
        centres = metrics.tile_height / 2 + tiles.offsets(
            len(panel.labels),
            metrics.tile_height,
            _GAP,
            group=group,
            group_gap=group_gap,
        )
        _draw_labels(
            page,
            left,
            top - (0.7 * metrics.line if header_height else metrics.title_drop),
            top + centres,
            panel,
            metrics,
        )
        _draw_side_title(
            page, left, top + sheets[p].shape[0] / 2, height, panel, metrics
        )
        page.image(left + metrics.gutter, top, sheets[p])
        for i, line in enumerate(captions[p]):
            page.text(
                left + metrics.gutter,
                top + sheets[p].shape[0] + metrics.line * (1.1 + i),
                line,
                size=metrics.label_size,
                color=style.MUTED,
            )
    style.save(figure, path)


def broken(text: str, width: float, n_lines: int = 2) -> str:
    """Returns a text as a cell of a row label that is not too wide.

    Args:
        text: the text.
        width: in inches, at the size of labels.
        n_lines: lines at most; the last one then ends in an ellipsis.
    """
    lines = style.wrap(text, width, style.SIZE_LABEL)
    if len(lines) > n_lines:
        rest = " ".join(lines[n_lines - 1 :])
        last = style.cut(rest, width, style.SIZE_LABEL)
        lines = (*lines[: n_lines - 1], last)
    return "\n".join(lines)


def _place_band(
    start: int,
    titles: Sequence[Sequence[str]],
    headers: Sequence[_Headers],
    sheets: Sequence[np.ndarray],
    captions: Sequence[Sequence[str]],
    metrics: _Metrics,
) -> _Band:
    """Places panels that stand beside each other, from `start` downwards."""
    n_title_lines = max(len(lines) for lines in titles)
    top = start
    if n_title_lines:
        top += round(metrics.title_drop + metrics.line * 0.5)
        top += round(_TITLE_PITCH * metrics.line * (n_title_lines - 1))
    header_height = max(fitted.height for fitted in headers)
    top += header_height
    feet = [
        image.shape[0] + metrics.line * (len(lines) + 0.7 * bool(lines))
        for image, lines in zip(sheets, captions, strict=True)
    ]
    return _Band(top, header_height, top + round(max(feet)))


class _Page:
    """A figure addressed in pixels from its top left corner."""

    def __init__(
        self, figure: mpl_figure.Figure, width: int, height: int
    ) -> None:
        self._figure = figure
        self._width = width
        self._height = height

    def text(self, x: float, y: float, text: str, **settings) -> None:
        """Writes one line, vertically centred on y."""
        self._figure.text(
            x / self._width,
            1 - y / self._height,
            text,
            **{"va": "center_baseline", **settings},
        )

    def image(self, x: int, y: int, image: np.ndarray) -> None:
        """Puts an image with its top left corner at (x, y), pixel by pixel."""
        rows, columns, _ = image.shape
        axes = self._figure.add_axes(
            (
                x / self._width,
                1 - (y + rows) / self._height,
                columns / self._width,
                rows / self._height,
            )
        )
        axes.imshow(image, interpolation="nearest", aspect="auto")
        axes.set_axis_off()

    def box(self, x: float, y: float, side: float, colour: str) -> None:
        """Fills a square with its top left corner at (x, y)."""
        self._figure.add_artist(
            patches.Rectangle(
                (x / self._width, 1 - (y + side) / self._height),
                side / self._width,
                side / self._height,
                color=colour,
                linewidth=0,
            )
        )


def _measure(
    panels: Sequence[Panel],
    column_group: int,
    column_group_gap: int,
    per_band: int,
) -> _Metrics:
    *_, rows, columns, _ = panels[0].images.shape
    n_columns = max(panel.images.shape[1] for panel in panels)
    n_tiles = n_columns * per_band
    scale = tiles.scale_for(
        max(rows, columns), min(_TILES_WIDTH / n_tiles, _TILE_LARGEST)
    )
    tile_lefts = tiles.offsets(
        n_columns,
        columns * scale,
        _GAP,
        group=column_group,
        group_gap=column_group_gap,
    )
    sheet_width = int(tile_lefts[-1]) + columns * scale
    # Type is scaled by what the page shrinks the picture by.
    zoom = max(1.0, sheet_width * per_band / _TILES_WIDTH)
    label_size = style.SIZE_LABEL * zoom

    n_cells = max(
        (len(cells) for panel in panels for cells in panel.labels), default=0
    )
    cell_widths = tuple(
        _widest(
            [
                cells[c]
                for panel in panels
                for cells in (*panel.labels, panel.headers)
                if c < len(cells)
            ],
            label_size,
        )
        for c in range(n_cells)
    )
    cell_gap = round(16 * zoom)
    gutter = max(
        sum(cell_widths) + n_cells * cell_gap,
        sum(
            _widest([text], label_size) + cell_gap for text in _SHORTEST_LABELS
        ),
    )
    line = round(30 * zoom)
    side = 0
    if any(panel.side_title for panel in panels):
        side = round(_TITLE_PITCH * line)
    return _Metrics(
        scale=scale,
        tile_height=rows * scale,
        tile_lefts=tile_lefts,
        cell_widths=cell_widths,
        cell_gap=cell_gap,
        side=side,
        gutter=side + gutter,
        sheet_width=sheet_width,
        margin=round(24 * zoom),
        panel_gap=round(44 * zoom),
        line=line,
        title_size=style.SIZE_TITLE * zoom,
        label_size=label_size,
    )


def _widest(texts: Sequence[str], size: float) -> int:
    return round(
        style.DPI
        * max(
            (
                style.text_width(line, size)
                for text in texts
                for line in text.splitlines()
            ),
            default=0.0,
        )
    )


def _fit_headers(texts: Sequence[str], metrics: _Metrics) -> _Headers:
    """Breaks headers to the width they have, or sets them upright."""
    written = [q for q, text in enumerate(texts) if text.strip()]
    if not written:
        return _Headers()
    room = float(metrics.sheet_width)
    if len(written) > 1:
        room = float(np.diff(metrics.tile_lefts[written]).min())
    room = (room - 0.3 * metrics.line) / style.DPI
    size = metrics.label_size
    if all(
        style.text_width(word, size) <= room
        for text in texts
        for word in text.split(" ")
    ):
        lines = tuple(style.wrap(text, room, size) for text in texts)
        n_lines = max(map(len, lines))
        return _Headers(lines, False, round((n_lines + 0.3) * metrics.line))
    kept = [style.cut(text, _HEADER_LONGEST, size) for text in texts]
    return _Headers(
        tuple((text,) if text else () for text in kept),
        True,
        _widest(kept, size) + metrics.line // 2,
    )


def _draw_headers(
    page: _Page, left: int, top: int, headers: _Headers, metrics: _Metrics
) -> None:
    tile_width = metrics.sheet_width - int(metrics.tile_lefts[-1])
    settings = {
        "size": metrics.label_size,
        "color": style.INK,
        "ha": "center",
    }
    if headers.is_upright:
        settings.update(rotation=90, va="bottom")
    for q, lines in enumerate(headers.lines):
        centre = metrics.tile_lefts[q] + tile_width / 2
        for i, line in enumerate(lines):
            x, y = centre, top - metrics.line * (len(lines) - i - 0.3)
            if headers.is_upright:
                y = top - 0.3 * metrics.line
            else:  # never beyond the tiles, where labels and neighbours are
                half = _widest([line], metrics.label_size) / 2
                x = min(max(x, half), metrics.sheet_width - half)
            page.text(left + x, y, line, **settings)


def _draw_side_title(
    page: _Page,
    left: int,
    centre: float,
    height: int,
    panel: Panel,
    metrics: _Metrics,
) -> None:
    """Sets the title beside the middle of the tiles, and within the page."""
    if not panel.side_title:
        return
    room = height - 2 * metrics.margin
    font = (metrics.title_size, "bold")
    text = style.cut(panel.side_title, room / style.DPI, *font)
    half = style.DPI * style.text_width(text, *font) / 2
    page.text(
        left + metrics.side / 2,
        min(max(centre, metrics.margin + half), height - metrics.margin - half),
        text,
        size=metrics.title_size,
        weight="bold",
        rotation=90,
        ha="center",
        va="center",
    )


def _mark(metrics: _Metrics) -> int:
    """Width of the coloured mark and the space after it."""
    return round(1.1 * metrics.line)


def _draw_title(
    page: _Page,
    left: int,
    top: int,
    lines: Sequence[str],
    panel: Panel,
    metrics: _Metrics,
) -> None:
    pitch = _TITLE_PITCH * metrics.line
    first = top - metrics.title_drop - pitch * (len(lines) - 1)
    indent = 0
    if panel.colour is not None and lines:
        side = round(0.6 * metrics.line)
        page.box(left, first - side / 2, side, panel.colour)
        indent = _mark(metrics)
    for i, line in enumerate(lines):
        page.text(
            left + indent,
            first + i * pitch,
            line,
            size=metrics.title_size,
            weight="bold",
        )


def _draw_labels(
    page: _Page,
    left: int,
    header_y: float,
    centres: np.ndarray,
    panel: Panel,
    metrics: _Metrics,
) -> None:
    n_cells = len(metrics.cell_widths)
    labels_width = sum(metrics.cell_widths) + n_cells * metrics.cell_gap
    right = left + metrics.gutter - labels_width
    for c, width in enumerate(metrics.cell_widths):
        right += width
        if c < len(panel.headers):
            page.text(
                right,
                header_y,
                panel.headers[c],
                size=metrics.label_size,
                color=style.MUTED,
                ha="right",
            )
        for centre, cells in zip(centres, panel.labels, strict=True):
            if c < len(cells):
                page.text(
                    right,
                    centre,
                    cells[c],
                    size=metrics.label_size,
                    color=style.INK if c == 0 else style.MUTED,
                    ha="right",
                )
        right += metrics.cell_gap
