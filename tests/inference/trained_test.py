# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A model with random weights, against SciPy, scikit-learn and by hand."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from scipy import special, stats
from sklearn import mixture

from mfcvae_jax import model as model_lib
from mfcvae_jax.inference.trained import make_trained
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.settings import Gaussian, OutputUnits
from mfcvae_jax.training import state
from tests import examples, oracles, untrained

_K, _D = (6, 10, 4), (2, 3, 2)


@functools.cache
def trained(n_facets=2, alpha=(0.9, 1.0, 0.7), batch_size=8):
    """A net of so many facets whose priors are no standard normals.

    The last facet's covariance is full.
    """
    config = untrained.facets(*_K[:n_facets])
    config["facets"] |= {
        "latent_dim": _D[:n_facets],
        "covariance": ("diagonal",) * (n_facets - 1) + ("full",),
    }
    config["evaluate"] = {"batch_size": batch_size}
    settings = examples.settings(**config)
    model = model_lib.make_model(settings, (8, 8, 1))
    variables = state.initial_variables(model, jax.random.key(0))
    params = variables["params"]
    for net in ("encoder", "decoder"):  # larger, so that facets show
        params[net] = jax.tree.map(lambda a: 2 * a, params[net])
    rng = np.random.default_rng(0)
    for j, (k, d) in enumerate(zip(_K[:n_facets], _D, strict=False)):
        priors = params[f"priors_{j}"]
        priors["means"] = rng.normal(size=(k, d)).astype(np.float32)
        priors["logits"] = rng.normal(size=k).astype(np.float32)
    coefficients = np.array(alpha[:n_facets], np.float32)
    return make_trained(settings, (8, 8, 1), variables, coefficients)


def _encode(it, x):
    return it.model.apply(it.variables, x, method="encode")


def _decode(it, z):
    """Means of Bernoulli pixels are sigmoids of what is decoded."""
    z = tuple(np.asarray(z_j, np.float32) for z_j in z)
    logits = it.model.apply(it.variables, z, it.alpha, method="decode")
    return special.expit(np.asarray(logits))


def _assert_close(found, wanted, atol=1e-5):
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, atol=atol), found, wanted
    )


class TestPredict:
    images = examples.images(21)

    def _found(self, batch_size=8, images=images):
        it = dataclasses.replace(trained(), batch_size=batch_size)
        return it.predict(images, jax.random.key(0))

    @pytest.mark.slow
    def test_chunks_of_any_size_say_the_same(self):
        found, whole = self._found(), self._found(batch_size=21)
        _assert_close(found.resp, whole.resp)
        _assert_close(found.latents, whole.latents)
        _assert_close(trained().modes(self.images), whole.latents)
        assert found.kl_z.shape == (21, 2)

    def test_responsibilities_are_those_of_scikit_learns_mixture(self):
        found = self._found()
        for j, form in ((0, "diag"), (1, "full")):
            facet = oracles.parts(trained().mixtures[j])
            oracle = mixture.GaussianMixture(_K[j], covariance_type=form)
            scale = np.asarray(facet.scale, np.float64)
            oracle.weights_ = np.exp(facet.log_weights)
            oracle.means_ = np.asarray(facet.means, np.float64)
            oracle.precisions_cholesky_ = (
                1 / scale
                if form == "diag"
                else np.linalg.inv(scale).swapaxes(1, 2)
            )
            wanted = oracle.predict_proba(found.latents[j])
            np.testing.assert_allclose(found.resp[j], wanted, atol=1e-4)
            np.testing.assert_array_equal(
                found.assignments[:, j], wanted.argmax(axis=1)
            )

    def test_bytes_are_fractions_of_255(self):
        of_bytes = np.rint(255 * self.images).astype(np.uint8)
        fractions = np.float32(of_bytes) / 255
        _assert_close(trained().modes(of_bytes), trained().modes(fractions))
        _assert_close(
            self._found(images=of_bytes).log_p_x_z,
            self._found(images=fractions).log_p_x_z,
            atol=1e-3,
        )


