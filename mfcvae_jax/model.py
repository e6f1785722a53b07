# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""MFCVAE: wires the nets, q(z|x), p(z, c) and p(x|z) together.

The module holds no loss and no schedule: the fade-in of the facets is an
argument, and ``elbo_terms`` hands the densities to ``variational.elbo``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp

from mfcvae_jax import settings as settings_lib
from mfcvae_jax import views
from mfcvae_jax.ladder import conv, dense, shared
from mfcvae_jax.ladder.block import BatchNorm
from mfcvae_jax.variational import elbo, likelihood, posterior, prior

__all__ = [
    "MFCVAE",
    "NETS",
    "Forward",
    "densities",
    "elbo_terms",
    "facets_in_force",
    "make_model",
    "nets_cast",
    "shapes",
]

# net settings -> (encoder, decoder); others may be added (docs/extending.md).
NETS: dict[type, tuple[Callable[..., Any], Callable[..., Any]]] = {
    settings_lib.ConvLadder: (conv.ConvEncoder, conv.ConvDecoder),
    settings_lib.DenseLadder: (dense.LadderEncoder, dense.LadderDecoder),
    settings_lib.SharedEncoder: (shared.OneEncoder, shared.JointDecoder),
    settings_lib.SeparateEncoders: (
        shared.OneEncoderPerFacet,
        shared.JointDecoder,
    ),
}


class Forward(NamedTuple):
    """What one pass through the model gives.

    Attributes:
        posteriors: q(z_j|x), length J.
        z: samples of z_j, length J, each of shape (L, B, D_j).
        output: last layer of the decoder, shape (L, B, H, W, C).
        mixtures: p(z_j, c_j), length J.
    """

    posteriors: tuple[posterior.Posterior, ...]
    z: tuple[chex.Array, ...]
    output: chex.Array
    mixtures: tuple[distrax.MixtureSameFamily, ...]


