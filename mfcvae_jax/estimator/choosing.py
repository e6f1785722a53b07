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
    header = "J", "facets", "bound, nats", "stability", "clusters", "redundancy"
    return markdown.table(
        header,
        [
            (
                len(found.facets),
                " and ".join(
                    f"K = {facet.n_components}, D = {facet.latent_dim}"
                    for facet in found.facets
                ),
                markdown.mean_std(
                    found.bounds.mean(), found.bounds.std(ddof=1)
                ),
                ", ".join(f"{value:.2f}" for value in found.stability),
                ", ".join(f"{n:.1f}" for n in found.n_used.mean(axis=0)),
                f"{found.redundancy.mean():.2f}",
            )
            for found in comparisons
        ],
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
        ValueError: if there are fewer than two seeds.
    """
    if len(seeds) < 2:
        raise ValueError(
            f"seeds={seeds!r}: stability compares seeds, at least two"
        )
    checked = [check_facets(candidate) for candidate in candidates]
    train, test = train_test_split(
        np.asarray(X), test_size=test_size, random_state=_SPLIT_SEED
    )
    found = []
    for facets in checked:
        models = []
        for seed in seeds:
            model = clone(estimator or MultiFacetClustering())
            # The starts of one seed are none of another's.
            starts = n_starts(model.n_init, len(facets), len(train))
            first = int(seed) * starts
            model.set_params(facets=facets, random_state=first)
            models.append(model.fit(train))
        assignments = [model.predict(test) for model in models]
        shared = [
            facet_redundancy(of_seed, (of_seed.max(axis=0) + 1).tolist())
            for of_seed in assignments
        ]
        found.append(
            FacetComparison(
                facets=facets,
                bounds=np.array([model.score(test) for model in models]),
                stability=stability(assignments),
                n_used=np.array([s.n_used for s in shared]),
                redundancy=np.array(
                    [np.triu(s.normalised, k=1).max() for s in shared]
                ),
            )
        )
    return found