class TestSampledLatents:
    @pytest.mark.slow
    def test_standardised_they_are_independent_standard_normals(self):
        images, n_keys = examples.images(20), 60
        draws = [
            trained().sampled_latents(images, jax.random.key(seed))
            for seed in range(n_keys)
        ]
        for j, q in enumerate(_encode(trained(), images)):
            z = np.stack([drawn[j] for drawn in draws])
            noise = (z - q.mean) / np.exp(0.5 * np.asarray(q.log_var))
            assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
            flat = noise.reshape(n_keys, -1)
            error = 1 / np.sqrt(n_keys)
            assert np.abs(flat.mean(axis=0)).max() < 4.5 * error
            assert np.abs(flat.std(axis=0) - 1).max() < 4.5 * error
            # No two images, dimensions or chunks share their noise.
            shared = np.corrcoef(flat.T) - np.eye(flat.shape[1])
            assert np.abs(shared).max() < 5 * error


def _log_weight(it, x, noise):
    """log p(x|z) p(z) / q(z|x) of the facets in force, by SciPy."""
    forward = it.model.apply(it.variables, x, noise, it.alpha)
    decoded = special.expit(forward.output[0])
    found = stats.norm.logpdf(x, decoded, 0.3).sum((1, 2, 3))
    for is_in, q, p, z in zip(
        it.alpha > 0,
        forward.posteriors,
        forward.mixtures,
        forward.z,
        strict=True,
    ):
        log_p_z = special.logsumexp(oracles.log_joint(p, z[0]), axis=-1)
        log_q_z = stats.norm.logpdf(
            z[0], q.mean, np.exp(0.5 * np.float64(q.log_var))
        ).sum(-1)
        found = found + is_in * (log_p_z - log_q_z)
    return found


@pytest.mark.parametrize(
    ("alpha", "n_samples"),
    [((1.0, 1.0), 3), ((0.0, 1.0), 1), ((0.3, 1.0), 1)],
)
def test_log_marginal_is_the_mean_of_scipys_weights(alpha, n_samples):
    it = dataclasses.replace(
        trained(2, alpha, 16), likelihood=Gaussian(0.3, OutputUnits.SIGMOID)
    )
    images, key = examples.images(24), jax.random.key(4)
    found = it.log_marginal(images, key, n_samples)
    for start in (0, 16):  # the second chunk is not full
        x = images[start : start + 16]
        keys = jax.random.split(jax.random.fold_in(key, start), n_samples)
        weights = []
        for one in keys:
            noise = draw_noise(one, (2, 3), 1, 16)
            noise = tuple(e[:, : len(x)] for e in noise)
            weights.append(_log_weight(it, x, noise))
        wanted = special.logsumexp(weights, axis=0) - np.log(n_samples)
        np.testing.assert_allclose(
            found.log_p_x[start : start + 16], wanted, rtol=1e-5, atol=2e-3
        )


