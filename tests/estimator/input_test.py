# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What goes into the estimator: layouts, defaults, and errors that say why."""

import importlib.util
import pathlib

import numpy as np
import pytest
from scipy import sparse
from sklearn import datasets, preprocessing
from sklearn.exceptions import NotFittedError

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax import config as config_lib
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.estimator.defaults import make_settings
from mfcvae_jax.estimator.layout import layout_of

FACETS = (Facet(4, 2), Facet(6, 3))
IMAGES = datasets.load_digits().images[:300]  # 0 to 16, float64
TABLE = datasets.load_wine().data
BYTES = np.uint8(255 * IMAGES / 16)


def defaults(x, facets=FACETS, **changes):
    asked = {
        "epochs": "auto",
        "likelihood": "auto",
        "net": "auto",
        "batch_size": 128,
        "learning_rate": "auto",
        "n_devices": 1,
        "seed": 0,
    }
    return make_settings(facets, layout_of(x), len(x), **(asked | changes))


class TestLayout:
    @pytest.mark.parametrize(
        "x", [IMAGES, IMAGES / 16, BYTES, TABLE, IMAGES[..., np.newaxis]]
    )
    def test_round_trip(self, x):
        layout = layout_of(x)
        images = layout.to_model(x)
        assert images.shape == (len(x), *layout.image_shape)
        in_units = images / 255 if images.dtype == np.uint8 else images
        np.testing.assert_allclose(
            layout.from_model(in_units), x, rtol=1e-5, atol=1e-3
        )

    def test_images_are_brought_between_0_and_1(self):
        for x in (IMAGES, IMAGES / 16, 8 - IMAGES, np.int64(IMAGES)):
            images = layout_of(x).to_model(x)
            assert (images.min(), images.max()) == (0.0, 1.0)
            assert images.dtype == np.float32

    def test_images_between_0_and_1_stay(self):
        x = np.float32(0.2 + IMAGES / 32)
        np.testing.assert_array_equal(layout_of(x).to_model(x)[..., 0], x)

    def test_bytes_stay(self):
        images = layout_of(BYTES).to_model(BYTES)
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images[..., 0], BYTES)

    def test_columns_are_standardised(self):
        constant = np.column_stack([TABLE, np.full(len(TABLE), 0.1)])
        expected = preprocessing.StandardScaler().fit_transform(constant)
        found = layout_of(constant).to_model(constant)[:, 0, :, 0]
        np.testing.assert_allclose(found, expected, atol=1e-5)


