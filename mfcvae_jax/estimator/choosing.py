# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which facets suit the data: compared without labels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from mfcvae_jax.estimator.clustering import MultiFacetClustering
from mfcvae_jax.estimator.defaults import n_starts
from mfcvae_jax.estimator.facet import Facet, check_facets
from mfcvae_jax.evaluation.redundancy import facet_redundancy
from mfcvae_jax.evaluation.stability import stability
from mfcvae_jax.report import markdown

__all__ = ["FacetComparison", "compare_facets", "format_comparisons"]

# Of the split: one for all candidates and seeds, so that they are comparable.
_SPLIT_SEED = 0


class FacetComparison(NamedTuple):
    """How one choice of facets fared.

    Attributes:
        facets: the choice.
        bounds: of each seed on held-out examples, ``score`` in nats per
            example, shape (S,).
        stability: of each facet, the mean adjusted mutual information of the
            held-out assignments of two seeds, shape (J,); 1 if all seeds sort
            alike, 0 if they agree by chance alone.
        n_used: clusters with held-out examples, shape (S, J). A facet that
            uses a single one is stable, and says nothing.
        redundancy: of each seed the greatest normalised mutual information of
            two facets, in [0, 1], shape (S,); 0 of a single facet.
    """

    facets: tuple[Facet, ...]
    bounds: np.ndarray
    stability: np.ndarray
    n_used: np.ndarray
    redundancy: np.ndarray


def format_comparisons(comparisons: Sequence[FacetComparison]) -> str:
    """Writes comparisons as a Markdown table, means over the seeds."""
    rows = []
    for found in comparisons:
        sizes = " and ".join(
            f"K = {facet.n_components}, D = {facet.latent_dim}"
            for facet in found.facets
        )
        rows.append(
            (
                len(found.facets),
                sizes,
                f"{found.bounds.mean():.2f} ({found.bounds.std(ddof=1):.2f})",
                ", ".join(f"{value:.2f}" for value in found.stability),
                ", ".join(f"{n:.1f}" for n in found.n_used.mean(axis=0)),
                f"{found.redundancy.mean():.2f}",
            )
        )
    return markdown.table(
        (
            "J",
            "facets",
            "bound, nats",
            "stability",
            "clusters",
            "redundancy",
        ),
        rows,
    )


def compare_facets(
    X: Any,
    candidates: Sequence[Sequence[Facet]],
    *,
    estimator: MultiFacetClustering | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    test_size: float = 0.2,
) -> list[FacetComparison]:
    """Fits several choices of facets with several seeds, and compares them.

    A better bound says that the model explains new examples better, by facets
    or otherwise; stability says whether the clusters are in the data or in the
    draw. Neither knows what the clusters are good for.

    Args:
        X: examples, as in ``MultiFacetClustering.fit``.
        candidates: choices of facets.
        estimator: with all the other parameters; None for the defaults.
        seeds: at least two.
        test_size: fraction of X that is held out, the same for all.

    Returns:
        One comparison for each candidate, in their order.

    Raises:
        ValueError: if there are fewer than two seeds, or p(x|z) differs between
            candidates, whose bounds then have different units.
    """
    if len(seeds) < 2:
        raise ValueError(
            f"seeds={seeds!r}: stability compares seeds, at least two"
        )
    checked = [check_facets(candidate) for candidate in candidates]
    train, test = train_test_split(
        np.asarray(X), test_size=test_size, random_state=_SPLIT_SEED
    )
    found, forms = [], []
    for facets in checked:
        models = []
        for seed in seeds:
            model = clone(estimator or MultiFacetClustering())
            # The starts of one seed are none of another's.
            starts = n_starts(model.n_init, len(facets), len(train))
            first = int(seed) * starts
            model.set_params(facets=facets, random_state=first)
            models.append(model.fit(train))
            forms.append(model._fitted.settings.likelihood)
            if forms[-1] != forms[0]:
                raise ValueError(
                    f"p(x|z) is {forms[-1]} with facets={facets!r} and was "
                    f"{forms[0]} before, so that the bounds cannot be "
                    "compared: give the estimator a likelihood"
                )
        assignments = [model.predict(test) for model in models]
        found.append(
            FacetComparison(
                facets=facets,
                bounds=np.array([model.score(test) for model in models]),
                stability=stability(assignments),
                n_used=np.array(
                    [[len(np.unique(c)) for c in a.T] for a in assignments]
                ),
                redundancy=np.array([_redundancy(a) for a in assignments]),
            )
        )
    return found


def _redundancy(assignments: np.ndarray) -> float:
    """The greatest of any two facets."""
    found = facet_redundancy(
        assignments, (assignments.max(axis=0) + 1).tolist()
    )
    pairs = found.normalised[np.triu_indices(assignments.shape[1], k=1)]
    return float(pairs.max(initial=0.0))
