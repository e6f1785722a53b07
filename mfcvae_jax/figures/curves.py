# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Learning curves: bounds, KL per facet and accuracy, with the stages."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import lines as mpl_lines
from matplotlib import ticker

from mfcvae_jax.figures import records as records_lib
from mfcvae_jax.figures import style

__all__ = ["learning_curves"]

_DASHES = ("-", (0, (4, 2)), (0, (1, 1.6)), (0, (6, 2, 1, 2)))
_FEW = 10  # curves with fewer values are drawn with markers

# Inches.
_LEFT = 0.62
_RIGHT = 0.2
_TOP = 0.1
_TITLE = 0.28
_HEADING = 0.36
_HEADING_RISE = 0.14  # of the middle of a heading over what is under it
_PANEL = 1.5
_BETWEEN = 0.16
_BOTTOM = 0.46
_ROW = 0.17  # a line of a legend or of stage labels
_HANDLE = 0.5  # of a legend, with the space around it
_LEGEND = 2.2  # a legend is never wider


class _Curve(NamedTuple):
    series: records_lib.Series
    label: str  # empty: not in the legend
    colour: str
    dash: Any = "-"
    is_faint: bool = False


class _Stage(NamedTuple):
    start: float
    facet: int
    end: float


class _StageLabel(NamedTuple):
    text: str
    x: float  # inches from the left of the axes
    alignment: str  # "left": begins at x; "right": ends there
    facet: int
    row: int  # 0 is next to the axes


class _Panel(NamedTuple):
    heading: str
    unit: str
    curves: list[_Curve]
    limits: tuple[float, float]
    ticks: tuple[float, ...] | None = None


@style.house_style
def learning_curves(
    records: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    *,
    stages: Sequence[tuple[float, int, float]] = (),
    title: str = "",
) -> None:
    """Draws the bounds, KL per facet and accuracies over the epochs of a run.

    The panels share their epochs, and each facet has one colour in all of
    them. Train is drawn faint and test strong; where only one of them was
    recorded, it is drawn strong. A panel without values is left out. Extremes
    of the first epochs do not stretch an axis (see `records.value_limits`); its
    heading says how far they go.

    Args:
        records: see `figures/records.py`; any order.
        path: where to write; the ending chooses the format.
        stages: of progressive training, (start_epoch, facet,
            fade_in_end_epoch) for each stage. The fade-in is shaded, and
            curves of a facet begin with its stage. Stages that begin after
            the last record are left out.
        title: set above the figure; may be empty.

    Raises:
        ValueError: if there is no record with a bound, or if a record or a
            stage is not as described.
    """
    records_lib.check_records(records)
    span = _epoch_span(records)
    known = [stage for stage in _check_stages(stages) if stage.start < span[1]]
    panels = _panels(
        records, {s.facet: s.start for s in known}, span[1] - span[0]
    )
    legend_width = min(
        _LEGEND,
        max(
            style.text_width(curve.label, style.SIZE_LABEL)
            for panel in panels
            for curve in panel.curves
        ),
    )
    width = style.WIDTH - _LEFT - _HANDLE - legend_width - _RIGHT
    title_lines = style.wrap(title, width, style.SIZE_TITLE + 1, "bold")
    labels = _place_stage_labels(known, span, width)

    # The top of each panel's axes, from the top of the page.
    y = _TOP + _TITLE * len(title_lines)
    label_rows = _ROW * (1 + max((label.row for label in labels), default=-1))
    heights = [
        max(_PANEL, _ROW * (1 + sum(bool(c.label) for c in panel.curves)))
        for panel in panels
    ]
    tops = []
    for i, panel_height in enumerate(heights):
        y += _HEADING + (label_rows if i == 0 else 0.0)
        tops.append(y)
        y += panel_height + _BETWEEN
    height = y - _BETWEEN + _BOTTOM

    figure = style.new_figure(style.WIDTH, height)
    for i, line in enumerate(title_lines):
        style.write(
            figure,
            _LEFT,
            _TOP + _TITLE * (i + 0.5),
            line,
            size=style.SIZE_TITLE + 1,
            weight="bold",
        )
    for i, panel in enumerate(panels):
        axes = figure.add_axes(
            (
                _LEFT / style.WIDTH,
                1 - (tops[i] + heights[i]) / height,
                width / style.WIDTH,
                heights[i] / height,
            )
        )
        _draw_epochs(axes, span, is_labelled=i == len(panels) - 1)
        _draw_stages(axes, known)
        _draw_curves(axes, panel)
        _draw_legend(axes, panel, legend_width)
        heading = tops[i] - _HEADING_RISE - (label_rows if i == 0 else 0.0)
        _draw_heading(figure, heading, panel)
    for label in labels:
        style.write(
            figure,
            _LEFT + label.x,
            tops[0] - _ROW * (label.row + 0.5) - 0.03,
            label.text,
            color=style.facet_colour(label.facet),
            ha=label.alignment,
            weight="bold",
        )
    style.save(figure, path)


