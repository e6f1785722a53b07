# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Stability over seeds: alike, by chance, in between, and faults."""

import numpy as np
import pytest

from mfcvae_jax.evaluation.stability import stability


def test_unrelated_clusters_agree_by_chance_only():
    rng = np.random.default_rng(0)
    others = [rng.integers(0, 20, (400, 1)) for _ in range(4)]
    assert abs(stability(others)[0]) < 0.02


def test_facets_are_told_apart_and_pairs_averaged():
    """One seed of three differs in the second facet alone."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 5, (400, 2))
    renumbered = rng.permutation(5)[base]
    other = base.copy()
    other[:, 1] = rng.integers(0, 5, 400)
    found = stability([base, renumbered, other])
    np.testing.assert_allclose(found, [1, 1 / 3], atol=0.02)
    np.testing.assert_allclose(found[0], 1)


def test_one_seed_or_other_examples_are_refused():
    base = np.zeros((400, 2), int)
    with pytest.raises(ValueError, match="at least two; got 1"):
        stability([base])
    with pytest.raises(ValueError, match=r"\(300, 2\)"):
        stability([base, base[:300]])
