# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the estimator refuses, before and after its fit."""

import dataclasses

import jax
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from mfcvae_jax import Facet, MultiFacetClustering, views
from tests.estimator.small_fits import (
    IMAGES,
    estimator,
    may_have_one_cluster,
)

pytestmark = may_have_one_cluster

OF_EXAMPLES = (
    MultiFacetClustering.predict,
    MultiFacetClustering.predict_proba,
    MultiFacetClustering.encode,
    MultiFacetClustering.transform,
    MultiFacetClustering.reconstruct,
    MultiFacetClustering.score,
    lambda model, x: model.swap(x, x, 0),
)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.where(IMAGES == 3, np.nan, IMAGES), "contains NaN"),
        (np.where(IMAGES == 3, np.inf, IMAGES), "contains infinity"),
        (IMAGES[:1], "1 sample"),
        (IMAGES[:5], "n_components=6, more than the 5 examples"),
        (IMAGES[0, 0], "Expected 2D array, got 1D"),
        (np.array([["a", "b"]] * 20), "dtype='numeric'|convert"),
        (IMAGES + 1j, "Complex data"),
        ([[1, 2], [3]], r"X\[0\] is of shape \(2,\) and X\[1\] of \(1,\)"),
        ([[[1, 2], [3]]] * 2, "ragged"),
    ],
)
def test_examples(x, expected):
    with pytest.raises(ValueError, match=expected):
        estimator().fit(x)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"random_state": -1}, "seed"),
        ({"random_state": "a"}, "used to seed"),
        ({"facets": ()}, "is empty: at least one Facet"),
        ({"facets": Facet(3, 2)}, r"write facets=\[Facet\("),
        ({"facets": [(10, 8)]}, r"facets\[0\] must be a Facet, got \(10"),
        ({"facets": 2}, "must be a list of Facet, got 2"),
        (
            {"facets": [Facet(4, 2), Facet(3, 2, view=views.Colour(hue=9))]},
            "view of facet 1: Colour.* turns the hue of RGB images",
        ),
    ],
)
def test_parameters(params, expected):
    with pytest.raises(ValueError, match=expected):
        estimator(**params).fit(IMAGES)


def test_a_view_of_images_on_a_table():
    facets = [Facet(4, 2), Facet(3, 2, view=views.Affine(9))]
    expected = "view of facet 1: Affine.* as of a table"
    with pytest.raises(ValueError, match=expected):
        estimator(facets=facets).fit(IMAGES.reshape(300, 64))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (IMAGES.reshape(-1, 64), r"fitted to examples of shape \(8, 8\)"),
        (255 * IMAGES, "from 0 to 4080, but .* from 0 to 16"),
        (IMAGES[:0], "0 sample"),
        (IMAGES * np.nan, "NaN"),
        ([IMAGES[0], IMAGES[0, 1:]], "resize or drop the odd ones"),
    ],
)
def test_later_examples(fitted, x, expected):
    for call in OF_EXAMPLES:
        with pytest.raises(ValueError, match=expected):
            call(fitted, x)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda m: m.swap(IMAGES, IMAGES, 5), "facet must be .* 0 to 1"),
        (lambda m: m.swap(IMAGES, IMAGES, "a"), "facet must be"),
        (lambda m: m.swap(IMAGES[:2], IMAGES[:3], 0), "the same shape"),
        (lambda m: m.sample(0), "n must be"),
        (lambda m: m.sample(2.5), "n must be an integer"),
        (lambda m: m.sample(True), "n must be an integer"),
        (lambda m: m.sample(2, facet=0), "facet and component go"),
        (lambda m: m.sample(2, component=0), "facet and component go"),
        (
            lambda m: m.sample(2, facet=0, component=4),
            "component must be an integer from 0 to 3, got 4",
        ),
        (lambda m: m.sample(2, facet=2, component=0), "facet must be"),
        (lambda m: m.sample(2, temperature=-1), "temperature must be"),
        (lambda m: m.sample(2, temperature=np.nan), "temperature must be"),
        (lambda m: m.sample(2, temperature="hot"), "temperature must be"),
        (lambda m: m.sample(2, temperature=True), "temperature must be"),
    ],
)
def test_calls(fitted, call, expected):
    with pytest.raises(ValueError, match=expected):
        call(fitted)


@pytest.mark.parametrize(
    "call",
    [
        *OF_EXAMPLES,
        lambda model, _: model.get_feature_names_out(),
        lambda model, _: model.sample(2),
        lambda model, _: model.save("never.npz"),
    ],
)
def test_not_fitted(call):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        call(MultiFacetClustering(), IMAGES)


def test_no_probability_is_nan(fitted):
    variables = jax.tree.map(np.array, fitted._fitted.variables)
    variables["params"]["priors_1"]["means"][:] = np.nan
    broken = dataclasses.replace(fitted._fitted, variables=variables)
    with pytest.raises(ValueError, match=r"9 examples .* such as X\[0\]"):
        broken.predict(np.float32(IMAGES[:9, ..., np.newaxis] / 16))