class MFCVAE(nn.Module):
    """The model of the paper, for any number of facets.

    Attributes:
        facets: the mixture priors.
        net: encoder and decoder.
        initial_variance: variance of every component at the start.
        image_shape: (H, W, C).
        precision: of the nets; what they give is float32 at least.
        norm: makes the ``BatchNorm`` of the nets.
    """

    facets: settings_lib.Facets
    net: settings_lib.Net
    initial_variance: float
    image_shape: tuple[int, int, int]
    precision: settings_lib.Precision = settings_lib.Precision.FLOAT32
    norm: Callable[..., nn.Module] = BatchNorm

    def setup(self):
        """Makes the submodules."""
        make_encoder, make_decoder = NETS[type(self.net)]
        self.encoder = make_encoder(self.net, self.facets.latent_dim, self.norm)
        self.decoder = make_decoder(self.net, self.image_shape, self.norm)
        self.priors = _priors(self.facets, self.initial_variance)

    def encode(
        self,
        x: chex.Array,
        train: bool = False,
        facets: tuple[int, ...] | None = None,
    ) -> tuple[posterior.Posterior, ...]:
        """Returns the parameters of q(z_j|x), shallowest facet first.

        Args:
            x: images in [0, 1], shape (B, H, W, C).
            train: whether batch norm uses the statistics of this batch.
            facets: of which, in ascending order; None for all. Layers that
                only other facets use are left out.

        Raises:
            ValueError: if the images have another size or number of channels.
        """
        if x.ndim != 4 or x.shape[1:] != tuple(self.image_shape):
            raise ValueError(
                "the model takes images of shape (B, H, W, C) = (B, "
                f"{', '.join(map(str, self.image_shape))}), got {x.shape}"
            )
        # A net from outside may know nothing of facets that are left out.
        chosen = () if facets is None else (facets,)
        with self._products():
            posteriors = self.encoder(_cast(x, self.precision), train, *chosen)
        return jax.tree.map(_at_least_float32, posteriors)

    def decode(
        self, z: tuple[chex.Array, ...], alpha: chex.Array, train: bool = False
    ) -> chex.Array:
        """Returns the decoder's last layer, shape (..., H, W, C).

        The form of ``likelihood`` says what it means.

        Args:
            z: one array of shape (..., D_j) per facet.
            alpha: factor on each facet's rung, in [0, 1], shape (J,).
            train: whether batch norm uses the statistics of this batch.
        """
        chex.assert_equal_shape_prefix(z, z[0].ndim - 1)
        batch_shape = z[0].shape[:-1]
        flat = tuple(z_j.reshape(-1, z_j.shape[-1]) for z_j in z)
        with self._products():
            output = self.decoder(
                *_cast((flat, jnp.asarray(alpha)), self.precision), train
            )
        return _at_least_float32(output).reshape(
            *batch_shape, *self.image_shape
        )

    def mixtures(self) -> tuple[distrax.MixtureSameFamily, ...]:
        """Returns p(z_j, c_j) of each facet."""
        return tuple(make() for make in self.priors)

    def __call__(
        self,
        x: chex.Array,
        noise: tuple[chex.Array, ...],
        alpha: chex.Array,
        train: bool = False,
        seen: tuple[chex.Array, ...] | None = None,
    ) -> Forward:
        """Encodes, samples and decodes a batch.

        Args:
            x: images in [0, 1], shape (B, H, W, C).
            noise: standard normal draws, one array (L, B, D_j) per facet; zeros
                give z = mean of q(z|x).
            alpha: factor on each facet's rung, in [0, 1], shape (J,).
            train: whether batch norm uses the statistics of this batch.
            seen: what the encoder sees instead of x, from ``views.draw``. There
                is a pass for each of its arrays, and the running statistics of
                a layer are over the passes in which its facets are.
        """
        if seen is None:
            posteriors = self.encode(x, train)
        else:
            posteriors = self._encode_views(seen, train)
        z = tuple(map(posterior.sample, posteriors, noise))
        output = self.decode(z, alpha, train)
        return Forward(posteriors, z, output, self.mixtures())

    def _encode_views(
        self, seen: tuple[chex.Array, ...], train: bool
    ) -> tuple[posterior.Posterior, ...]:
        groups = views.facets_of_views(self.facets.view).values()
        found: dict[int, posterior.Posterior] = {}
        for x, members in zip(seen, groups, strict=True):
            chosen = None if len(groups) == 1 else members
            found |= zip(members, self.encode(x, train, chosen), strict=True)
        return tuple(found[j] for j in sorted(found))

    def _products(self):
        """Says how exact the matrix products of the nets are."""
        is_full = self.precision is settings_lib.Precision.FLOAT32
        return jax.default_matmul_precision("highest" if is_full else "default")


def make_model(
    settings: settings_lib.Settings, image_shape: tuple[int, int, int]
) -> MFCVAE:
    """Builds the model that the settings describe, for images (H, W, C).

    Raises:
        ValueError: if the net or a view cannot take images of that shape, or
            the estimator of the loss not the prior.
    """
    views.check(settings.facets.view, image_shape)
    if isinstance(settings.net, settings_lib.ConvLadder):
        conv.check_image(len(settings.facets), image_shape)
    model = MFCVAE(
        facets=settings.facets,
        net=settings.net,
        initial_variance=settings.prior_init.variance,
        image_shape=image_shape,
    )
    _check_estimator(model, settings.train.estimator)
    return model


def shapes(model: MFCVAE) -> dict[str, Any]:
    """Returns shape and type of all variables; no array is made."""
    noise = tuple(jnp.zeros((1, 1, d)) for d in model.facets.latent_dim)
    variables = jax.eval_shape(
        model.init,
        jax.random.key(0),
        jnp.zeros((1, *model.image_shape)),
        noise,
        jnp.ones(len(noise)),
    )
    return {"batch_stats": {}, **variables}


def nets_cast(params: Any, precision: settings_lib.Precision) -> Any:
    """Brings the nets' parameters to the type that the nets compute in."""
    return {
        name: part if name.startswith("priors_") else _cast(part, precision)
        for name, part in params.items()
    }


