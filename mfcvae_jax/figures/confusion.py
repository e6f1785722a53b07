# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Clusters against classes: one heat map for each facet and labeling."""

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colors as mpl_colors
from matplotlib import figure as mpl_figure

from mfcvae_jax.figures import style

__all__ = ["BlockOrder", "block_order", "confusion_matrices"]

_EMPTY_CELL = "#f4f5f7"
_COUNT_SIZES = (6.5, 6.0, 5.5)  # points, the largest that fits is taken

# Inches.
_MARGIN = 0.14
_CELL_HEIGHT = 0.165
_CELL_WIDTHS = (0.12, 0.42)
_CELL_WIDEST = 0.7  # where there are few classes
_NARROWEST = 1.6
_BETWEEN_COLUMNS = 0.36
_BETWEEN_ROWS = 0.3
_LINE = 0.16
_TITLE_LINE = 0.19
_LABEL_GAP = 0.08
_NAME_LONGEST = 1.1


class BlockOrder(NamedTuple):
    """The rows of a table of counts, ordered to look block-diagonal.

    Attributes:
        components: indices of the clusters in use: by the class most frequent
            in the cluster, then by decreasing purity, then by index; shape
            (U,), int.
        accuracy: many-to-one accuracy: the part of all examples that are of
            the most frequent class of their cluster, in [0, 1].
    """

    components: np.ndarray
    accuracy: float


def block_order(table: np.ndarray) -> BlockOrder:
    """Orders the clusters of a table of counts.

    Args:
        table: counts of examples, shape (K, L) for K clusters and L classes.

    Returns:
        The clusters that have examples, and the accuracy.

    Raises:
        ValueError: if these are not counts, or all are zero.
    """
    table = np.asarray(table)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(
            "Expected a table of counts of shape (clusters, classes), neither "
            f"of them 0; got shape {table.shape}."
        )
    if not np.isfinite(table).all() or table.min() < 0 or table.sum() == 0:
        raise ValueError(
            "Expected finite counts, none negative and not all zero; got a "
            f"smallest of {table.min()} and a sum of {table.sum()}."
        )
    totals = table.sum(axis=1)
    largest = table.max(axis=1)
    used = np.flatnonzero(totals)
    purity = largest[used] / totals[used]
    rows = np.lexsort((used, -purity, table[used].argmax(axis=1)))
    return BlockOrder(used[rows], float(largest.sum() / totals.sum()))


@style.house_style
def confusion_matrices(
    tables: Sequence[Sequence[np.ndarray]],
    path: str | os.PathLike[str],
    *,
    labelings: Sequence[str],
    titles: Sequence[str] | None = None,
    class_names: Sequence[Sequence[str] | None] | None = None,
) -> None:
    """Draws the clusters of each facet against the classes of each labeling.

    Facets are rows of the grid and labelings its columns. In each heat map a
    row is a cluster, with its index k on the left and its number n of examples
    on the right, and a column a class; colour is the part of the cluster's
    examples that are of the class. Rows are in the order of `block_order`, so
    that they differ between the labelings of a facet. Clusters without
    examples are left out. Counts are printed where they fit.

    Args:
        tables: J x M tables, `tables[j][m]` of shape (K_j, L_m): examples of
            each class of labeling m in each cluster of facet j.
        path: where to write; the ending chooses the format.
        labelings: names of the M labelings.
        titles: one per facet; 'Facet 0', 'Facet 1', ... if None.
        class_names: for each labeling the names of its classes, or None for
            0, 1, ...; or None for all labelings.

    Raises:
        ValueError: if tables or names do not fit together.
    """
    tables = _check_tables(tables, labelings)
    titles = style.facet_titles(titles, len(tables))
    names = _class_names(class_names, labelings, tables[0])
    orders = [[block_order(table) for table in row] for row in tables]

    index_width = _widest(str(len(row[0]) - 1) for row in tables) + _LABEL_GAP
    total_width = _LABEL_GAP + _widest(
        _count(total)
        for row in tables
        for table in row
        for total in table.sum(axis=1)
    )
    columns = _layout(names, index_width, total_width)
    heads = [
        [
            _Head(
                style.wrap(
                    f"{title} × {labeling}",
                    column.width,
                    style.SIZE_TITLE,
                    "bold",
                ),
                style.wrap(
                    _caption(order, len(table)),
                    column.width,
                    style.SIZE_LABEL,
                ),
            )
            for labeling, column, order, table in zip(
                labelings, columns, order_row, table_row, strict=True
            )
        ]
        for title, order_row, table_row in zip(
            titles, orders, tables, strict=True
        )
    ]
    names_height = max(column.names_height for column in columns)
    caption_heights = [
        _LINE * max(len(head.caption) for head in row) + 0.06 for row in heads
    ]
    # Where each row of heat maps begins, from the top of the page.
    tops, y = [], _MARGIN
    for head_row, order_row, caption_height in zip(
        heads, orders, caption_heights, strict=True
    ):
        y += _TITLE_LINE * max(len(head.title) for head in head_row)
        y += caption_height + names_height
        tops.append(y)
        y += _CELL_HEIGHT * max(len(order.components) for order in order_row)
        y += _BETWEEN_ROWS
    height = y - _BETWEEN_ROWS + _MARGIN
    width = columns[-1].left + columns[-1].width + total_width + _MARGIN

    figure = style.new_figure(width, height)
    sizes = [
        _count_size([row[m] for row in tables], column.cell)
        for m, column in enumerate(columns)
    ]
    for j, row in enumerate(tables):
        for m, table in enumerate(row):
            column = columns[m]
            _draw_head(
                figure,
                column.left,
                tops[j] - names_height - caption_heights[j],
                heads[j][m],
            )
            _draw_names(figure, column, tops[j])
            _draw_map(
                figure,
                column,
                tops[j],
                table[orders[j][m].components],
                style.facet_colour(j),
                sizes[m],
            )
            _draw_sides(
                figure,
                column,
                tops[j],
                orders[j][m].components,
                table.sum(axis=1),
                total_width,
            )
    style.save(figure, path)


