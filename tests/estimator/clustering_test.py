# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The estimator: what it gives, against independent ways to the same thing."""

import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
from absl import logging
from scipy import special, stats
from sklearn import metrics
from sklearn.base import clone

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax.datasets import digits
from mfcvae_jax.training.devices import Program
from mfcvae_jax.workdir import Workdir
from tests import oracles
from tests.estimator.small_fits import (
    IMAGES,
    estimator,
    may_have_one_cluster,
)

pytestmark = may_have_one_cluster


@pytest.fixture(scope="module")
def mixtures(fitted):
    model = fitted._fitted.trained.model
    found = model.apply(fitted._fitted.variables, method=model.mixtures)
    return jax.tree.map(lambda a: np.asarray(a, np.float64), found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "x",
    [
        np.uint8(IMAGES[:60, ..., np.newaxis]),
        np.float32(IMAGES[:60, :, :, np.newaxis] * [1, 0.5, 0.2] / 16),
        IMAGES[:60].reshape(60, 64),
    ],
    ids=["bytes", "colours", "table"],
)
def test_what_comes_back_is_like_what_went_in(x):
    model = estimator(facets=[Facet(3, 2)], epochs=2).fit(x)
    back = model.reconstruct(x)
    assert back.shape == x.shape
    assert back.dtype == (np.uint8 if x.dtype == np.uint8 else np.float32)
    assert model.sample(3, random_state=1).shape == (3, *x.shape[1:])
    if x.ndim > 2:  # a sigmoid keeps within the units of X
        assert back.min() >= x.min()
        assert back.max() <= x.max()


