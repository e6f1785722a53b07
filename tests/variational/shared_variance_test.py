# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What one facet tells of another, against NumPy and scikit-learn."""

import functools

import jax
import numpy as np
from absl.testing import parameterized
from sklearn import feature_selection

from mfcvae_jax.variational import shared_variance
from mfcvae_jax.variational.posterior import Posterior
from tests import oracles


def _resp(rng, n, k):
    return rng.dirichlet(np.full(k, 0.3), n)


def _plain_share(values, resp):
    """Cluster by cluster and column by column."""
    shares = []
    for column in values.T:
        between = 0.0
        for weights in resp.T:
            mean = np.average(column, weights=weights)
            between += weights.sum() * (mean - column.mean()) ** 2
        total = np.sum((column - column.mean()) ** 2)
        shares.append(between / (total + 1e-6 * len(column)))
    return np.mean(shares)


class ShareTest(oracles.DoubleTestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)

    def test_of_hard_clusters_is_the_correlation_ratio_of_scikit_learn(self):
        n, k = 300, 5
        labels = self.rng.integers(k, size=n)
        values = self.rng.normal(size=(n, 3)) + labels[:, None] * [0, 0.3, 3]
        f, _ = feature_selection.f_classif(values, labels)
        ratio = f * (k - 1) / (f * (k - 1) + n - k)
        np.testing.assert_allclose(
            shared_variance.share_between(values, np.eye(k)[labels]),
            ratio.mean(),
            rtol=1e-5,
        )

    @parameterized.named_parameters(
        ("one_cluster", lambda labels: np.ones((len(labels), 1)), 0),
        ("all_is_told", lambda labels: np.eye(4)[labels], 1),
        # An empty cluster changes nothing.
        ("one_is_empty", lambda labels: np.eye(5)[labels], 1),
    )
    def test_limits(self, resp, wanted):
        labels = self.rng.integers(4, size=80)
        found = shared_variance.share_between(
            np.float64(labels)[:, None], resp(labels)
        )
        np.testing.assert_allclose(found, wanted, atol=1e-5)

    def test_constant_column_is_no_division_by_zero(self):
        value, gradient = jax.value_and_grad(shared_variance.share_between)(
            np.ones((20, 2)), _resp(self.rng, 20, 3)
        )
        self.assertEqual(value, 0)
        self.assertTrue(np.all(np.isfinite(gradient)))


class SharesTest(oracles.DoubleTestCase):
    def test_deeper_facets_tell_shallower_ones_by_three_moments(self):
        rng = np.random.default_rng(1)
        posteriors = [
            Posterior(*rng.normal(size=(2, 40, d))) for d in (2, 1, 3)
        ]
        resp = [_resp(rng, 40, k) for k in (4, 5, 6)]

        @jax.jit
        @functools.partial(jax.value_and_grad, argnums=(0, 1), has_aux=True)
        def shares(q, r):
            found = shared_variance.shares(q, r)
            return found.sum(), found

        (_, found), (of_q, of_resp) = shares(posteriors, resp)
        wanted = np.zeros((3, 3))
        for j, q in enumerate(posteriors):
            centred = q.mean - q.mean.mean(axis=0)
            values = np.hstack([q.mean, centred**2, np.exp(q.log_var / 2)])
            for i in range(j + 1, 3):
                wanted[j, i] = _plain_share(values, resp[i])
        self.assert_close(found, wanted)
        # The facet that pays must change, not the clusters of the other.
        for moments in of_q[0]:
            self.assertTrue(np.any(moments))
        for leaf in jax.tree.leaves((of_q[2], of_resp)):
            self.assertFalse(np.any(leaf))
