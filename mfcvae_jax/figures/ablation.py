# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy over training of several arms of an ablation, seed by seed.

MFCVAE (arXiv:2106.05241), App. E.1, studies how stable training is with and
without progressive training and the ladder; there every seed has its line.
"""

import functools
import os
from collections.abc import Sequence
from typing import NamedTuple

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
        path: where to write.
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
        axes.locator_params(axis="y", nbins=5)
        axes.tick_params(axis="y", labelleft=i % n_columns == 0)
        style.set_epochs(axes, span, is_labelled=i + n_columns >= len(arms))
        _draw_arm(axes, arms[i], summaries[i])
        _write_last(axes, summaries[i], len(arms[i].values))
    page.fit(style.WIDTH)
    page.save(path)


def _check_arm(arm: Arm, index: int) -> Arm:
    epochs, values = np.asarray(arm.epochs, float), np.asarray(arm.values)
    where = f"of arm {index}, {arm.name!r}"
    if epochs.ndim != 1 or not epochs.size or not (np.diff(epochs) > 0).all():
        raise ValueError(
            f"Expected epochs {where}, of shape (T,), at least one and "
            f"increasing; got {epochs.tolist()}."
        )
    if values.ndim != 2 or values.shape[1] != len(epochs) or not len(values):
        raise ValueError(
            f"Expected values {where}, of shape (S, {len(epochs)}), one row "
            f"per seed and one column per epoch; got {values.shape}."
        )
    known = values[~np.isnan(values)]
    if not known.size or known.min() < 0 or known.max() > 1:
        raise ValueError(
            f"Expected values {where}, as fractions from 0 to 1, at least one "
            f"of them known; got {values.tolist()}. Divide percentages by 100; "
            "leave an arm without values out."
        )
    return arm._replace(epochs=epochs, values=values)


def _summarise(arm: Arm) -> _Summary:
    is_known = ~np.isnan(arm.values)
    kept = is_known.any(axis=0)
    n_seeds = is_known.sum(axis=0)[kept]
    values = 100 * arm.values[:, kept]
    # The sample's variance, and 0 of one seed.
    variance = np.nanvar(values, axis=0) * n_seeds / np.maximum(n_seeds - 1, 1)
    mean = np.nanmean(values, axis=0)
    return _Summary(arm.epochs[kept], mean, np.sqrt(variance), n_seeds)


def _value_limits(
    summaries: Sequence[_Summary], arms: Sequence[Arm]
) -> tuple[float, float]:
    """Returns whole tens around all that is drawn, within 0 and 100."""
    drawn = [100 * arm.values.ravel() for arm in arms]
    drawn += [s.mean + sign * s.std for s in summaries for sign in (-1, 1)]
    values = np.concatenate(drawn)
    low = 10 * np.floor(min(np.nanmin(values), 90.0) / 10)
    high = 10 * np.ceil(max(np.nanmax(values), low + 10) / 10)
    return max(0.0, low), min(100.0, high)


def _draw_arm(axes: mpl_axes.Axes, arm: Arm, summary: _Summary) -> None:
    low, high = axes.get_xlim()
    for epoch in arm.enters:
        if low <= epoch <= high:
            axes.axvline(epoch, color=style.MUTED, ls=(0, (1, 2)), lw=1.0)
    colour = style.facet_colour(0)
    band = (summary.mean - summary.std, summary.mean + summary.std)
    axes.fill_between(summary.epochs, *band, color=colour, alpha=0.16, lw=0)
    for seed in arm.values:
        kept = ~np.isnan(seed)
        axes.plot(
            arm.epochs[kept],
            100 * seed[kept],
            color=colour,
            alpha=0.5,
            lw=0.6,
            marker="o" if kept.sum() == 1 else None,
            ms=2.2,
        )
    is_one = len(summary.mean) == 1
    axes.plot(
        summary.epochs,
        summary.mean,
        color=colour,
        lw=1.9,
        clip_on=not is_one,
        marker="o" if is_one else None,
        ms=4,
    )


def _write_last(axes: mpl_axes.Axes, summary: _Summary, n_seeds: int) -> None:
    """Writes the last mean and its deviation right of where the mean ends."""
    n_last = int(summary.n_seeds[-1])
    last = f"{summary.mean[-1]:.1f}"
    if n_last > 1:
        last += f" ({summary.std[-1]:.1f})"
    write = functools.partial(
        axes.annotate,
        xy=(1, summary.mean[-1]),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
    )
    colour = style.facet_colour(0)
    write(last, xytext=(5, 0), va="center", weight="bold", color=colour)
    if n_last < n_seeds:
        some = f"{n_last} of {n_seeds} seeds"
        write(some, xytext=(5, -6), va="top", color=style.MUTED)


def _key(arms: Sequence[Arm]) -> str:
    parts = ["thin: one seed", "bold: mean of the seeds"]
    ends = "at the right: the last mean"
    if any(len(arm.values) > 1 for arm in arms):
        parts.append("band: ± one standard deviation")
        ends += " (standard deviation)"
    if any(arm.enters for arm in arms):
        parts.append("dotted: a further facet enters")
    return " · ".join([*parts, ends])
