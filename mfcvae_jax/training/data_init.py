# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Data-dependent initialisation of the layers, after Salimans and Kingma.

Weights are redrawn Kaiming-normal and biases zeroed; then one batch runs
through the net, and every layer, in order of execution, is rescaled so that its
own output on that batch has mean 0 and standard deviation 0.1. As in the
official code, mean and deviation are taken per channel of a convolution, but
over batch and units of a linear layer, and batch norm sees the batch twice on
the way.

``ConvLadder.official_init`` says whether two more things are as in the official
code, or as they are meant:

* With weight normalisation it is the gain that is rescaled; the direction keeps
  its draw, whose length does not matter. The official code loses that
  rescaling: such a layer is standardised for those that follow on this batch,
  and never again.
* The running statistics of batch norm are those of the batch. In the official
  code that is but a tenth of them, the rest being mean 0 and variance 1, a
  hundred times that of the standardised layers. What the net encodes with them
  shrinks from layer to layer, all examples to one point in float32 if the gains
  are rescaled, and so would be all initial means of a prior.
"""

import functools
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import traverse_util

from mfcvae_jax.ladder.block import BATCH_SHARE
from mfcvae_jax.ladder.conv import Convolution
from mfcvae_jax.model import MFCVAE
from mfcvae_jax.settings import ConvLadder

__all__ = ["data_dependent_init", "redraw", "standardise_layers"]

_OUTPUT_STD = 0.1
_EPSILON = 1e-5


# Compiled whole: op by op, the hundreds of small programs of a convolutional
# net would stay in memory for the rest of the run.
@functools.partial(jax.jit, static_argnames="model")
def data_dependent_init(
    model: MFCVAE,
    variables: dict[str, Any],
    x: chex.Array,
    noise: tuple[chex.Array, ...],
    key: chex.PRNGKey,
) -> dict[str, Any]:
    """Returns variables whose layers are standardised on a batch.

    Args:
        model: the module.
        variables: starting values.
        x: the batch, in [0, 1], shape (B, H, W, C).
        noise: standard normal draws, one array (1, B, D_j) per facet.
        key: PRNG key of the redraw.

    Returns:
        New collections ``params`` and ``batch_stats``.
    """
    redrawn = {
        "params": redraw(variables["params"], key),
        "batch_stats": _batch_stats_after(model, variables, x, noise),
    }
    return standardise_layers(model, redrawn, x, noise)


def redraw(params: dict[str, Any], key: chex.PRNGKey) -> dict[str, Any]:
    """Redraws every kernel from N(0, 2 / fan_in) and zeroes every bias.

    The fan-in of a transposed convolution is that of the one it transposes.

    Args:
        params: of nets and priors; only linear layers and convolutions change.
        key: PRNG key.

    Returns:
        New parameters.
    """
    flat = traverse_util.flatten_dict(params)
    kernels = [path for path in flat if path[-1] == "kernel"]
    # he_normal of jax truncates its draws; the official code does not.
    draw = jax.nn.initializers.variance_scaling(2.0, "fan_in", "normal")
    for path, layer_key in zip(
        kernels, jax.random.split(key, len(kernels)), strict=True
    ):
        flat[path] = draw(layer_key, flat[path].shape)
    for path in flat:
        if path[-1] in ("kernel", "direction"):
            bias = (*path[:-1], "bias")
            flat[bias] = jnp.zeros_like(flat[bias])
    return traverse_util.unflatten_dict(flat)


def standardise_layers(
    model: MFCVAE,
    variables: dict[str, Any],
    x: chex.Array,
    noise: tuple[chex.Array, ...],
) -> dict[str, Any]:
    """Rescales every layer by its output on one batch, in order.

    Args:
        model: the module.
        variables: with freshly drawn layers.
        x: the batch, in [0, 1], shape (B, H, W, C).
        noise: standard normal draws, one array (1, B, D_j) per facet.

    Returns:
        New collections ``params`` and ``batch_stats``.
    """
    flat = traverse_util.flatten_dict(variables["params"])
    net = model.net
    is_as_meant = isinstance(net, ConvLadder) and not net.official_init

    def standardise(call, args, kwargs, context):
        output = call(*args, **kwargs)
        layer = context.module
        if not isinstance(layer, nn.Dense | Convolution):
            return output
        axes = (0, 1, 2) if isinstance(layer, Convolution) else None
        mean = jnp.mean(output, axes)
        var = jnp.var(output, axes, ddof=1)
        factor = _OUTPUT_STD / jnp.sqrt(var + _EPSILON)
        gain, kernel, bias = (
            (*layer.path, name) for name in ("gain", "kernel", "bias")
        )
        if kernel in flat:
            is_transposed = getattr(layer, "is_transposed", False)
            # The output channel of a transposed convolution is its last but
            # one axis.
            flat[kernel] *= factor[:, None] if is_transposed else factor
        elif is_as_meant:
            flat[gain] *= factor
        flat[bias] = (flat[bias] - mean) * factor
        return (output - mean) * factor

    if is_as_meant:  # so that the share of the batch is all there is
        none = jax.tree.map(jnp.zeros_like, variables["batch_stats"])
        variables = {**variables, "batch_stats": none}
    with nn.intercept_methods(standardise):
        batch_stats = _batch_stats_after(model, variables, x, noise)
    if is_as_meant:
        batch_stats = jax.tree.map(lambda a: a / BATCH_SHARE, batch_stats)
    return {
        "params": traverse_util.unflatten_dict(flat),
        "batch_stats": batch_stats,
    }


def _batch_stats_after(
    model: MFCVAE,
    variables: dict[str, Any],
    x: chex.Array,
    noise: tuple[chex.Array, ...],
) -> dict[str, Any]:
    """The running statistics after one pass in train mode, all facets in."""
    _, updated = model.apply(
        variables,
        x,
        noise,
        jnp.ones(len(model.facets)),
        train=True,
        mutable=["batch_stats"],
    )
    return updated.get("batch_stats", {})
