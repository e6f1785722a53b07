# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A trained model: what it says of examples, and the examples that it makes.

MFCVAE (arXiv:2106.05241), Figs. 4 to 6. Methods take and return arrays of the
host, of any number of examples. They work in chunks of one size, so that memory
is bounded and one program serves. Images are of shape (N, H, W, C), uint8 or
float in [0, 1].
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import chex
import distrax
import jax
import numpy as np

from mfcvae_jax import forking
from mfcvae_jax import model as model_lib
from mfcvae_jax.datasets import batches
from mfcvae_jax.inference import predictions
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.settings import Likelihood, Settings
from mfcvae_jax.variational import elbo, importance, posterior, prior
from mfcvae_jax.variational import likelihood as likelihood_lib

__all__ = ["Trained", "make_trained"]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("variables", "alpha"),
    meta_fields=("model", "likelihood", "estimate", "batch_size"),
)
@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A model with its weights. A pytree, so jitted functions take it.

    Attributes:
        model: the module.
        likelihood: form of p(x|z).
        estimate: one facet's terms of the loss, see ``model.elbo_terms``.
        batch_size: examples per chunk; all chunks are filled up to it, so each
            method is compiled once.
        variables: of the model.
        alpha: fade-in of each facet, shape (J,).
    """

    model: model_lib.MFCVAE
    likelihood: Likelihood
    estimate: Callable[[elbo.Densities], elbo.FacetTerms]
    batch_size: int
    variables: Any
    alpha: chex.Array

    @property
    def is_in(self) -> chex.Array:
        """1 for each facet in force, else 0; see ``model.facets_in_force``."""
        return model_lib.facets_in_force(self.model.net, self.alpha)

    @functools.cached_property
    def mixtures(self) -> tuple[distrax.MixtureSameFamily, ...]:
        """p(z_j, c_j) of each facet."""
        return jax.device_get(self._mixtures())

    def predict(
        self, images: np.ndarray, key: chex.PRNGKey
    ) -> predictions.Predictions:
        """Predicts assignments, latents, and the bounds at a draw of z."""
        return self._in_chunks(
            lambda i, x: self._predict_chunk(x, jax.random.fold_in(key, i)),
            images,
        )

    def modes(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the means of q(z_j|x), length J, each of shape (N, D_j)."""
        return tuple(q.mean for q in self.posteriors(images))

    def posteriors(self, images: np.ndarray) -> tuple[posterior.Posterior, ...]:
        """Returns the parameters of q(z_j|x), length J."""
        return self._in_chunks(lambda _, x: self._encode(x), images)

    def sampled_latents(
        self, images: np.ndarray, key: chex.PRNGKey
    ) -> tuple[np.ndarray, ...]:
        """Draws z_j ~ q(z_j|x), length J, each of shape (N, D_j)."""
        return self._in_chunks(
            lambda i, x: self._latents_chunk(x, jax.random.fold_in(key, i)),
            images,
        )

    def log_marginal(
        self, images: np.ndarray, key: chex.PRNGKey, n_samples: int
    ) -> importance.LogMarginal:
        """Estimates log p(x), of the facets in force, by importance sampling.

        Memory is that of one sample for a chunk, whatever their number, S.

        Returns:
            Estimates in nats and effective sample sizes, each of shape (N,).
        """
        return self._in_chunks(
            lambda i, x: self._log_marginal_chunk(
                x, jax.random.fold_in(key, i * self.batch_size), n_samples
            ),
            images,
        )

    def decode(self, z: Sequence[np.ndarray]) -> np.ndarray:
        """Returns E[x|z], (..., H, W, C), for J arrays z of (..., D_j)."""
        flat = [
            np.asarray(z_j, np.float32).reshape(-1, np.shape(z_j)[-1])
            for z_j in z
        ]
        images = self._in_chunks(
            lambda _, *chunk: self._decode_chunk(chunk), *flat
        )
        return images.reshape(*np.shape(z[0])[:-1], *images.shape[1:])

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Returns E[x|z] at z = mean of q(z|x), of the shape of the images."""
        return self.decode(self.modes(images))

    def swap(self, pairs: np.ndarray, facet: int) -> np.ndarray:
        """Exchanges one facet between the two images of every pair (Fig. 5).

        Args:
            pairs: images, shape (P, 2, H, W, C).
            facet: j; z_j comes from the other image. All are modes of q(z|x).

        Returns:
            E[x|z], shape (P, 2, H, W, C): image i of a pair with z_j of the
            other.
        """
        modes = self.modes(pairs.reshape(-1, *pairs.shape[2:]))
        z = [mode.reshape(*pairs.shape[:2], -1) for mode in modes]
        z[facet] = z[facet][:, ::-1]
        return self.decode(z)

    def traverse(
        self, image: np.ndarray, steps: np.ndarray, facet: int
    ) -> np.ndarray:
        """Moves one dimension of a facet at a time, from the mode of q(z|x) on.

        Args:
            image: shape (H, W, C).
            steps: where to, in standard deviations of p(z_j) from its mean,
                shape (T,).
            facet: j.

        Returns:
            E[x|z], shape (D_j, T, H, W, C).
        """
        p_z = self.mixtures[facet]
        places = np.asarray(p_z.mean() + steps[:, None] * p_z.stddev())
        every = np.arange(places.shape[1])
        shape = (len(every), len(steps), 1)
        z = [np.tile(mode, shape) for mode in self.modes(image[None])]
        z[facet][every, :, every] = places.T
        return self.decode(z)

    def sample_combinations(
        self,
        key: chex.PRNGKey,
        components: np.ndarray,
        n_samples: int = 1,
        temperature: float = 1.0,
    ) -> np.ndarray:
        """Draws images from combinations of one component of each facet.

        Args:
            key: of the draws.
            components: c, integers, shape (G, J), G >= 1.
            n_samples: n, images per combination, z_j ~ p(z_j|c_j) for every j.
            temperature: factor on standard deviations; 0 gives component means.

        Returns:
            E[x|z], shape (G, n, H, W, C).
        """
        z = self._in_chunks(
            lambda i, c: self._draw_of_combinations(
                jax.random.fold_in(key, i), c, temperature, n_samples
            ),
            components,
            size=min(max(self.batch_size // n_samples, 1), len(components)),
        )
        return self.decode(z)

    def sample(
        self,
        key: chex.PRNGKey,
        n: int,
        *,
        facet: int | None = None,
        component: int | np.ndarray | None = None,
        temperature: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws images from the prior.

        Args:
            key: of the draws.
            n: how many.
            facet: j, whose component is given; None to draw all components.
            component: of that facet, one for all images or one for each, (n,).
            temperature: factor on standard deviations; 0 gives component means.

        Returns:
            E[x|z], shape (n, H, W, C), and the component of each facet, int32,
            shape (n, J).
        """
        of_components, of_images = jax.random.split(key)
        components = np.empty((n, len(self.mixtures)), np.int32)
        for j, mixture in enumerate(self.mixtures):
            key_j = jax.random.fold_in(of_components, j)
            logits = mixture.mixture_distribution.logits
            components[:, j] = (
                jax.random.categorical(key_j, logits, shape=(n,))
                if j != facet or component is None
                else component
            )
        images = self.sample_combinations(
            of_images, components, temperature=temperature
        )
        return images[:, 0], components

    def _in_chunks(
        self, call: Callable[..., Any], *rows: np.ndarray, size: int = 0
    ) -> Any:
        """Calls a function on chunks of rows; sets what it returns end to end.

        It is given (index, *chunk), ``size`` rows of each array, by default
        ``batch_size``, and returns a tree of arrays with as many rows. A short
        last chunk is filled up with zeros, and what they give is dropped: the
        draws for the rows do not depend on it.
        """
        forking.check()  # JAX would hang
        size, n_rows, found = size or self.batch_size, len(rows[0]), []
        for index, start in enumerate(range(0, n_rows, size)):
            n = min(size, n_rows - start)
            chunk = [
                np.pad(
                    np.asarray(part[start : start + n]),
                    [(0, size - n)] + [(0, 0)] * (part.ndim - 1),
                )
                for part in rows
            ]
            of_chunk = jax.device_get(call(index, *chunk))
            found.append(jax.tree.map(lambda a, n=n: a[:n], of_chunk))
        return jax.tree.map(lambda *parts: np.concatenate(parts), *found)

    def _apply(self, *args: Any, method: str) -> Any:
        return cast(Any, self.model.apply(self.variables, *args, method=method))

    def _noise(self, key: chex.PRNGKey, n: int) -> tuple[chex.Array, ...]:
        return draw_noise(key, self.model.facets.latent_dim, 1, n)

    @jax.jit
    def _mixtures(self) -> tuple[distrax.MixtureSameFamily, ...]:
        return self._apply(method="mixtures")

    @jax.jit
    def _encode(self, images: chex.Array) -> tuple[posterior.Posterior, ...]:
        return self._apply(batches.as_float(images), method="encode")

    @jax.jit
    def _decode_chunk(self, z: Sequence[chex.Array]) -> chex.Array:
        output = self._apply(tuple(z), self.alpha, method="decode")
        return likelihood_lib.mean(self.likelihood, output)

    @jax.jit
    def _latents_chunk(self, images, key):
        noise = self._noise(key, len(images))
        z = map(posterior.sample, self._encode(images), noise)
        return tuple(z_j[0] for z_j in z)

    @jax.jit
    def _predict_chunk(self, images, key):
        x = batches.as_float(images)
        noise = self._noise(key, len(x))
        forward = self._apply(x, noise, self.alpha, method="__call__")
        terms = model_lib.elbo_terms(self.likelihood, forward, x, self.estimate)
        return predictions.of_pass(forward, terms)

    @functools.partial(jax.jit, static_argnames="n_samples")
    def _log_marginal_chunk(self, images, key, n_samples):
        x = batches.as_float(images)
        posteriors, mixtures = self._encode(images), self._mixtures()

        def draw(sample_key):
            noise = self._noise(sample_key, len(x))
            z = tuple(map(posterior.sample, posteriors, noise))
            output = self._apply(z, self.alpha, method="decode")
            terms = model_lib.elbo_terms(
                self.likelihood,
                model_lib.Forward(posteriors, z, output, mixtures),
                x,
                elbo.mixture_form,
            )
            # M at a single sample is the logarithm of its importance weight.
            log_w, _ = elbo.bounds(terms, self.is_in)
            return log_w

        return importance.log_marginal(draw, key, n_samples)

    @functools.partial(jax.jit, static_argnames="n_samples")
    def _draw_of_combinations(self, key, components, temperature, n_samples):
        return prior.draw(
            key, self._mixtures(), components, temperature, n_samples
        )


def make_trained(
    settings: Settings,
    image_shape: tuple[int, int, int],
    variables: Any,
    alpha: chex.Array,
) -> Trained:
    """Puts the weights of a run into its model, see ``Trained``.

    They lie on one device, new, trained or from a file, so what is compiled
    serves them all.
    """
    model = Trained(
        model=model_lib.make_model(settings, image_shape),
        likelihood=settings.likelihood,
        estimate=elbo.find_estimator(settings.train.estimator),
        batch_size=settings.evaluate.batch_size,
        variables=variables,
        alpha=alpha,
    )
    return jax.device_put(model, jax.local_devices()[0])
