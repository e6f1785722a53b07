# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Facets whose number of clusters is found."""

import dataclasses

import numpy as np
import pytest
from absl.testing import absltest
from sklearn import datasets

from mfcvae_jax import Facet, MultiFacetClustering


# One cluster is what there is evidence for after so few epochs.
@pytest.mark.filterwarnings("ignore:all examples are in one")
@pytest.mark.slow
class AutoFacetTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = datasets.load_digits().images[:200]
        cls.facets = (Facet("auto", 2), Facet(6, 3), Facet("auto", 2, "full"))
        cls.model = MultiFacetClustering(
            cls.facets, epochs=6, n_init=1, random_state=0
        ).fit(cls.images)

    def test_facets_have_as_many_clusters_as_the_evidence_is_for(self):
        first, given, last = self.model.evidence_
        self.assertIsNone(given)
        sizes = [p.shape[1] for p in self.model.predict_proba(self.images)]
        self.assertEqual(sizes, [first.n_kept, 6, last.n_kept])
        for evidence in (first, last):
            np.testing.assert_array_equal(
                evidence.n_components, np.arange(25, 0, -1)
            )
        self.assertEqual([len(u) for u in self.model.cluster_usage_], sizes)
        np.testing.assert_array_equal(
            self.model.predict(self.images), self.model.labels_
        )

    def test_nothing_else_changes(self):
        given = MultiFacetClustering(
            [
                Facet(25, 2),
                Facet(6, 3),
                dataclasses.replace(self.facets[2], n_components=25),
            ],
            epochs=6,
            n_init=1,
            random_state=0,
        ).fit(self.images)
        self.assertEqual(given.evidence_, [None] * 3)
        for z, same in zip(
            given.encode(self.images),
            self.model.encode(self.images),
            strict=True,
        ):
            np.testing.assert_array_equal(z, same)
        np.testing.assert_array_equal(
            given.labels_[:, 1], self.model.labels_[:, 1]
        )
