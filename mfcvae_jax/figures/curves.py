# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Learning curves: bounds, KL per facet and accuracy, with the stages."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import axes as mpl_axes

from mfcvae_jax.figures import records as records_lib
from mfcvae_jax.figures import style

__all__ = ["learning_curves"]

_DASHES = ("-", (0, (4, 2)), (0, (1, 1.6)), (0, (6, 2, 1, 2)))
_FEW = 10  # curves with fewer values are drawn with markers

_LEGEND = 34  # characters in a line of a legend

# Inches.
_HEIGHT = 1.5  # of a panel
_ROW = 0.17  # a line of a legend
_AXES = 6.4  # about the width of the axes


class _Curve(NamedTuple):
    series: records_lib.Series
    label: str  # empty: not in the legend
    facet: int | None
    dash: Any
    is_faint: bool


class _Panel(NamedTuple):
    heading: str
    unit: str
    curves: list[_Curve]
    limits: tuple[float, float]


_Stages = Sequence[tuple[float, int, float]]  # as of `learning_curves`


@style.house_style
def learning_curves(
    records: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    *,
    stages: _Stages = (),
) -> None:
    """Draws the bounds, KL per facet and accuracies over the epochs of a run.

    The panels share their epochs, and each facet has one colour in all of
    them. Train is drawn faint and test strong; where only one of them was
    recorded, it is drawn strong. A panel without values is left out. Extremes
    of the first epochs do not stretch an axis (see `records.value_limits`); its
    heading says how far they go.

    Args:
        records: see `figures/records.py`; any order. Of several starts, the
            one that was kept is drawn.
        path: where to write.
        stages: of progressive training, (start_epoch, facet,
            fade_in_end_epoch) for each stage. The fade-in is shaded, curves of
            a facet begin with its stage, and stages after the last record are
            left out.

    Raises:
        ValueError: if there is no record with a bound, or if a record or a
            stage is not as described.
    """
    records_lib.check_records(records)
    for i, stage in enumerate(stages):
        if len(stage) != 3 or stage[2] < stage[0] or stage[1] < 0:
            raise ValueError(
                f"Expected stage {i} as (start_epoch, facet, "
                f"fade_in_end_epoch), the last not before the first; got "
                f"{stage!r}."
            )
    records = records_lib.of_kept(records)
    span = style.epoch_span([record["epoch"] for record in records])
    known = sorted(stage for stage in stages if stage[0] < span[1])
    panels = _panels(records, known, span[1] - span[0])
    page = style.Page(
        [_AXES],
        [
            max(_HEIGHT, _ROW * (1 + sum(bool(c.label) for c in panel.curves)))
            for panel in panels
        ],
    )
    for axes, panel in zip(page.axes[:, 0], panels, strict=True):
        style.set_epochs(axes, span, is_labelled=panel is panels[-1])
        _draw_stages(axes, known)
        _draw_curves(axes, panel)
        n_rows = _label_stages(axes, known, span) if panel is panels[0] else 0
        heading = axes.set_title(panel.heading, pad=8 + 11 * n_rows)
        unit = panel.unit + _off_scale(panel.curves, panel.limits)
        style.write_after(axes, heading, unit)
    page.fit(style.WIDTH)
    page.save(path)


