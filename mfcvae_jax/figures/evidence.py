# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What each number of clusters is worth, per facet."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import ticker

from mfcvae_jax.figures import style

__all__ = ["EvidenceCurve", "evidence_curves"]

# Inches.
_HEIGHT = 2.6
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.55, 0.1, 0.45, 0.4
_BETWEEN = 0.6


class EvidenceCurve(NamedTuple):
    """The evidence for one facet.

    Attributes:
        n_components: numbers of clusters, shape (T,).
        log_p_z: nats per example, shape (T,).
        criterion: nats per example, shape (T,).
        n_kept: the number with the best criterion.
    """

    n_components: np.ndarray
    log_p_z: np.ndarray
    criterion: np.ndarray
    n_kept: int


@style.house_style
def evidence_curves(
    curves: Sequence[EvidenceCurve], path: str | os.PathLike[str]
) -> None:
    """Draws one panel per facet: the criterion, and log p(z) above it.

    Args:
        curves: one a facet, at least one.
        path: where to write; the ending chooses the format.

    Raises:
        ValueError: if there are none, or lengths differ.
    """
    if not curves:
        raise ValueError(
            "Expected the evidence of at least one facet; got none."
        )
    for j, curve in enumerate(curves):
        sizes = {len(part) for part in curve[:3]}
        if len(sizes) > 1:
            raise ValueError(
                f"Expected arrays of one length for facet {j}; got "
                f"{sorted(sizes)}."
            )
    n = len(curves)
    width = style.WIDTH
    panel = (width - _LEFT - _RIGHT - (n - 1) * _BETWEEN) / n
    figure = style.new_figure(width, _HEIGHT)
    for j, curve in enumerate(curves):
        axes = figure.add_axes(
            (
                (_LEFT + j * (panel + _BETWEEN)) / width,
                _BOTTOM / _HEIGHT,
                panel / width,
                (_HEIGHT - _BOTTOM - _TOP) / _HEIGHT,
            )
        )
        axes.set_title(
            f"Facet {j}: {curve.n_kept} of {max(curve.n_components)} kept",
            loc="left",
            fontweight="bold",
            fontsize=style.SIZE_TITLE,
        )
        axes.plot(
            curve.n_components,
            curve.log_p_z,
            color=style.MUTED,
            lw=1.0,
            label="log p(z)",
        )
        axes.plot(
            curve.n_components,
            curve.criterion,
            color=style.facet_colour(j),
            marker="o",
            ms=3,
            label="criterion",
        )
        axes.axvline(curve.n_kept, color=style.INK, lw=1.0, dashes=(1, 2))
        axes.set_xlabel("clusters", labelpad=3)
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        axes.grid(axis="y")
        if j == 0:
            axes.set_ylabel("nats per example")
            axes.legend(loc="lower right")
    style.save(figure, path)
