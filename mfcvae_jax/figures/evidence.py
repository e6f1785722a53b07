# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What each number of clusters is worth, per facet."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib import ticker

from mfcvae_jax.figures import style

if TYPE_CHECKING:  # the module itself brings JAX in
    from mfcvae_jax.evaluation.pruning import Evidence

__all__ = ["evidence_curves"]

_HEIGHT = 1.75  # of the axes, in inches


@style.house_style
def evidence_curves(
    evidence: Sequence["Evidence"], path: str | os.PathLike[str]
) -> None:
    """Draws one panel per facet: the criterion, and log p(z) above it.

    Args:
        evidence: one a facet, at least one.
        path: where to write.

    Raises:
        ValueError: if there are none.
    """
    if not evidence:
        raise ValueError(
            "Expected the evidence of at least one facet; got none."
        )
    page = style.Page([1.0] * len(evidence), [_HEIGHT])
    for j, (axes, found) in enumerate(zip(page.axes[0], evidence, strict=True)):
        axes.set_title(
            f"Facet {j}: {found.n_kept} of {max(found.n_components)} kept"
        )
        axes.plot(
            found.n_components,
            found.log_p_z,
            color=style.MUTED,
            lw=1.0,
            label="log p(z)",
        )
        axes.plot(
            found.n_components,
            found.criterion,
            color=style.facet_colour(j),
            marker="o",
            ms=3,
            label="criterion",
        )
        axes.axvline(found.n_kept, color=style.INK, lw=1.0, dashes=(1, 2))
        axes.set_xlabel("clusters")
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        axes.grid(axis="y")
    page.axes[0, 0].set_ylabel("nats per example")
    page.axes[0, 0].legend(loc="lower right")
    page.fit(style.WIDTH)
    page.save(path)
