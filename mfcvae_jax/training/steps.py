# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training step and its optimiser, Adam on all but fixed mixing weights.

Pure; ``devices.py`` compiles many steps into one program.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import traverse_util

from mfcvae_jax import progressive, views
from mfcvae_jax.ladder.block import BatchNorm
from mfcvae_jax.model import MFCVAE, elbo_terms, facets_in_force, nets_cast
from mfcvae_jax.randomness import draw_noise
from mfcvae_jax.settings import Facets, Likelihood, Precision
from mfcvae_jax.training.state import TrainState
from mfcvae_jax.variational import elbo, posterior, shared_variance

__all__ = ["Metrics", "Stepper", "make_optimiser", "summarise"]


class Metrics(NamedTuple):
    """Batch means of one step, in nats per example, before its update.

    The bounds are unweighted, and those of the model in force: see
    ``model.facets_in_force``. The KL terms are those of the estimator.

    Attributes:
        loss: the weighted loss that the step descends, shape ().
        mixture_bound: M, shape ().
        mean_field_bound: F, shape ().
        log_p_x_z: reconstruction term, shape ().
        kl_z: of each facet, shape (J,).
        kl_c: of each facet, shape (J,).
        shared_variance: of each facet, the sum over the deeper facets of the
            share that they tell, see ``variational.shared_variance``; 0 for one
            that pays no price for it. Shape (J,), no unit.
    """

    loss: chex.Array
    mixture_bound: chex.Array
    mean_field_bound: chex.Array
    log_p_x_z: chex.Array
    kl_z: chex.Array
    kl_c: chex.Array
    shared_variance: chex.Array


def summarise(
    terms: elbo.ElboTerms,
    coefficients: progressive.Coefficients,
    is_in: chex.Array,
    shares: chex.Array,
) -> Metrics:
    """Averages the terms of a batch.

    Args:
        terms: of the batch.
        coefficients: in force.
        is_in: 1 for each facet that the bounds count, else 0, shape (J,).
        shares: of facet j, what facet i tells of it, shape (J, J).
    """
    mixture, mean_field = elbo.bounds(terms, is_in)
    loss = elbo.loss(terms, coefficients.weight_z, coefficients.weight_c)
    return Metrics(
        loss=loss + jnp.sum(coefficients.price * shares),
        mixture_bound=jnp.mean(mixture),
        mean_field_bound=jnp.mean(mean_field),
        log_p_x_z=jnp.mean(terms.log_p_x_z),
        kl_z=jnp.stack([jnp.mean(facet.kl_z) for facet in terms.facets]),
        kl_c=jnp.stack([jnp.mean(facet.kl_c) for facet in terms.facets]),
        shared_variance=jnp.sum(
            jnp.where(coefficients.price > 0, shares, 0.0), axis=1
        ),
    )


