# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The study of the recipe: its arms, and how facets are matched."""

import itertools
import pathlib
import sys

import numpy as np
import pytest
from absl import flags

from mfcvae_jax.datasets import reader

# The experiments are commands, not a package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "experiments"))
_BEFORE = set(flags.FLAGS)
import recipe  # noqa: E402

# Flags are the process's: other tests parse scripts with flags of these names.
for _name in set(flags.FLAGS) - _BEFORE:
    delattr(flags.FLAGS, _name)


@pytest.mark.parametrize("data", recipe.ARMS)
def test_arms_differ_in_what_is_studied(data):
    found = recipe.arms(data, 3, {})
    assert len({str(settings) for settings in found.values()}) == len(found)
    for settings in found.values():
        assert settings.n_seeds == 3
    parts = {
        (any(s.progressive.warm_ups), s.progressive.redundancy_price > 0)
        for s in found.values()
    }
    n_facets = {len(settings.facets) for settings in found.values()}
    assert len(parts) == (2 if n_facets == {1} else 4)


def test_held_back_images_are_not_trained_on():
    whole = reader.load("digits")
    part = recipe.held_back(whole)
    n = len(whole.train.images)
    assert len(part.test.images) == n // 5
    assert len(part.train.images) == n - n // 5
    both = np.concatenate([part.train.images, part.test.images])
    key = lambda images: sorted(image.tobytes() for image in images)  # noqa: E731
    assert key(both) == key(whole.train.images)


def test_each_labeling_gets_a_facet_of_its_own_at_the_largest_sum():
    rng = np.random.default_rng(0)
    for n_facets, n_labelings in ((3, 3), (4, 2), (1, 1)):
        nmi = rng.random((n_facets, n_labelings))
        found = recipe.own_facets(nmi)
        assert len(set(found)) == n_labelings
        best = max(
            sum(nmi[j, m] for m, j in enumerate(choice))
            for choice in itertools.permutations(range(n_facets), n_labelings)
        )
        np.testing.assert_allclose(nmi[found, range(n_labelings)].sum(), best)
