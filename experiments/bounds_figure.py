# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The two exact bounds, and what estimators make of them."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import ticker

from mfcvae_jax.figures import style

__all__ = ["bounds_and_estimates"]

_HEIGHT = 3.4  # inches
_AXES = (0.075, 0.15, 0.74, 0.80)  # of the page: left, bottom, width, height


@style.house_style
def bounds_and_estimates(
    n_samples: Sequence[int],
    estimates: Mapping[str, np.ndarray],
    bounds: Mapping[str, float],
    path: str | os.PathLike[str],
) -> None:
    """Draws means and spreads of estimates against the number of samples.

    Every estimator has a curve of its means and a band of one standard
    deviation around it; every bound is a line across.

    Args:
        n_samples: L of each column, increasing.
        estimates: by name, repeated estimates in nats, shape (R, len(L)).
        bounds: by name, in nats.
        path: where to write; the ending chooses the format.

    Raises:
        ValueError: if an estimator has not one column per number of samples.
    """
    for name, values in estimates.items():
        if np.ndim(values) != 2 or values.shape[1] != len(n_samples):
            raise ValueError(
                f"Expected estimates of {name!r} of shape (R, "
                f"{len(n_samples)}), one column per number of samples; got "
                f"{np.shape(values)}."
            )
    figure = style.new_figure(style.WIDTH, _HEIGHT)
    axes = figure.add_axes(_AXES)
    axes.set_xscale("log", base=2)
    axes.set_xlim(n_samples[0], n_samples[-1])
    axes.xaxis.set_major_locator(ticker.FixedLocator(list(n_samples)))
    axes.xaxis.set_major_formatter(ticker.ScalarFormatter())
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel("samples L per example", labelpad=3)
    axes.set_ylabel("nats")
    axes.grid(axis="y")
    for name, value in bounds.items():
        axes.axhline(value, color=style.INK, linewidth=1.0, dashes=(4, 2))
        axes.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SIZE_LABEL,
            fontweight="bold",
            color=style.INK,
        )
    for i, (name, values) in enumerate(estimates.items()):
        mean, std = np.mean(values, axis=0), np.std(values, axis=0)
        colour = style.facet_colour(i)
        axes.fill_between(
            n_samples, mean - std, mean + std, color=colour, alpha=0.13, lw=0
        )
        axes.plot(n_samples, mean, color=colour, label=name, marker="o", ms=3)
    axes.legend(loc="lower right", title="mean, and one standard deviation")
    style.save(figure, path)