class TestDefaults:
    def test_digits_have_the_settings_of_the_experiment(self):
        path = (
            pathlib.Path(__file__).parents[2] / "experiments/configs/digits.py"
        )
        spec = importlib.util.spec_from_file_location("digits_config", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        expected = config_lib.from_config(module.get_config().to_dict())
        x = np.float32(np.concatenate([IMAGES] * 5)[:1438] / 16)
        found = defaults(x, (Facet(10, 8), Facet(25, 5)))
        for name in ("facets", "net", "likelihood", "prior_init", "precision"):
            assert getattr(found, name) == getattr(expected, name)
        for name in ("batch_size", "learning_rate", "estimator", "n_samples"):
            assert getattr(found.train, name) == getattr(expected.train, name)
        assert found.progressive.stage_epochs == (60, 240)
        assert found.progressive.fade_in_steps == pytest.approx(528, abs=10)

    @pytest.mark.parametrize(
        ("shape", "net", "likelihood"),
        [
            ((8, 8), "DenseLadder", settings_lib.Gaussian),
            ((28, 28), "DenseLadder", settings_lib.Bernoulli),
            ((8, 8, 3), "DenseLadder", settings_lib.Gaussian),
            ((32, 32, 3), "ConvLadder", settings_lib.Gaussian),
            ((64, 64), "ConvLadder", settings_lib.Gaussian),
            ((33, 33), "DenseLadder", settings_lib.Bernoulli),
            ((13,), "DenseLadder", settings_lib.Gaussian),
        ],
    )
    def test_net_and_likelihood(self, shape, net, likelihood):
        x = np.random.RandomState(0).uniform(size=(40, *shape))
        found = defaults(x)
        assert type(found.net).__name__ == net
        assert type(found.likelihood) is likelihood
        if len(shape) == 1:
            assert found.likelihood.output is settings_lib.OutputUnits.LINEAR

    def test_loss_of_one_facet_is_that_of_the_vade_config(self):
        found = defaults(IMAGES, (Facet(4, 2),))
        assert found.train.estimator == "closed_form"

    @pytest.mark.parametrize("n_facets", [1, 2, 3, 4])
    def test_any_number_of_facets(self, n_facets):
        found = defaults(IMAGES, (Facet(4, 2),) * n_facets)
        assert len(found.net.encoder_backbone) == n_facets

    def test_epochs(self):
        two = (Facet(4, 2),) * 2
        for n_epochs, expected in ((2, (1, 1)), (5, (1, 4)), (80, (16, 64))):
            found = defaults(IMAGES, two, epochs=n_epochs).progressive
            assert found.stage_epochs == expected
        three = defaults(IMAGES, (*two, Facet(4, 2)), epochs=120).progressive
        assert three.stage_epochs == (16, 16, 88)
        (one,) = defaults(IMAGES, two[:1], epochs=7).progressive.stage_epochs
        assert one == 7
        found = defaults(IMAGES, two, epochs=[7, 3]).progressive
        assert found.stage_epochs == (7, 3)
        assert found.fade_in_steps <= 3 * 2
        few = defaults(IMAGES[:20], two, batch_size=128)
        assert few.train.batch_size == 20

    def test_batches_split_over_devices(self):
        found = defaults(IMAGES[:30], n_devices=8)
        assert found.train.batch_size == 24


def fit(x=IMAGES, **params):
    MultiFacetClustering(
        **{"facets": FACETS, "epochs": 2, "random_state": 0, **params}
    ).fit(x)


class TestErrors:
    @pytest.mark.parametrize(
        ("x", "expected"),
        [
            (np.where(IMAGES == 3, np.nan, IMAGES), "contains NaN"),
            (np.where(IMAGES == 3, np.inf, IMAGES), "contains infinity"),
            (np.ones((20, 8, 8)), "X is constant: all 20 examples"),
            (np.ones((20, 5)), "X is constant"),
            (IMAGES[:1], "1 sample"),
            (IMAGES[:5], "n_components=6, more than the 5 examples"),
            (IMAGES[0, 0], "Expected 2D array, got 1D"),
            (IMAGES[:, np.newaxis, np.newaxis], r"table of shape \(N, D\)"),
            (np.array([["a", "b"]] * 20), "dtype='numeric'|convert"),
            (np.zeros((20, 8, 0)), r"table of shape|0 feature"),
            (BYTES // 255, "multiply X by 255"),
            (np.outer(np.arange(20), [1e300, 1.0]), "column 0"),
            (IMAGES + 1j, "Complex data"),
        ],
    )
    def test_examples(self, x, expected):
        with pytest.raises(ValueError, match=expected):
            fit(x)

    def test_sparse(self):
        with pytest.raises(TypeError, match=r"[Ss]parse"):
            fit(sparse.csr_array(TABLE))

    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({"facets": ()}, "is empty: at least one Facet"),
            ({"facets": Facet(3, 2)}, r"write facets=\[Facet\("),
            ({"facets": [(10, 8)]}, r"facets\[0\] must be a Facet, got \(10"),
            ({"facets": 2}, "must be a list of Facet, got 2"),
            ({"epochs": 1}, "too few: each of the 2 facets"),
            ({"epochs": 0}, "epochs must be an integer of at least 1"),
            ({"epochs": 2.5}, "epochs must be an integer"),
            ({"epochs": "many"}, "epochs must be an integer"),
            ({"epochs": (1, 2, 3)}, "an entry for each of the 2 facets"),
            ({"likelihood": "poisson"}, "likelihood must be 'auto'"),
            ({"net": "resnet"}, "net must be 'auto'"),
            ({"net": "conv"}, "image"),
            ({"batch_size": 0}, "batch_size must be"),
            ({"learning_rate": -1.0}, "learning_rate must be"),
            ({"learning_rate": "fast"}, "learning_rate must be"),
            ({"random_state": -1}, "seed"),
            ({"random_state": "a"}, "cannot be used to seed"),
        ],
    )
    def test_parameters(self, params, expected):
        with pytest.raises(ValueError, match=expected):
            fit(**params)

    def test_bernoulli_of_a_table(self):
        with pytest.raises(ValueError, match="X is a table"):
            fit(TABLE, likelihood="bernoulli")

    @pytest.mark.parametrize(
        "given",
        [
            {"n_components": 0},
            {"latent_dim": 2.5},
            {"n_components": True},
            {"covariance": "round"},
            {"learn_weights": 1},
        ],
    )
    def test_facet(self, given):
        (name,) = given
        with pytest.raises(ValueError, match=f"Facet: {name} must be"):
            Facet(**given)

    @pytest.mark.parametrize(
        "call",
        [
            lambda model: model.predict(IMAGES),
            lambda model: model.predict_proba(IMAGES),
            lambda model: model.transform(IMAGES),
            lambda model: model.reconstruct(IMAGES),
            lambda model: model.swap(IMAGES, IMAGES, 0),
            lambda model: model.sample(2),
            lambda model: model.score(IMAGES),
            lambda model: model.save("never.npz"),
        ],
    )
    def test_not_fitted(self, call):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call(MultiFacetClustering())