def _check_stages(
    stages: Sequence[tuple[float, int, float]],
) -> list[_Stage]:
    for i, stage in enumerate(stages):
        if len(stage) != 3 or stage[2] < stage[0] or stage[1] < 0:
            raise ValueError(
                f"Expected stage {i} as (start_epoch, facet, "
                f"fade_in_end_epoch), the last not before the first; got "
                f"{stage!r}."
            )
    return sorted(_Stage(*stage) for stage in stages)


def _epoch_span(records: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    epochs = [float(record["epoch"]) for record in records]
    low, high = min(epochs), max(epochs)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _panels(
    records: Sequence[Mapping[str, Any]],
    starts: Mapping[int, float],
    span: float,
) -> list[_Panel]:
    """Returns the panels that have curves; `starts` is the epoch by facet."""
    facets = records_lib.find_facets(records)
    bounds = [
        curve
        for key, name, dash in zip(
            records_lib.BOUNDS, ("M", "F"), _DASHES, strict=False
        )
        for curve in _train_and_test(
            records,
            (key,),
            (f"{name}, train", f"{name}, test"),
            style.INK,
            dash=dash,
        )
    ]
    kl = [
        curve
        for j in facets
        for curve in _train_and_test(
            records,
            (f"kl_z/{j}", f"kl_c/{j}"),
            ("", f"facet {j}"),
            style.facet_colour(j),
            start=starts.get(j, -np.inf),
        )
    ]
    accuracy = [
        curve
        for m, labeling in enumerate(records_lib.find_labelings(records))
        for j in facets
        for curve in _train_and_test(
            records,
            (f"many_to_one/{j}/{labeling}",),
            ("", f"facet {j}, {labeling}"),
            style.facet_colour(j),
            start=starts.get(j, -np.inf),
            dash=_DASHES[m % len(_DASHES)],
            factor=100.0,
        )
    ]
    panels = []
    for heading, unit, curves, floor in (
        (
            "Bounds",
            "mixture M and mean-field F, nats per example, higher is better",
            bounds,
            None,
        ),
        ("KL per facet", "nats per example, z and c together", kl, 0.0),
    ):
        if curves:
            limits = records_lib.value_limits(
                [curve.series for curve in curves], span, floor=floor
            )
            unit += _off_scale(curves, limits)
            panels.append(_Panel(heading, unit, curves, limits))
    if accuracy:
        unit = "many-to-one, each facet against each labeling, %"
        panels.append(
            _Panel(
                "Accuracy", unit, accuracy, (0.0, 100.0), (0, 25, 50, 75, 100)
            )
        )
    return panels


def _train_and_test(
    records: Sequence[Mapping[str, Any]],
    keys: tuple[str, ...],
    labels: tuple[str, str],
    colour: str,
    *,
    start: float = -np.inf,
    dash: Any = "-",
    factor: float = 1.0,
) -> list[_Curve]:
    """Returns the curves there are; a single one is strong and labelled."""
    found = []
    for split, label in zip(records_lib.SPLITS, labels, strict=True):
        series = records_lib.series(records, split, keys, start=start)
        if series.values.size:
            series = series._replace(values=factor * series.values)
            found.append(_Curve(series, label, colour, dash))
    if len(found) == 2:
        found[0] = found[0]._replace(is_faint=True)
    elif found and not found[0].label:
        found[0] = found[0]._replace(label=labels[1])
    return found


def _off_scale(curves: Sequence[_Curve], limits: tuple[float, float]) -> str:
    values = np.concatenate([curve.series.values for curve in curves])
    low, high = np.nanmin(values), np.nanmax(values)
    texts = []
    if low < limits[0]:
        texts.append(f"down to {low:,.0f}")
    if high > limits[1]:
        texts.append(f"up to {high:,.0f}")
    if not texts:
        return ""
    return f"; at first {' and '.join(texts)}, off the scale".replace("-", "−")


def _draw_heading(figure: mpl_figure.Figure, y: float, panel: _Panel) -> None:
    style.write(
        figure,
        _LEFT,
        y,
        panel.heading,
        size=style.SIZE_TITLE,
        weight="bold",
    )
    indent = style.text_width(panel.heading, style.SIZE_TITLE, "bold") + 0.1
    style.write(figure, _LEFT + indent, y, panel.unit, color=style.MUTED)


def _draw_epochs(
    axes: mpl_axes.Axes, span: tuple[float, float], *, is_labelled: bool
) -> None:
    axes.set_xlim(*span)
    axes.xaxis.set_major_locator(
        ticker.MaxNLocator(
            8,
            integer=span[1] - span[0] >= 1,
            min_n_ticks=1,
            steps=(1, 2, 2.5, 5, 10),
        )
    )
    axes.tick_params(
        axis="x", labelbottom=is_labelled, length=3 if is_labelled else 0
    )
    if is_labelled:
        axes.set_xlabel("epoch", labelpad=3)


def _draw_curves(axes: mpl_axes.Axes, panel: _Panel) -> None:
    axes.set_ylim(*panel.limits)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    if panel.ticks is None:
        axes.locator_params(axis="y", nbins=5)
    else:
        axes.set_yticks(panel.ticks)
    for curve in panel.curves:
        is_short = np.isfinite(curve.series.values).sum() < _FEW
        axes.plot(
            curve.series.epochs,
            curve.series.values,
            marker="o" if is_short else None,
            markersize=2.6 if curve.is_faint else 3.6,
            markeredgewidth=0,
            # A marker on the rim of the axes is drawn whole; a curve that
            # leaves them is not drawn over the heading.
            clip_on=not is_short or bool(_off_scale([curve], panel.limits)),
            zorder=2 if curve.is_faint else 3,
            **_line_style(curve),
        )


def _line_style(curve: _Curve) -> dict[str, Any]:
    return {
        "color": curve.colour,
        "linestyle": curve.dash,
        "linewidth": 1.0 if curve.is_faint else 1.6,
        "alpha": 0.45 if curve.is_faint else 1.0,
    }


def _draw_stages(axes: mpl_axes.Axes, stages: Sequence[_Stage]) -> None:
    for stage in stages:
        colour = style.facet_colour(stage.facet)
        axes.axvspan(
            stage.start,
            min(stage.end, axes.get_xlim()[1]),
            color=colour,
            alpha=0.1,
            linewidth=0,
            zorder=0,
        )
        axes.axvline(
            stage.start, color=colour, linewidth=0.9, alpha=0.7, zorder=1
        )


def _draw_legend(axes: mpl_axes.Axes, panel: _Panel, width: float) -> None:
    """Names the curves, the one that ends highest first."""
    curves = [curve for curve in panel.curves if curve.label]
    curves.sort(
        key=lambda curve: curve.series.values[-1],  # finite, see `series`
        reverse=True,
    )
    handles = [
        mpl_lines.Line2D([], [], **_line_style(curve)) for curve in curves
    ]
    texts = [
        "\n".join(style.wrap(curve.label, width, style.SIZE_LABEL))
        for curve in curves
    ]
    axes.legend(
        handles,
        texts,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        borderaxespad=1.2,
        borderpad=0,
        handlelength=2.2,
        handletextpad=0.7,
        labelspacing=0.5,
    )


def _place_stage_labels(
    stages: Sequence[_Stage], span: tuple[float, float], width: float
) -> list[_StageLabel]:
    """Places the labels of stages in as few rows as keep them apart.

    Args:
        stages: in order of their starts.
        span: first and last epoch of the axes.
        width: of the axes, in inches.
    """
    placed = []
    ends: list[float] = []  # of the last label of each row
    for stage in stages:
        text = f"facet {stage.facet} enters"
        length = style.text_width(text, style.SIZE_LABEL, "bold")
        x = (stage.start - span[0]) / (span[1] - span[0]) * width
        alignment = "left" if x + length <= width + 1.0 else "right"
        left = x if alignment == "left" else x - length
        row = next(
            (r for r, end in enumerate(ends) if end + 0.12 <= left), len(ends)
        )
        ends[row : row + 1] = [left + length]
        placed.append(_StageLabel(text, x, alignment, stage.facet, row))
    return placed