class TestAgainstOtherWays:
    def test_clusters_by_scipy(self, fitted, mixtures):
        assert fitted.n_features_in_ == 64
        latents = fitted.encode(IMAGES)
        labels = []
        for z, mixture, resp, usage in zip(
            latents,
            mixtures,
            fitted.predict_proba(IMAGES),
            fitted.cluster_usage_,
            strict=True,
        ):
            expected = special.softmax(oracles.log_joint(mixture, z), axis=-1)
            np.testing.assert_allclose(resp, expected, atol=1e-4)
            labels.append(resp.argmax(axis=1))
            np.testing.assert_array_equal(
                usage, np.bincount(labels[-1], minlength=resp.shape[1])
            )
        for found in (fitted.predict(IMAGES), fitted.labels_):
            np.testing.assert_array_equal(found, np.transpose(labels))

    def test_reconstructions_and_swaps(self, fitted):
        x1, x2 = IMAGES[:5], IMAGES[5:10]
        images = np.float32(x1[..., np.newaxis] / 16)
        plain = 16 * fitted._fitted.trained.reconstruct(images)[..., 0]
        found = fitted.reconstruct(x1)
        np.testing.assert_allclose(found, plain, atol=1e-4)
        for swapped in fitted.swap(x1, x1, facet=1):
            np.testing.assert_array_equal(swapped, found)
        # What one facet takes the other leaves.
        by_first = fitted.swap(x1, x2, facet=0)
        by_second = fitted.swap(x1, x2, facet=1)
        assert not np.allclose(by_first[0], by_second[0], atol=0.1)
        np.testing.assert_array_equal(by_first, by_second[::-1])
        np.testing.assert_allclose(
            fitted.swap(x1[0], x2[0], 0), [x[0] for x in by_first], atol=1e-5
        )

    def test_coldest_sample_is_the_decoded_mean(self, fitted, mixtures):
        drawn = fitted.sample(
            50, facet=1, component=4, temperature=0, random_state=0
        )
        means = [oracles.parts(mixture).means for mixture in mixtures]
        possible = fitted._fitted.trained.decode(
            [means[0], np.tile(means[1][4], (4, 1))]
        )
        possible = 16 * possible[..., 0]
        distances = np.abs(drawn[:, None] - possible[None]).max(axis=(2, 3))
        assert np.all(distances.min(axis=1) < 1e-4)

    def test_score_by_scipy(self, fitted, mixtures):
        trained = fitted._fitted.trained
        model, variables = trained.model, trained.variables
        x = np.float32(IMAGES[..., np.newaxis] / 16)
        rng = np.random.RandomState(0)
        z, bound = [], 0.0
        for q, mixture in zip(
            model.apply(variables, x, method=model.encode),
            mixtures,
            strict=True,
        ):
            q_z = stats.norm(np.asarray(q.mean), np.exp(0.5 * q.log_var))
            z.append(q_z.rvs(random_state=rng))
            bound += special.logsumexp(
                oracles.log_joint(mixture, z[-1]), axis=-1
            )
            bound -= q_z.logpdf(z[-1]).sum(axis=-1)
        decoded = trained.decode([np.float32(z_j) for z_j in z])[..., 0]
        p_x = stats.norm(decoded, trained.likelihood.std)
        bound += p_x.logpdf(IMAGES / 16).sum(axis=(1, 2))
        error = bound.std() / np.sqrt(len(bound))
        assert error < 8
        assert abs(fitted.score(IMAGES) - bound.mean()) < 3 * error

    def test_history_is_of_all_training(self, fitted):
        tests = [r for r in fitted.history_ if r["split"] == "test"]
        assert [r["epoch"] for r in tests] == [0, 1, 2, 3, 4]
        assert fitted.n_iter_ == 4
        trains = [r for r in fitted.history_ if r["split"] == "train"]
        assert trains[-1]["step"] == 4 * (300 // 64)
        assert tests[-1]["mixture_bound"] == pytest.approx(
            fitted.score(IMAGES), abs=8.0
        )  # other noise


class TestManners:
    @pytest.mark.slow
    def test_random_state_object_and_none(self):
        first, second, _ = (
            estimator(random_state=state, epochs=2)
            .fit(IMAGES[:60])
            .transform(IMAGES[:60])
            for state in (*map(np.random.RandomState, (3, 3)), None)
        )
        np.testing.assert_array_equal(first, second)

    def test_samples_repeat(self, fitted):
        first, again = fitted.sample(4), fitted.sample(4)
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, fitted.sample(4, random_state=7))

    def test_refits_follow_the_seed_and_compile_nothing(self, fitted):
        # Programs of a fit that another file asked for are forgotten by now.
        again = clone(fitted).fit(IMAGES)
        for found, same in zip(
            again.predict_proba(IMAGES),
            fitted.predict_proba(IMAGES),
            strict=True,
        ):
            np.testing.assert_array_equal(found, same)
        compiled = []

        def listen(event, duration, **_):
            if event == "/jax/core/compile/backend_compile_duration":
                compiled.append(event)

        again.reconstruct(IMAGES[:40])
        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            jax.jit(lambda x: x + 1.25)(3.0)
            assert compiled  # so the listener hears
            compiled.clear()
            for start in (0, 40, 100):
                again.predict(IMAGES[start : start + 40])
                again.reconstruct(IMAGES[start : start + 40])
            other = clone(fitted).set_params(random_state=5).fit(IMAGES)
            assert not compiled
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
        assert not np.array_equal(
            other.transform(IMAGES), fitted.transform(IMAGES)
        )

    @pytest.mark.slow
    def test_is_quiet_unless_asked(self, capfd):
        before = logging.get_verbosity()
        logging.set_verbosity(logging.INFO)
        try:
            estimator(epochs=2).fit(IMAGES)
            assert logging.get_verbosity() == logging.INFO
        finally:
            logging.set_verbosity(before)
        assert capfd.readouterr() == ("", "")
        estimator(epochs=2, verbose=1).fit(IMAGES)
        assert "step" in capfd.readouterr().err

    def test_workdir_keeps_the_run(self, tmp_path, fitted):
        model = estimator(workdir=tmp_path / "run").fit(IMAGES)
        folder = Workdir(tmp_path / "run")
        assert folder.settings() == model._fitted.settings
        assert any(folder.checkpoints.iterdir())
        np.testing.assert_array_equal(model.labels_, fitted.labels_)
        model.fit(IMAGES)
        again = Workdir(tmp_path / "run" / "fit_1")
        assert again.settings() == folder.settings()

    def test_import_loads_nothing(self):
        program = (
            "import sys, mfcvae_jax\n"
            "assert not {'jax', 'sklearn', 'numpy'} & set(sys.modules)\n"
            "assert not hasattr(mfcvae_jax, 'Faced')\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_interrupt_reaches_the_user(self, monkeypatch, fitted):
        run = Program.run

        def interrupted(*args):
            signal.raise_signal(signal.SIGINT)
            return run(*args)

        before = signal.getsignal(signal.SIGINT)
        monkeypatch.setattr(Program, "run", interrupted)
        model = clone(fitted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(IMAGES)
        assert not hasattr(model, "n_features_in_")
        assert signal.getsignal(signal.SIGINT) is before

    @pytest.mark.slow
    def test_a_facet_that_sorts_nothing_is_named(self):
        noise = np.random.default_rng(0).normal(size=(40, 3))
        model = estimator(facets=[Facet("auto", 1)], epochs=1)
        with pytest.warns(UserWarning, match="in one cluster of facet 0"):
            model.fit(noise)
        assert [len(usage) for usage in model.cluster_usage_] == [1]

    @pytest.mark.slow
    def test_divergence(self):
        with pytest.raises(
            FloatingPointError, match=r"diverged: .*learning_rate lower than"
        ):
            estimator(learning_rate=1e30).fit(IMAGES)


@pytest.mark.slow
def test_facets_have_as_many_clusters_as_the_evidence_is_for():
    images = IMAGES[:100]

    def fitted(*n_components):
        facets = map(Facet, n_components, (2, 3, 2))
        return estimator(facets=list(facets), epochs=3).fit(images)

    model = fitted("auto", 6, "auto")
    first, given, last = model.evidence_
    assert given is None
    sizes = [p.shape[1] for p in model.predict_proba(images)]
    assert sizes == [first.n_kept, 6, last.n_kept]
    for evidence in (first, last):
        np.testing.assert_array_equal(
            evidence.n_components, np.arange(25, 0, -1)
        )
    assert [len(usage) for usage in model.cluster_usage_] == sizes
    np.testing.assert_array_equal(model.predict(images), model.labels_)
    # Nothing else changes.
    same = fitted(25, 6, 25)
    assert same.evidence_ == [None] * 3
    np.testing.assert_array_equal(
        same.transform(images), model.transform(images)
    )
    np.testing.assert_array_equal(same.labels_[:, 1], model.labels_[:, 1])


@pytest.mark.slow
def test_finds_the_digit_by_default():
    split = digits.load_digits()
    images, labels = split.test.images, split.test.labels[:, 0]
    model = MultiFacetClustering(
        [Facet(10, 8), Facet(25, 5)], n_init=1, random_state=0
    )
    found = model.fit(split.train.images).predict(images)
    table = metrics.cluster.contingency_matrix(labels, found[:, 1])
    # 87.4 (3.8) % over seeds; and facet 0 is to sort by something else.
    assert table.max(axis=0).sum() > 0.78 * len(labels)
    assert metrics.adjusted_mutual_info_score(*found.T) < 0.3
    # A cluster's samples are sorted into it.
    biggest = int(np.argmax(model.cluster_usage_[1]))
    drawn = model.sample(
        50, facet=1, component=biggest, temperature=0.5, random_state=0
    )
    assert np.mean(model.predict(drawn)[:, 1] == biggest) > 0.8