@dataclasses.dataclass(frozen=True)
class Stepper:
    """All that is constant during training, and the pure steps over it.

    Attributes:
        model: the module, as it is evaluated: on one device, at full precision.
        likelihood: form of p(x|z).
        optimiser: the gradient transformation.
        schedule: of progressive training.
        estimate: one facet's terms of the loss, see ``model.elbo_terms``.
        n_samples: L.
        precision: in which the nets are trained.
        axis_name: of the mapped axis that the batch is spread over, if it is;
            see ``devices.Program``. B below is then one device's part.
    """

    model: MFCVAE
    likelihood: Likelihood
    optimiser: optax.GradientTransformation
    schedule: progressive.Schedule
    estimate: Callable[[elbo.Densities], elbo.FacetTerms]
    n_samples: int = 1
    precision: Precision = Precision.FLOAT32
    axis_name: str | None = None

    @functools.cached_property
    def training_model(self) -> MFCVAE:
        """The model as it is trained, with the same variables."""
        return self.model.clone(
            precision=self.precision,
            norm=functools.partial(BatchNorm, axis_name=self.axis_name),
        )

    def loss(
        self,
        params: Any,
        batch_stats: Any,
        x: chex.Array,
        noise: tuple[chex.Array, ...],
        coefficients: progressive.Coefficients,
        seen: tuple[chex.Array, ...] | None = None,
    ) -> tuple[chex.Array, tuple[Metrics, Any]]:
        """Returns the training loss, its metrics and the new batch statistics.

        Args:
            params: of nets and priors.
            batch_stats: running statistics before the pass.
            x: images in [0, 1], shape (B, H, W, C).
            noise: standard normal draws, one array (L, B, D_j) per facet.
            coefficients: of progressive training.
            seen: what the encoder sees instead of x, from ``views.draw``.

        Returns:
            Loss in nats per example, shape (); metrics and batch statistics.
        """
        params = nets_cast(params, self.precision)
        noise = tuple(
            factor * draws
            for factor, draws in zip(coefficients.noise, noise, strict=True)
        )
        forward, updated = self.training_model.apply(
            {"params": params, "batch_stats": batch_stats},
            x,
            noise,
            coefficients.alpha,
            train=True,
            seen=seen,
            mutable=["batch_stats"],
        )
        terms = elbo_terms(self.likelihood, forward, x, self.estimate)
        is_in = facets_in_force(self.model.net, coefficients.alpha)
        shares = self._shares(forward.posteriors, terms)
        metrics = summarise(terms, coefficients, is_in, shares)
        return metrics.loss, (metrics, updated.get("batch_stats", {}))

    def _shares(
        self, posteriors: Sequence[posterior.Posterior], terms: elbo.ElboTerms
    ) -> chex.Array:
        """Shares (J, J) over the whole batch; zeros where no price is set."""
        if not self.schedule.price:
            return jnp.zeros((len(posteriors),) * 2)
        known = (posteriors, [jnp.exp(f.log_resp) for f in terms.facets])
        if self.axis_name is not None:
            # Every device has the same sum in its loss, so the mean of their
            # gradients is that of one device.
            known = jax.lax.all_gather(known, self.axis_name, tiled=True)
        return shared_variance.shares(*known)

    def update(
        self,
        state: TrainState,
        x: chex.Array,
        noise: tuple[chex.Array, ...],
        seen: tuple[chex.Array, ...] | None = None,
    ) -> tuple[TrainState, Metrics]:
        """Takes one optimiser step with given noise and views, see ``loss``.

        Returns:
            The state after the step, and the metrics before its update.
        """
        coefficients = progressive.coefficients(self.schedule, state.step)
        gradient, (metrics, batch_stats) = jax.grad(self.loss, has_aux=True)(
            state.params, state.batch_stats, x, noise, coefficients, seen
        )
        if self.axis_name is not None:
            gradient, metrics = jax.lax.pmean(
                (gradient, metrics), self.axis_name
            )
        updates, opt_state = self.optimiser.update(
            gradient, state.opt_state, state.params
        )
        params = optax.apply_updates(state.params, updates)
        after = TrainState(
            state.step + 1, params, batch_stats, opt_state, state.key
        )
        return after, metrics

    def step(
        self, state: TrainState, x: chex.Array
    ) -> tuple[TrainState, Metrics]:
        """Takes one optimiser step; noise and views follow from key and step.

        They are the same numbers, on however many devices. The noise is drawn
        for the whole batch on every device, each of which takes its own part;
        the view of an example follows from its place in the whole batch.

        Args:
            state: before the step.
            x: images in [0, 1], shape (B, H, W, C).

        Returns:
            As ``update`` does.
        """
        axis, n = self.axis_name, len(x)
        facets = self.model.facets
        base_key = jax.random.wrap_key_data(state.key)
        key = jax.random.fold_in(base_key, state.step)
        first: chex.Array | int = 0
        whole = n if axis is None else n * jax.lax.axis_size(axis)
        noise = draw_noise(key, facets.latent_dim, self.n_samples, whole)
        if axis is not None:
            first = n * jax.lax.axis_index(axis)
            noise = tuple(
                jax.lax.dynamic_slice_in_dim(z, first, n, axis=1) for z in noise
            )
        # The noise of facet j has folded j into the key.
        views_key = jax.random.fold_in(key, len(facets))
        seen = views.draw(facets.view, views_key, x, first)
        return self.update(state, x, noise, seen)


# The same object for the same arguments: steps are compiled for an object.
@functools.lru_cache(maxsize=8)
def make_optimiser(
    learning_rate: float, facets: Facets
) -> optax.GradientTransformation:
    """Makes Adam with PyTorch's defaults, masked where weights are fixed.

    No weight decay, no learning-rate decay, no gradient clipping: the
    published runs use none.
    """
    adam = optax.adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8)
    if all(facets.learn_weights):
        return adam
    fixed = {
        (f"priors_{j}", "logits")
        for j, is_learnt in enumerate(facets.learn_weights)
        if not is_learnt
    }

    def labels(params):
        return traverse_util.path_aware_map(
            lambda path, _: "fixed" if path in fixed else "learnt", params
        )

    return optax.multi_transform(
        {"learnt": adam, "fixed": optax.set_to_zero()}, labels
    )