def _check_tables(
    tables: Sequence[Sequence[np.ndarray]], labelings: Sequence[str]
) -> list[list[np.ndarray]]:
    if isinstance(labelings, str) or not len(labelings):
        raise ValueError(
            f"Expected labelings as a list of names; got {labelings!r}."
        )
    if not len(tables):
        raise ValueError("Expected tables of at least one facet; got none.")
    checked = []
    for j, row in enumerate(tables):
        row = [np.asarray(table) for table in row]
        if len(row) != len(labelings) or any(t.ndim != 2 for t in row):
            raise ValueError(
                f"Expected for facet {j} one table of shape (clusters, "
                f"classes) per labeling, {len(labelings)} in all; got shapes "
                f"{[table.shape for table in row]}."
            )
        checked.append(row)
    for m, labeling in enumerate(labelings):
        columns = [row[m].shape[1] for row in checked]
        if len(set(columns)) > 1:
            raise ValueError(
                f"Expected the same number of classes of {labeling!r} in all "
                f"facets; got {columns}."
            )
    return checked


def _class_names(
    class_names: Sequence[Sequence[str] | None] | None,
    labelings: Sequence[str],
    tables: Sequence[np.ndarray],
) -> list[tuple[str, ...]]:
    if class_names is None:
        class_names = [None] * len(labelings)
    if len(class_names) != len(labelings):
        raise ValueError(
            f"Expected class_names for {len(labelings)} labelings; got "
            f"{len(class_names)}."
        )
    result = []
    for names, labeling, table in zip(
        class_names, labelings, tables, strict=True
    ):
        n = table.shape[1]
        texts = tuple(
            str(name) for name in (range(n) if names is None else names)
        )
        if len(texts) != n:
            raise ValueError(
                f"Expected {n} class names of {labeling!r}; got {len(texts)}."
            )
        result.append(texts)
    return result


class _Column(NamedTuple):
    """One column of the grid; lengths in inches."""

    left: float  # of the heat maps
    cell: float
    map_width: float
    width: float  # for text over the map
    names: tuple[str, ...]
    is_upright: bool

    @property
    def names_height(self) -> float:
        if not self.is_upright:
            return _LINE + 0.06
        return min(_widest(self.names), _NAME_LONGEST) + 0.12


class _Head(NamedTuple):
    """The lines over one heat map."""

    title: tuple[str, ...]
    caption: tuple[str, ...]


def _layout(
    names: Sequence[tuple[str, ...]], index_width: float, total_width: float
) -> list[_Column]:
    """Divides the width of the page among the labelings."""
    room = style.WIDTH - 2 * _MARGIN - len(names) * (index_width + total_width)
    room -= (len(names) - 1) * _BETWEEN_COLUMNS
    # Labelings of few classes get a least width, for the text over the map;
    # the others share what is left, by classes.
    wide = set(range(len(names)))
    while True:
        left_over = room - _NARROWEST * (len(names) - len(wide))
        n_cells = sum(len(names[m]) for m in wide)
        shared = float(np.clip(left_over / max(n_cells, 1), *_CELL_WIDTHS))
        narrow = {m for m in wide if len(names[m]) * shared < _NARROWEST}
        if not narrow:
            break
        wide -= narrow
    columns = []
    left = _MARGIN
    for m, column in enumerate(names):
        cell = shared if m in wide else _NARROWEST / len(column)
        cell = min(cell, _CELL_WIDEST)
        map_width = cell * len(column)
        columns.append(
            _Column(
                left=left + index_width,
                cell=cell,
                map_width=map_width,
                width=max(map_width, _NARROWEST),
                names=column,
                is_upright=_widest(column) + 0.04 > cell,
            )
        )
        left = columns[-1].left + columns[-1].width
        left += total_width + _BETWEEN_COLUMNS
    return columns


