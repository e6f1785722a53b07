# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy over training of several arms of an ablation, seed by seed.

MFCVAE (arXiv:2106.05241), App. E.1, studies how stable training is with and
without progressive training and the ladder; there every seed has its line.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import axes as mpl_axes

from mfcvae_jax.figures import style

__all__ = ["Arm", "accuracy_over_training"]

_MOST_ARMS = 8
_N_COLUMNS = 2

_HEIGHT = 1.55  # of a panel, in inches


class Arm(NamedTuple):
    """One arm of an ablation.

    Attributes:
        name: set above the panel.
        epochs: of the evaluations, increasing, shape (T,).
        values: accuracies, fractions, one row per seed, shape (S, T); NaN
            where a seed was not evaluated.
        enters: epochs at which further facets enter; may be empty.
    """

    name: str
    epochs: np.ndarray
    values: np.ndarray
    enters: tuple[float, ...] = ()


class _Summary(NamedTuple):
    """Over the seeds that have a value, at the epochs where any has, in %."""

    epochs: np.ndarray
    mean: np.ndarray
    std: np.ndarray  # sample standard deviation; 0 of one seed
    n_seeds: np.ndarray


@style.house_style
def accuracy_over_training(
    arms: Sequence[Arm], path: str | os.PathLike[str], *, ylabel: str
) -> None:
    """Draws one panel per arm, two beside each other, with the same axes.

    Thin lines are seeds; the bold one is their mean, with a band of one sample
    standard deviation around it. The last mean and its deviation stand at the
    right end. Dotted lines mark where a further facet enters.

    Args:
        arms: 1 to 8.
        path: where to write; the ending chooses the format.
        ylabel: what is measured; ', %' is added.

    Raises:
        ValueError: if the number of arms, a shape or a value does not fit.
    """
    if not 1 <= len(arms) <= _MOST_ARMS:
        raise ValueError(
            f"Expected 1 to {_MOST_ARMS} arms, each with a panel of its own; "
            f"got {len(arms)}."
        )
    arms = [_check_arm(arm, i) for i, arm in enumerate(arms)]
    summaries = [_summarise(arm) for arm in arms]
    n_columns = min(_N_COLUMNS, len(arms))
    n_rows = -(-len(arms) // n_columns)
    page = style.Page([1.0] * n_columns, [_HEIGHT] * n_rows)
    page.figure.suptitle(
        style.cut(f"{ylabel}, %", style.n_characters(style.WIDTH - 1)),
        x=0.035,
        ha="left",
        size=style.SIZE_LABEL,
        color=style.MUTED,
    )
    page.figure.supxlabel(_key(arms), size=style.SIZE_LABEL, color=style.MUTED)
    span = style.epoch_span(np.concatenate([arm.epochs for arm in arms]))
    limits = _value_limits(summaries, arms)
    length = style.n_characters(
        style.WIDTH / n_columns - 1, style.SIZE_TITLE, "bold"
    )
    for i, axes in enumerate(page.axes.flat):
        if i >= len(arms):
            axes.remove()
            continue
        axes.set_title(style.cut(arms[i].name, length))
        axes.set_ylim(*limits)
        axes.locator_params(axis="y", nbins=5, steps=(1, 2, 2.5, 5, 10))
        axes.tick_params(axis="y", labelleft=i % n_columns == 0)
        style.set_epochs(axes, span, is_labelled=i + n_columns >= len(arms))
        _draw_arm(axes, arms[i], summaries[i])
        _write_last(axes, summaries[i], len(arms[i].values))
    page.fit(style.WIDTH)
    page.save(path)


def _check_arm(arm: Arm, index: int) -> Arm:
    name = f"arm {index}, {arm.name!r}"
    epochs, values = np.asarray(arm.epochs, float), np.asarray(arm.values)
    if (
        epochs.ndim != 1
        or not epochs.size
        or not np.isfinite(epochs).all()
        or not (np.diff(epochs) > 0).all()
    ):
        raise ValueError(
            f"Expected epochs of {name} of shape (T,), at least one, finite "
            f"and increasing; got {epochs.tolist()}."
        )
    if values.ndim != 2 or values.shape[1] != len(epochs) or not len(values):
        raise ValueError(
            f"Expected values of {name} of shape (S, {len(epochs)}), one row "
            f"per seed and one column per epoch; got {values.shape}."
        )
    values = values.astype(float)
    known = values[~np.isnan(values)]
    if not known.size:
        raise ValueError(
            f"Expected at least one value of {name}; all of them are NaN. "
            "Leave the arm out."
        )
    if known.min() < 0 or known.max() > 1:
        raise ValueError(
            f"Expected values of {name} as fractions from 0 to 1; got some "
            f"from {known.min():.4g} to {known.max():.4g}. Divide percentages "
            "by 100."
        )
    enters = tuple(float(epoch) for epoch in arm.enters)
    return Arm(str(arm.name), epochs, values, enters)


def _summarise(arm: Arm) -> _Summary:
    is_known = ~np.isnan(arm.values)
    n_seeds = is_known.sum(axis=0)
    kept = n_seeds > 0
    values = 100 * arm.values[:, kept]
    n_seeds = n_seeds[kept]
    mean = np.nansum(values, axis=0) / n_seeds
    squares = np.nansum((values - mean) ** 2, axis=0)
    std = np.sqrt(squares / np.maximum(n_seeds - 1, 1))
    return _Summary(arm.epochs[kept], mean, std, n_seeds)


def _value_limits(
    summaries: Sequence[_Summary], arms: Sequence[Arm]
) -> tuple[float, float]:
    """Returns whole tens around all that is drawn, within 0 and 100."""
    low = min(100 * np.nanmin(arm.values) for arm in arms)
    high = max(100 * np.nanmax(arm.values) for arm in arms)
    low = min(low, *(np.min(s.mean - s.std) for s in summaries), 90.0)
    high = max(high, *(np.max(s.mean + s.std) for s in summaries), 10.0)
    floor, ceiling = 10 * np.floor(low / 10), 10 * np.ceil(high / 10)
    if floor == ceiling:  # nothing but one whole ten
        floor, ceiling = floor - 10, ceiling + 10
    return float(max(0.0, floor)), float(min(100.0, ceiling))


def _draw_arm(axes: mpl_axes.Axes, arm: Arm, summary: _Summary) -> None:
    low, high = axes.get_xlim()
    for epoch in arm.enters:
        if low <= epoch <= high:
            axes.axvline(
                epoch,
                color=style.MUTED,
                linestyle=(0, (1, 2)),
                linewidth=1.0,
                zorder=1,
            )
    colour = style.facet_colour(0)
    axes.fill_between(
        summary.epochs,
        summary.mean - summary.std,
        summary.mean + summary.std,
        color=colour,
        alpha=0.16,
        linewidth=0,
        zorder=2,
    )
    for seed in arm.values:
        kept = ~np.isnan(seed)
        axes.plot(
            arm.epochs[kept],
            100 * seed[kept],
            color=colour,
            alpha=0.5,
            linewidth=0.6,
            marker="o" if kept.sum() == 1 else None,
            markersize=2.2,
            markeredgewidth=0,
            zorder=3,
        )
    axes.plot(
        summary.epochs,
        summary.mean,
        color=colour,
        linewidth=1.9,
        marker="o" if len(summary.mean) == 1 else None,
        markersize=4,
        markeredgewidth=0,
        clip_on=len(summary.mean) > 1,
        zorder=4,
    )


def _write_last(axes: mpl_axes.Axes, summary: _Summary, n_seeds: int) -> None:
    """Writes the last mean and its deviation right of where the mean ends."""
    n_last = int(summary.n_seeds[-1])
    last = f"{summary.mean[-1]:.1f}"
    if n_last > 1:
        last += f" ({summary.std[-1]:.1f})"
    settings: dict[str, Any] = {
        "xycoords": axes.get_yaxis_transform(),
        "textcoords": "offset points",
    }
    axes.annotate(
        last,
        (1, summary.mean[-1]),
        xytext=(5, 0),
        va="center",
        weight="bold",
        color=style.facet_colour(0),
        **settings,
    )
    if n_last < n_seeds:
        axes.annotate(
            f"{n_last} of {n_seeds} seeds",
            (1, summary.mean[-1]),
            xytext=(5, -6),
            va="top",
            color=style.MUTED,
            **settings,
        )


def _key(arms: Sequence[Arm]) -> str:
    parts = ["thin: one seed", "bold: mean of the seeds"]
    ends = "at the right: the last mean"
    if any(len(arm.values) > 1 for arm in arms):
        parts.append("band: ± one standard deviation")
        ends += " (standard deviation)"
    if any(arm.enters for arm in arms):
        parts.append("dotted: a further facet enters")
    return " · ".join([*parts, ends])
