# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Clusters against classes: one heat map for each facet and labeling."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import colors as mpl_colors

from mfcvae_jax.evaluation import accuracy
from mfcvae_jax.figures import style

__all__ = ["block_order", "confusion_matrices"]

_EMPTY_CELL = "#f4f5f7"
_COUNT_SIZES = (5.5, 6.5)  # points; counts that do not fit are left out

# Inches.
_CELL_HEIGHT = 0.165
_CELL_WIDTHS = (0.12, 0.42)
_CELL_WIDEST = 0.7  # where there are few classes
_NARROWEST = 1.7  # of a column of maps, for the text over them
_SIDES = 0.85  # the labels beside a map
_NAME_LONGEST = 1.1
_CAPTION = 2.1  # under which the caption of a map takes two lines


def block_order(table: np.ndarray) -> np.ndarray:
    """Orders the clusters of a table of counts to look block-diagonal.

    Args:
        table: counts of examples, shape (K, L) for K clusters and L classes.

    Returns:
        The indices of the clusters that have examples: by the class most
        frequent in the cluster, then by decreasing purity, then by index;
        shape (U,), int.

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
    used = np.flatnonzero(totals)
    purity = table[used].max(axis=1) / totals[used]
    return used[np.lexsort((used, -purity, table[used].argmax(axis=1)))]


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
    cells = _cell_widths([len(column) for column in names])
    widths = [
        max(cell * len(column), _NARROWEST)
        for cell, column in zip(cells, names, strict=True)
    ]
    most = [max(map(len, row)) for row in orders]  # clusters in a row of maps
    separator = " " if min(widths) > _CAPTION else "\n"
    page = style.Page(widths, [n * _CELL_HEIGHT for n in most])
    for (j, m), axes in np.ndenumerate(page.axes):
        table, order = tables[j][m], orders[j][m]
        # All maps of a row of the grid have the same room, in cells.
        axes.set(xlim=(0, widths[m] / cells[m]), ylim=(most[j], 0))
        axes.spines[:].set_visible(False)
        longest = max(row[m].max() for row in tables)
        size = 72 * (cells[m] - 0.04) / (0.64 * len(_count(longest)))
        _draw_map(axes, table[order], style.facet_colour(j), size)
        _label(axes, table, order, names[m], cells[m])
        _write_head(
            axes,
            f"{titles[j]} × {labelings[m]}",
            f"{100 * accuracy.many_to_one_accuracy(table):.1f} % many-to-one,"
            f"{separator}{len(order)} of {len(table)} clusters in use",
            widths[m],
        )
    page.figure.align_titles()
    page.fit()
    page.save(path)


def _check_tables(
    tables: Sequence[Sequence[np.ndarray]], labelings: Sequence[str]
) -> list[list[np.ndarray]]:
    if isinstance(labelings, str) or not len(labelings):
        raise ValueError(
            f"Expected labelings as a list of names; got {labelings!r}."
        )
    if not len(tables):
        raise ValueError("Expected tables of at least one facet; got none.")
    checked = [[np.asarray(table) for table in row] for row in tables]
    wanted = [table.shape[1:] for table in checked[0]]
    for j, row in enumerate(checked):
        shapes = [table.shape for table in row]
        if len(row) != len(labelings) or any(len(s) != 2 for s in shapes):
            raise ValueError(
                f"Expected for facet {j} one table of shape (clusters, "
                f"classes) per labeling, {len(labelings)} in all; got shapes "
                f"{shapes}."
            )
        if [shape[1:] for shape in shapes] != wanted:
            raise ValueError(
                f"Expected as many classes of each labeling in facet {j} as in "
                f"facet 0; got shapes {shapes}."
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
    return [
        style.check_texts(
            range(table.shape[1]) if names is None else names,
            table.shape[1],
            f"class names of {labeling!r}",
        )
        for names, labeling, table in zip(
            class_names, labelings, tables, strict=True
        )
    ]


def _cell_widths(n_classes: Sequence[int]) -> list[float]:
    """Divides the width of the page among labelings by classes, in inches."""
    room = style.WIDTH - _SIDES * len(n_classes)
    wide = sum(n for n in n_classes if n * _CELL_WIDTHS[1] > _NARROWEST)
    room -= _NARROWEST * sum(
        n * _CELL_WIDTHS[1] <= _NARROWEST for n in n_classes
    )
    shared = float(np.clip(room / max(wide, 1), *_CELL_WIDTHS))
    return [min(max(shared, _NARROWEST / n), _CELL_WIDEST) for n in n_classes]


def _count(value: float) -> str:
    return f"{value:.0f}"


def _draw_map(
    axes: mpl_axes.Axes, table: np.ndarray, colour: str, size: float
) -> None:
    """Draws one heat map, with counts if they fit at `size` points.

    The rows of `table` are in order and not empty.
    """
    parts = table / table.sum(axis=1, keepdims=True)
    colour_map = mpl_colors.LinearSegmentedColormap.from_list(
        "facet", [_EMPTY_CELL, colour]
    )
    axes.pcolormesh(
        parts,
        cmap=colour_map,
        vmin=0,
        vmax=1,
        edgecolors=style.BACKGROUND,
        linewidth=0.8,
    )
    smallest, largest = _COUNT_SIZES
    if size < smallest:
        return
    for r, q in np.argwhere(table > 0):
        axes.text(
            q + 0.5,
            r + 0.5,
            _count(table[r, q]),
            size=min(size, largest),
            ha="center",
            va="center_baseline",
            color=style.readable_on(colour_map(parts[r, q])[:3]),
            in_layout=False,
        )


def _label(
    axes: mpl_axes.Axes,
    table: np.ndarray,
    order: np.ndarray,
    names: Sequence[str],
    cell: float,
) -> None:
    """Writes classes above, indices on the left and sizes on the right."""
    upright = max(map(len, names)) > style.n_characters(cell - 0.02)
    longest = style.n_characters(_NAME_LONGEST)
    axes.set_xticks(
        np.arange(len(names)) + 0.5,
        [style.cut(name, longest) for name in names],
        rotation=90 if upright else 0,
    )
    axes.tick_params(axis="x", length=0, labeltop=True, labelbottom=False)
    axes.set_yticks([])
    centres = np.arange(len(order)) + 0.5
    style.write_column(
        axes, 0, centres, [str(k) for k in order], header="k", distance=-6
    )
    totals = [_count(table[k].sum()) for k in order]
    style.write_column(
        axes,
        len(names),
        centres,
        totals,
        header="n",
        distance=6 + 0.64 * style.SIZE_LABEL * max(map(len, totals)),
        color=style.MUTED,
    )


def _write_head(
    axes: mpl_axes.Axes, title: str, caption: str, width: float
) -> None:
    """Writes the title over the caption, and both over all labels."""
    below = axes.set_title(
        caption,
        size=style.SIZE_LABEL,
        weight="normal",
        color=style.MUTED,
    )
    length = style.n_characters(width, style.SIZE_TITLE, "bold")
    axes.annotate(
        style.wrap(title, length),
        (0, 1),
        xycoords=below,
        xytext=(0, 3),
        textcoords="offset points",
        va="bottom",
        size=style.SIZE_TITLE,
        weight="bold",
    )
