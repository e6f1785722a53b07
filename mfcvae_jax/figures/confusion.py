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
    return used[np.lexsort((-purity, table[used].argmax(axis=1)))]


@style.house_style
def confusion_matrices(
    tables: Sequence[Sequence[np.ndarray]],
    path: str | os.PathLike[str],
    *,
    labelings: Sequence[str],
) -> None:
    """Draws the clusters of each facet against the classes of each labeling.

    Facets are rows of the grid and labelings its columns. In each heat map a
    row is a cluster, with its index k on the left and its number n of examples
    on the right, and a column a class; colour is the part of the cluster's
    examples that are of the class. Rows are in the order of `block_order`,
    which may differ by labeling. Counts are printed where they fit.

    Args:
        tables: J x M tables, `tables[j][m]` of shape (K_j, L_m): examples of
            each class of labeling m in each cluster of facet j.
        path: where to write.
        labelings: names of the M labelings.

    Raises:
        ValueError: if tables or names do not fit together.
    """
    if not len(tables):
        raise ValueError("Expected tables of at least one facet; got none.")
    tables = [list(map(np.asarray, row)) for row in tables]
    orders = [[block_order(table) for table in row] for row in tables]
    n_classes = [table.shape[1] for table in tables[0]]
    labelings = style.check_texts(labelings, len(n_classes), "labelings")
    for j, row in enumerate(tables):
        if [table.shape[1] for table in row] != n_classes:
            raise ValueError(
                f"Expected one table for each labeling of facet {j}, with the "
                f"classes of facet 0, {n_classes}; got shapes "
                f"{[table.shape for table in row]}."
            )
    cells = _cell_widths(np.array(n_classes))
    widths = [
        max(cell * n, _NARROWEST)
        for cell, n in zip(cells, n_classes, strict=True)
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
        size = 72 * (cells[m] - 0.04) / (0.64 * len(f"{longest:.0f}"))
        _draw_map(axes, table[order], style.facet_colour(j), size)
        _label(axes, table, order, cells[m])
        _write_head(
            axes,
            f"Facet {j} × {labelings[m]}",
            f"{100 * accuracy.many_to_one_accuracy(table):.1f} % many-to-one,"
            f"{separator}{len(order)} of {len(table)} clusters in use",
            widths[m],
        )
    page.figure.align_titles()
    page.fit()
    page.save(path)


def _cell_widths(n_classes: np.ndarray) -> list[float]:
    """Divides the width of the page among labelings by classes, in inches."""
    is_wide = n_classes * _CELL_WIDTHS[1] > _NARROWEST
    room = style.WIDTH - _SIDES * len(n_classes) - _NARROWEST * sum(~is_wide)
    shared = np.clip(room / max(n_classes[is_wide].sum(), 1), *_CELL_WIDTHS)
    return np.clip(shared, _NARROWEST / n_classes, _CELL_WIDEST).tolist()


def _draw_map(
    axes: mpl_axes.Axes, table: np.ndarray, colour: str, size: float
) -> None:
    """Draws one heat map, with counts if they fit at `size` points."""
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
            f"{table[r, q]:.0f}",
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
    cell: float,
) -> None:
    """Writes classes above, indices on the left and sizes on the right."""
    classes = np.arange(table.shape[1])
    style.write_over_columns(
        axes, classes + 0.5, [str(c) for c in classes], width=cell - 0.02
    )
    axes.set_yticks([])
    centres = np.arange(len(order)) + 0.5
    style.write_column(
        axes, 0, centres, [str(k) for k in order], header="k", distance=-6
    )
    totals = [f"{table[k].sum():.0f}" for k in order]
    style.write_column(
        axes,
        len(classes),
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
