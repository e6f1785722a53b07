# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's own checks of an estimator."""

import re

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax import settings as settings_lib
from tests.scripts import ROOT

_A_LIST = "predict_proba gives a list, one array for each facet"
_COLUMNS = "labels have a column for each facet"

# What cannot hold for an estimator that gives several clusterings at once.
CANNOT_PASS = {
    "check_clustering": _COLUMNS,
    "check_estimators_pickle": _A_LIST,
    "check_fit_idempotent": _A_LIST,
    "check_methods_sample_order_invariance": _A_LIST,
    "check_methods_subset_invariance": _A_LIST,
}
# Steps of few examples and a net of few neurons, for speed.
PARAMS = {
    "epochs": 2,
    "n_init": 1,
    "random_state": 0,
    "net": settings_lib.SharedEncoder(
        (8,), (8,), settings_lib.Activation.RELU, batch_norm=False
    ),
}


class FirstFacet(MultiFacetClustering):
    """One that gives its first facet as a plain clustering."""

    def fit(self, X, y=None):
        super().fit(X, y)
        self.labels_ = self.labels_[:, 0]
        return self

    def predict(self, X):
        return super().predict(X)[:, 0]

    def predict_proba(self, X):
        return super().predict_proba(X)[0]


def test_documentation_names_all_that_cannot_pass():
    page = (ROOT / "docs/api/estimator.md").read_text()
    named = re.findall(r"^\| `(check_\w+)`", page, re.M)
    assert set(named) == set(CANNOT_PASS)


@pytest.mark.slow
class TestChecks:
    def test_all_but_those_that_cannot_pass(self):
        estimator = MultiFacetClustering(
            facets=[Facet(3, 2), Facet(2, 1)], **PARAMS
        )
        names = {}
        for result in estimator_checks.check_estimator(
            estimator,
            expected_failed_checks=CANNOT_PASS,
            on_fail=None,
            on_skip=None,
        ):
            what = (result["check_name"], repr(result["exception"])[:300])
            names.setdefault(result["status"], []).append(what)
        assert not names.get("failed"), names["failed"]
        assert {name for name, _ in names["xfail"]} == set(CANNOT_PASS)
        assert len(names["passed"]) > 40

    def test_a_plain_clustering_passes_those_too(self):
        estimator = FirstFacet(facets=[Facet(3, 2)], **PARAMS)
        passed = set()
        for one, check in estimator_checks.estimator_checks_generator(
            estimator
        ):
            name = check.func.__name__
            if name in CANNOT_PASS:
                check(one)
                passed.add(name)
        assert passed == set(CANNOT_PASS)


class TestPipelines:
    X = np.random.default_rng(0).normal(size=(40, 6))

    @pytest.mark.slow
    def test_as_a_step(self):
        model = MultiFacetClustering([Facet(3, 2), Facet(2, 1)], **PARAMS)
        union = make_union(StandardScaler(), model)
        pipeline = make_pipeline(union, KMeans(2, n_init=1, random_state=0))
        labels = pipeline.fit_predict(self.X)
        step = union.transformer_list[1][1]
        expected = np.concatenate(
            [StandardScaler().fit_transform(self.X), *step.encode(self.X)], 1
        )
        np.testing.assert_array_equal(union.transform(self.X), expected)
        np.testing.assert_array_equal(
            labels, KMeans(2, n_init=1, random_state=0).fit(expected).labels_
        )
        names = ["facet_0_dim_0", "facet_0_dim_1", "facet_1_dim_0"]
        assert step.get_feature_names_out().tolist() == names
        prefix = "multifacetclustering__"
        assert union.get_feature_names_out()[6:].tolist() == [
            prefix + name for name in names
        ]

    def test_gives_a_data_frame_if_asked(self):
        pytest.importorskip("pandas")
        model = MultiFacetClustering([Facet(2, 2)], **PARAMS)
        frame = model.set_output(transform="pandas").fit_transform(self.X)
        assert list(frame.columns) == ["facet_0_dim_0", "facet_0_dim_1"]
        np.testing.assert_array_equal(frame.to_numpy(), *model.encode(self.X))