@pytest.fixture(scope="module")
def models():
    def tiny(x):
        model = MultiFacetClustering([Facet(3, 2)], epochs=1, random_state=0)
        return model.fit(x)

    return {
        "floats": tiny(IMAGES[:40]),
        "bytes": tiny(BYTES[:40]),
        "table": tiny(TABLE[:40]),
    }


@pytest.mark.slow
class TestErrorsOnceFitted:
    @pytest.mark.parametrize(
        ("name", "x", "expected"),
        [
            ("floats", IMAGES.reshape(-1, 64), r"write X.reshape\(-1, 8, 8\)"),
            ("floats", IMAGES[0], r"shape \(N, 8, 8\), got \(8, 8\): write"),
            ("floats", IMAGES[:, 2:], r"shape \(N, 8, 8\), got \(300, 6, 8\)"),
            ("floats", BYTES, "fitted to images of other numbers than uint8"),
            ("bytes", IMAGES / 16, "fitted to images of uint8, got float64"),
            ("floats", IMAGES[:0], "0 sample"),
            ("floats", IMAGES * np.nan, "NaN"),
            ("table", TABLE[:, 1:], "12 features, but .* expecting 13"),
            ("table", TABLE[0], "Expected 2D array, got 1D"),
            ("table", np.full((2, 13), 1e300), "too large for float32"),
        ],
    )
    def test_examples(self, models, name, x, expected):
        with pytest.raises(ValueError, match=expected):
            models[name].predict(x)

    @pytest.mark.parametrize(
        ("call", "expected"),
        [
            (lambda m: m.swap(IMAGES, IMAGES, 5), "facet must be .* 0 to 0"),
            (lambda m: m.swap(IMAGES, IMAGES, "a"), "facet must be"),
            (lambda m: m.swap(IMAGES[:2], IMAGES[:3], 0), "the same shape"),
            (lambda m: m.sample(0), "n must be"),
            (lambda m: m.sample(2, facet=0), "facet and component go"),
            (lambda m: m.sample(2, component=0), "facet and component go"),
            (
                lambda m: m.sample(2, facet=0, component=3),
                "component must be an integer from 0 to 2, got 3",
            ),
            (lambda m: m.sample(2, facet=1, component=0), "facet must be"),
            (lambda m: m.sample(2, temperature=-1), "temperature must be"),
        ],
    )
    def test_calls(self, models, call, expected):
        with pytest.raises(ValueError, match=expected):
            call(models["floats"])