def _panels(
    records: Sequence[Mapping[str, Any]], stages: _Stages, span: float
) -> list[_Panel]:
    """Returns the panels that have curves; span is the run's, in epochs."""
    starts = {facet: start for start, facet, _ in stages}

    def add(curves, keys, label, facet=None, dash="-", factor=1.0):
        """Adds one curve, or a faint one of train and a strong one of test."""
        found = {
            split: records_lib.series(
                records, split, keys, start=starts.get(facet, -np.inf)
            )
            for split in records_lib.SPLITS
        }
        found = {k: series for k, series in found.items() if series.values.size}
        for split, series in found.items():
            series = series._replace(values=factor * series.values)
            is_faint = len(found) == 2 and split == "train"
            name = "" if is_faint else label
            if facet is None:
                name = f"{label}, {split}"
            curves.append(_Curve(series, name, facet, dash, is_faint))

    bounds: list[_Curve] = []
    kl: list[_Curve] = []
    accuracy: list[_Curve] = []
    facets = records_lib.find_facets(records)
    for key, name, dash in zip(records_lib.BOUNDS, "MF", _DASHES, strict=False):
        add(bounds, key, name, dash=dash)
    for j in facets:
        add(kl, (f"kl_z/{j}", f"kl_c/{j}"), f"facet {j}", j)
    for m, name in enumerate(records_lib.find_labelings(records)):
        dash = _DASHES[m % len(_DASHES)]
        for j in facets:
            key = f"many_to_one/{j}/{name}"
            add(accuracy, key, f"facet {j}, {name}", j, dash, 100.0)

    def limits(curves, floor=None):
        series = [curve.series for curve in curves]
        return records_lib.value_limits(series, span, floor=floor)

    unit = "mixture M and mean-field F, nats per example, higher is better"
    panels = [_Panel("Bounds", unit, bounds, limits(bounds))]
    if kl:
        unit = "nats per example, z and c together"
        panels.append(_Panel("KL per facet", unit, kl, limits(kl, 0.0)))
    if accuracy:
        unit = "many-to-one, each facet against each labeling, %"
        panels.append(_Panel("Accuracy", unit, accuracy, (0.0, 100.0)))
    return panels


def _off_scale(curves: Sequence[_Curve], limits: tuple[float, float]) -> str:
    """Tells how far curves leave the axes, or nothing."""
    values = np.concatenate([curve.series.values for curve in curves])
    low, high = np.nanmin(values), np.nanmax(values)
    texts = []
    if low < limits[0]:
        texts.append(f"down to {low:,.0f}")
    if high > limits[1]:
        texts.append(f"up to {high:,.0f}")
    told = f"; at first {' and '.join(texts)}, off the scale"
    return told.replace("-", "−") if texts else ""


def _draw_curves(axes: mpl_axes.Axes, panel: _Panel) -> None:
    """Draws curves, and names them, the one that ends highest first."""
    axes.set_ylim(*panel.limits)
    axes.locator_params(axis="y", nbins=5)
    for curve in panel.curves:
        is_short = np.isfinite(curve.series.values).sum() < _FEW
        axes.plot(
            *curve.series,
            color=style.INK
            if curve.facet is None
            else style.facet_colour(curve.facet),
            ls=curve.dash,
            lw=1.0 if curve.is_faint else 1.6,
            alpha=0.45 if curve.is_faint else 1.0,
            label=style.wrap(curve.label, _LEGEND),
            marker="o" if is_short else None,
            ms=2.6 if curve.is_faint else 3.6,
            mew=0,
            # A marker on the rim of the axes is drawn whole; a curve that
            # leaves them is not drawn over the heading.
            clip_on=not is_short or bool(_off_scale([curve], panel.limits)),
            zorder=2 if curve.is_faint else 3,
        )
    named: Sequence[Any] = axes.get_legend_handles_labels()[0]
    axes.legend(
        handles=sorted(
            named,
            key=lambda line: np.asarray(line.get_ydata())[-1],  # is finite
            reverse=True,
        ),
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        borderaxespad=1.2,
        borderpad=0,
        handlelength=2.2,
    )


def _draw_stages(axes: mpl_axes.Axes, stages: _Stages) -> None:
    for start, facet, end in stages:
        colour = style.facet_colour(facet)
        end = min(end, axes.get_xlim()[1])
        axes.axvspan(start, end, color=colour, alpha=0.1, lw=0, zorder=0)
        axes.axvline(start, color=colour, alpha=0.7, lw=0.9, zorder=1)


def _label_stages(
    axes: mpl_axes.Axes, stages: _Stages, span: tuple[float, float]
) -> int:
    """Names stages over the axes, and returns in how many rows of names."""
    ends: list[float] = []  # of the last name in each row, in epochs
    for start, facet, _ in stages:
        text = f"facet {facet} enters"
        length = len(text) / style.n_characters(_AXES, weight="bold")
        length *= span[1] - span[0]
        # The last names stand left of their line, or they leave the page.
        is_late = start + length > span[1]
        left = start - length * is_late
        row = next((r for r, end in enumerate(ends) if end <= left), len(ends))
        ends[row : row + 1] = [left + 1.1 * length]
        axes.annotate(
            text,
            (start, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3 + 11 * row),
            textcoords="offset points",
            ha="right" if is_late else "left",
            weight="bold",
            color=style.facet_colour(facet),
        )
    return len(ends)
