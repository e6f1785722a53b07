# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Panels of image tiles side by side, with labels, titles and captions.

Tiles sit on whole pixels of the saved picture, and every panel has tiles of
the same size. A picture that must be wider than the page for its many tiles
has more dots per inch instead: shown at page width, all these figures have
type of the same size.
"""

import math
import os
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure

from mfcvae_jax.figures import style, tiles

__all__ = ["Panel", "image_grid"]

_TILES_WIDTH = 1500  # pixels that the tiles of all panels should take
_TILE_LARGEST = 96
_GAP = 4
_NEAR = -6.0  # points from the tiles to the labels of rows


class Panel(NamedTuple):
    """One panel.

    Attributes:
        images: shape (R, Q, H, W, C); see `tiles.sheet`.
        title: set above the panel, bold.
        facet: whose colour marks the title; negative for no mark.
        rows: one label per row, in ink.
        notes: one muted label per row, nearer the tiles.
        headers: over the rows' labels and over the notes.
        columns: one text over each column of tiles, which has the room of empty
            ones beside it.
        caption: set under the panel, muted.
    """

    images: np.ndarray
    title: str = ""
    facet: int = -1
    rows: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    headers: tuple[str, str] = ("", "")
    columns: tuple[str, ...] = ()
    caption: str = ""


@style.house_style
def image_grid(
    panels: Sequence[Panel],
    path: str | os.PathLike[str] | BinaryIO,
    *,
    row_groups: tuple[int, int] = (1, 0),
    column_groups: tuple[int, int] = (1, 0),
    most_beside: int | None = None,
    side_title: str = "",
) -> None:
    """Draws panels side by side and saves the figure.

    Args:
        panels: at least one; all with the same size of image.
        path: where to write.
        row_groups: see `tiles.offsets`.
        column_groups: the same of columns.
        most_beside: panels beside each other; more of them go into bands under
            each other, as even as they can be. None for any number.
        side_title: set along the left side, bold, upwards.

    Raises:
        ValueError: if images differ in height or width.
    """
    sizes = {
        tiles.check_images(panel.images, "RQHWC", "images").shape[2:4]
        for panel in panels
    }
    if len(sizes) > 1:
        raise ValueError(
            f"Expected images of one height and width in all panels; got "
            f"{sorted(sizes)}."
        )
    n_bands = -(-len(panels) // (most_beside or len(panels)))
    per_band = -(-len(panels) // n_bands)
    n_columns = max(panel.images.shape[1] for panel in panels)
    scale = tiles.scale_for(
        max(panels[0].images.shape[2:4]),
        min(_TILES_WIDTH / (n_columns * per_band), _TILE_LARGEST),
    )
    sheets = [
        tiles.sheet(
            panel.images,
            scale=scale,
            gap=_GAP,
            row_groups=row_groups,
            column_groups=column_groups,
        )
        for panel in panels
    ]
    width = max(sheet.shape[1] for sheet in sheets)
    bands = [
        max(sheet.shape[0] for sheet in sheets[first : first + per_band])
        for first in range(0, len(sheets), per_band)
    ]
    dpi = math.ceil(style.DPI * max(1.0, width * per_band / _TILES_WIDTH))
    page = style.Page(
        [width / dpi] * per_band, [height / dpi for height in bands], dpi=dpi
    )
    for i, axes in enumerate(page.axes.flat):
        if i >= len(panels):
            axes.remove()
            continue
        axes.imshow(sheets[i], interpolation="nearest", aspect="auto")
        axes.spines[:].set_visible(False)
        # All axes of a band are as large, whatever they show.
        axes.set(
            xlim=(-0.5, width - 0.5), ylim=(bands[i // per_band] - 0.5, -0.5)
        )
        n_rows, n_columns, *tile = panels[i].images.shape[:4]
        high, wide = scale * np.array(tile)
        rows = tiles.offsets(n_rows, high, _GAP, row_groups)
        columns = tiles.offsets(n_columns, wide, _GAP, column_groups)
        _label_rows(axes, panels[i], rows + (high - 1) / 2)
        _label_columns(axes, panels[i], columns + (wide - 1) / 2, dpi)
        _write_title(axes, panels[i], width / dpi)
        _write_caption(axes, panels[i], sheets[i].shape[0], width / dpi)
    if side_title:
        longest = style.n_characters(sum(bands) / dpi, style.SIZE_TITLE, "bold")
        page.figure.supylabel(
            style.cut(side_title, longest), size=style.SIZE_TITLE, weight="bold"
        )
    page.fit()
    _snap(page.figure)
    page.save(path)


def _label_rows(axes: mpl_axes.Axes, panel: Panel, centres: np.ndarray) -> None:
    axes.set_yticks([])
    longest = max(map(len, panel.notes), default=0)
    far = _NEAR - 0.64 * style.SIZE_LABEL * longest - 6 * bool(longest)
    for at, texts, distance, header, colour in (
        (centres, panel.rows, far, panel.headers[0], style.INK),
        (centres, panel.notes, _NEAR, panel.headers[1], style.MUTED),
        # Room that all panels have, so that the tiles of different figures of
        # one model stand in the same places; nothing is seen of it.
        (centres[:1], ["00  0000"], _NEAR, "", "none"),
    ):
        style.write_column(
            axes,
            -0.5,
            at,
            texts,
            distance=distance,
            header=header,
            rise=4 if panel.columns else 9,
            color=colour,
        )


def _label_columns(
    axes: mpl_axes.Axes, panel: Panel, centres: np.ndarray, dpi: int
) -> None:
    written = [q for q, text in enumerate(panel.columns) if text.strip()]
    room = 2 * centres[-1] if len(written) < 2 else np.diff(centres[written])
    style.write_over_columns(
        axes,
        centres[written],
        [panel.columns[q] for q in written],
        width=np.min(room) / dpi,
        color=style.INK,
    )


def _write_title(axes: mpl_axes.Axes, panel: Panel, width: float) -> None:
    """Writes the title with its mark; width is in inches."""
    length = style.n_characters(width - 0.2, style.SIZE_TITLE, "bold")
    title = style.wrap(panel.title, length)
    if panel.facet < 0:
        axes.set_title(title)
        return
    # As many lines as the title, so that the mark stands at its first.
    mark = "■" + "\n" * title.count("\n")
    style.write_after(
        axes,
        axes.set_title(mark, color=style.facet_colour(panel.facet)),
        title,
        color=style.INK,
        size=style.SIZE_TITLE,
        weight="bold",
    )


def _write_caption(
    axes: mpl_axes.Axes, panel: Panel, height: int, width: float
) -> None:
    """Writes under the tiles, whose height is in pixels; width in inches."""
    axes.annotate(
        style.wrap(panel.caption, style.n_characters(width + 0.2)),
        (0, height),
        xytext=(0, -6),
        textcoords="offset points",
        va="top",
        color=style.MUTED,
        annotation_clip=False,
    )


def _snap(figure: mpl_figure.Figure) -> None:
    """Moves axes to whole pixels; their limits say how many they have."""
    page = np.floor(figure.get_size_inches() * figure.dpi)
    for axes in figure.axes:
        corner = np.round(page * axes.get_position().p0)
        size = np.ptp([axes.get_xlim(), axes.get_ylim()], axis=1)
        axes.set_position((*(corner / page), *(size / page)))