def _cast(tree: Any, precision: settings_lib.Precision) -> Any:
    if precision is not settings_lib.Precision.BFLOAT16:
        return tree
    return jax.tree.map(lambda a: a.astype(jnp.bfloat16), tree)


def _at_least_float32(array: chex.Array) -> chex.Array:
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def facets_in_force(net: settings_lib.Net, alpha: chex.Array) -> chex.Array:
    """Tells which facets the decoder reads, and so which the bound must pay.

    While the decoder ignores a facet (alpha = 0), q(z_j|x) = p(z_j) would cost
    nothing, so the bound of the model in force leaves out its KL terms, which
    nothing trains. A shared encoder's decoder ignores no facet.

    Args:
        net: encoder and decoder.
        alpha: fade-in of each facet, in [0, 1], shape (J,).

    Returns:
        1 for a facet in force and 0 for another, shape (J,).
    """
    if isinstance(net, settings_lib.SharedEncoder):
        return jnp.ones_like(alpha)
    return jnp.sign(alpha)


def elbo_terms(
    form: settings_lib.Likelihood,
    forward: Forward,
    x: chex.Array,
    estimate: Callable[[elbo.Densities], elbo.FacetTerms],
) -> elbo.ElboTerms:
    """Returns the terms of the bounds for a batch, in nats per example.

    Args:
        form: of p(x|z).
        forward: the pass through the model.
        x: the images of that pass, shape (B, H, W, C).
        estimate: one facet's terms from its densities, such as an entry of
            ``elbo.ESTIMATORS``.
    """
    per_facet = tuple(
        map(densities, forward.posteriors, forward.mixtures, forward.z)
    )
    return elbo.ElboTerms(
        log_p_x_z=likelihood.log_prob(form, forward.output, x).mean(axis=0),
        facets=tuple(map(estimate, per_facet)),
        mixture=jnp.stack([elbo.mixture_block(d) for d in per_facet], axis=-1),
        mean_field=jnp.stack(
            [elbo.mean_field_block(d) for d in per_facet], axis=-1
        ),
    )


def densities(
    q: posterior.Posterior, mixture: distrax.MixtureSameFamily, z: chex.Array
) -> elbo.Densities:
    """Returns what the estimators may use of one facet.

    Args:
        q: q(z_j|x) of a batch.
        mixture: p(z_j, c_j); exact expectations are there if its components
            have ``expected_log_prob``.
        z: samples of q(z_j|x), shape (L, B, D).
    """
    family = mixture.components_distribution
    expected = getattr(family, "expected_log_prob", None)
    return elbo.Densities(
        log_p_z_c=family.log_prob(z[..., None, :]),
        log_q_z=posterior.log_prob(q, z),
        expected_log_p_z_c=expected and expected(q.mean, jnp.exp(q.log_var)),
        expected_log_q_z=posterior.expected_log_prob(q),
        log_weights=mixture.mixture_distribution.logits,
    )


def _check_estimator(model: MFCVAE, name: str) -> None:
    """Raises ValueError if the loss needs expectations that a prior lacks."""
    estimate = elbo.find_estimator(name)
    for j, module in enumerate(_priors(model.facets, 1.0)):
        if isinstance(module.family, settings_lib.GaussianPrior):
            continue  # has all
        zeros = jnp.zeros((1, 1, module.latent_dim))
        q = posterior.Posterior(zeros[0], zeros[0])
        of_facet = jax.eval_shape(
            lambda m=module, q=q, z=zeros: densities(
                q, m.init_with_output(jax.random.key(0))[0], z
            )
        )
        try:
            jax.eval_shape(estimate, of_facet)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"train.estimator={name!r} cannot be used with the prior of "
                f"facet {j}, {type(module.family).__name__}: {error}"
            ) from error


def _priors(
    facets: settings_lib.Facets, initial_variance: float
) -> list[prior.MixturePrior]:
    return [
        prior.MixturePrior(k, d, covariance, initial_variance, family)
        for k, d, covariance, family in zip(
            facets.n_components,
            facets.latent_dim,
            facets.covariance,
            facets.prior,
            strict=True,
        )
    ]
