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
    found = recipe.arms(data, {})
    assert len({str(settings) for settings in found.values()}) == len(found)
    for settings in found.values():
        runs = recipe.of_seeds(settings, 3)
        assert sum(run.n_seeds for run in runs) == 3
        starts = [seed for run in runs for seed in run.of_each_seed]
        assert len({start.seed for start in starts}) == 3 * settings.n_init


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
    more = np.array([[0.1, 0.5, 0.3], [0.4, 0.2, 0.1]])
    assert recipe.own_facets(more).tolist() == [1, 0, 0]
