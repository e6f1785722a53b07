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

_HEIGHT = 1.75  # of the axes, in inches


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
        path: where to write.

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
    page = style.Page([1.0] * len(curves), [_HEIGHT])
    for j, (axes, curve) in enumerate(zip(page.axes[0], curves, strict=True)):
        axes.set_title(
            f"Facet {j}: {curve.n_kept} of {max(curve.n_components)} kept"
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
        axes.set_xlabel("clusters")
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        axes.grid(axis="y")
    page.axes[0, 0].set_ylabel("nats per example")
    page.axes[0, 0].legend(loc="lower right")
    page.fit(style.WIDTH)
    page.save(path)