class TestDecode:
    @pytest.mark.parametrize("n_facets", [2, 3])
    def test_swaps_equal_exchanging_latents_by_hand(self, n_facets):
        it = trained(n_facets)
        pairs = examples.images(10).reshape(5, 2, 8, 8, 1)
        plain = it.reconstruct(pairs.reshape(-1, 8, 8, 1)).reshape(pairs.shape)
        left, right = (
            [np.asarray(q.mean) for q in _encode(it, pairs[:, side])]
            for side in range(2)
        )
        _assert_close(plain[:, 0], _decode(it, left))
        for facet in range(n_facets):
            swapped = it.swap(pairs, facet)
            assert np.abs(swapped - plain).max() > 1e-3  # facets do something
            mixed = [list(left), list(right)]
            mixed[0][facet], mixed[1][facet] = right[facet], left[facet]
            for side in range(2):
                _assert_close(swapped[:, side], _decode(it, mixed[side]))

    @pytest.mark.slow
    @pytest.mark.parametrize("n_facets", [1, 3])
    def test_traversal_moves_one_dimension_to_where_the_prior_is(
        self, n_facets
    ):
        it, (x,) = trained(n_facets), examples.images(1)
        steps = np.array([-2.0, 0.0, 3.0], np.float32)
        modes = [np.asarray(q.mean) for q in _encode(it, x[None])]
        for facet, d in enumerate(_D[:n_facets]):
            found = it.traverse(x, steps, facet)
            params = it.variables["params"][f"priors_{facet}"]
            weights = special.softmax(np.float64(params["logits"]))
            means = np.float64(params["means"])
            mean = weights @ means
            # All components start at the variance of the settings, 0.01.
            std = np.sqrt(weights @ means**2 - mean**2 + 0.01)
            assert found.shape == (d, 3, 8, 8, 1)
            for i in range(d):
                z = [np.repeat(z_j, 3, axis=0) for z_j in modes]
                z[facet][:, i] = mean[i] + steps * std[i]
                _assert_close(found[i], _decode(it, z))


class TestSample:
    key = jax.random.key(1)

    @pytest.mark.slow
    def test_coldest_samples_are_the_decoded_means(self):
        it = trained()
        components = np.array([[0, 3], [5, 9], [2, 2]] * 4, np.int32)
        means = [
            oracles.parts(m).means[c]
            for m, c in zip(it.mixtures, components.T, strict=True)
        ]
        found = it.sample_combinations(self.key, components, temperature=0.0)
        _assert_close(found[:, 0], _decode(it, means))
        again = it.sample_combinations(self.key, components[:3], 2, 0.0)
        for n in range(2):
            _assert_close(again[:, n], found[:3, 0])

    @pytest.mark.parametrize("temperature", [1.0, 0.5])
    def test_samples_have_the_moments_of_their_components(self, temperature):
        it, n = trained(), 400
        (drawn,) = it.sample_combinations(
            self.key, np.array([[4, 7]]), n, temperature
        )
        rng = np.random.default_rng(0)
        z = []
        mixtures = map(oracles.parts, it.mixtures)
        for facet, k in zip(mixtures, (4, 7), strict=True):
            scale = np.asarray(facet.scale[k], np.float64)
            scale = np.diag(scale) if scale.ndim == 1 else scale
            noise = temperature * rng.normal(size=(n, len(scale)))
            z.append(facet.means[k] + noise @ scale.T)
        by_hand = _decode(it, z)
        assert np.ptp(drawn, axis=0).max() > 0.02 * temperature
        error = drawn.std(axis=0).max() * np.sqrt(2 / n)
        assert np.abs(drawn.mean(0) - by_hand.mean(0)).max() < 5 * error
        np.testing.assert_allclose(
            drawn.std(0).mean(), by_hand.std(0).mean(), rtol=0.1
        )

    def test_components_come_from_the_prior_but_for_the_one_given(self):
        it, n = trained(), 2000
        images, components = it.sample(self.key, n, temperature=0.0)
        mixtures = map(oracles.parts, it.mixtures)
        for facet, column in zip(mixtures, components.T, strict=True):
            counts = np.bincount(column, minlength=len(facet.means))
            wanted = n * np.exp(np.float64(facet.log_weights))
            wanted *= n / wanted.sum()
            assert stats.chisquare(counts, wanted).pvalue > 1e-3
        again = it.sample_combinations(self.key, components, temperature=0.0)
        _assert_close(images, again[:, 0])
        given = np.repeat(np.arange(6), 2)
        _, of_given = it.sample(self.key, 12, facet=0, component=given)
        np.testing.assert_array_equal(of_given[:, 0], given)
        _, of_one = it.sample(self.key, 12, facet=0, component=3)
        np.testing.assert_array_equal(of_one[:, 0], 3)
        np.testing.assert_array_equal(of_one[:, 1], of_given[:, 1])