def _widest(texts: Iterable[str]) -> float:
    return max(style.text_width(text, style.SIZE_LABEL) for text in texts)


def _count(value: float) -> str:
    return f"{value:.0f}"


def _count_size(tables: Sequence[np.ndarray], cell: float) -> float | None:
    """The largest size at which every count fits its cell, or None."""
    longest = _count(max(table.max() for table in tables))
    for size in _COUNT_SIZES:
        if style.text_width(longest, size) <= cell - 0.04:
            return size
    return None


def _caption(order: BlockOrder, n_components: int) -> str:
    used = f"{len(order.components)} of {n_components} clusters in use"
    accuracy = f"{100 * order.accuracy:.1f} % many-to-one"
    # Broken between the two, if anywhere.
    return ", ".join(part.replace(" ", "\u00a0") for part in (accuracy, used))


def _draw_head(
    figure: mpl_figure.Figure, x: float, y: float, head: _Head
) -> None:
    """Writes the title above y, and the caption below."""
    for i, line in enumerate(reversed(head.title)):
        style.write(
            figure,
            x,
            y - _TITLE_LINE * (i + 0.5),
            line,
            size=style.SIZE_TITLE,
            weight="bold",
        )
    for i, line in enumerate(head.caption):
        style.write(figure, x, y + _LINE * (i + 0.5), line, color=style.MUTED)


def _draw_names(
    figure: mpl_figure.Figure,
    column: _Column,
    top: float,
) -> None:
    """Writes the class names over a heat map."""
    baseline = {"va": "baseline", "color": style.MUTED}
    for q, name in enumerate(column.names):
        x = column.left + (q + 0.5) * column.cell
        if column.is_upright:
            style.write(
                figure,
                x,
                top - 0.06,
                style.cut(name, _NAME_LONGEST, style.SIZE_LABEL),
                **{**baseline, "va": "bottom"},
                ha="center",
                rotation=90,
            )
        else:
            style.write(figure, x, top - 0.06, name, **baseline, ha="center")


def _draw_sides(
    figure: mpl_figure.Figure,
    column: _Column,
    top: float,
    components: np.ndarray,
    totals: np.ndarray,
    total_width: float,
) -> None:
    """Writes the index left and the number of examples right of each row."""
    left = column.left - _LABEL_GAP
    right = column.left + column.map_width + total_width
    for x, header in ((left, "k"), (right, "n")):
        style.write(
            figure,
            x,
            top - 0.06,
            header,
            va="baseline",
            ha="right",
            color=style.MUTED,
        )
    for r, k in enumerate(components):
        y = top + (r + 0.5) * _CELL_HEIGHT
        style.write(figure, left, y, str(k), ha="right")
        style.write(
            figure,
            right,
            y,
            _count(totals[k]),
            ha="right",
            color=style.MUTED,
        )


def _draw_map(
    figure: mpl_figure.Figure,
    column: _Column,
    top: float,
    table: np.ndarray,
    colour: str,
    size: float | None,
) -> None:
    """Draws one heat map; rows of `table` are in order and not empty."""
    n_rows, n_columns = table.shape
    width, height = figure.get_size_inches()
    axes = figure.add_axes(
        (
            column.left / width,
            1 - (top + n_rows * _CELL_HEIGHT) / height,
            column.map_width / width,
            n_rows * _CELL_HEIGHT / height,
        )
    )
    axes.set_xlim(0, n_columns)
    axes.set_ylim(n_rows, 0)
    axes.set_axis_off()
    parts = table / table.sum(axis=1, keepdims=True)
    colour_map = mpl_colors.LinearSegmentedColormap.from_list(
        "facet", [_EMPTY_CELL, colour]
    )
    axes.pcolormesh(
        np.arange(n_columns + 1),
        np.arange(n_rows + 1),
        parts,
        cmap=colour_map,
        vmin=0,
        vmax=1,
        edgecolors=style.BACKGROUND,
        linewidth=0.8,
    )
    if size is None:
        return
    for r, q in np.argwhere(table > 0):
        axes.text(
            q + 0.5,
            r + 0.5,
            _count(table[r, q]),
            size=size,
            ha="center",
            va="center_baseline",
            color=style.readable_on(colour_map(parts[r, q])[:3]),
        )
