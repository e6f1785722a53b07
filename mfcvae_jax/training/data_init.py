# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Data-dependent initialisation of the layers, after Salimans and Kingma.

Weights are redrawn Kaiming-normal and biases zeroed. Then one batch runs
through the net, and every layer, in order of execution, is rescaled so that its
own output on that batch has mean 0 and standard deviation 0.1. As in the
official code, mean and deviation are taken per channel of a convolution, but
over batch and units of a linear layer; and batch norm sees the batch twice.

``ConvLadder.official_init`` says whether two more things are as in the official
code, or as they are meant:

* With weight normalisation it is the gain that is rescaled; the direction keeps
  its draw, whose length does not matter. The official code loses that
  rescaling: such a layer is standardised for those that follow on this batch,
  and never again.
* The running statistics of batch norm are those of the batch. In the official
  code a tenth of them is; the rest is mean 0 and variance 1, a hundred times
  the variance of the standardised layers. An evaluation with these shrinks from
  layer to layer. With rescaled gains it would put all examples, and so all
  initial means of a prior, into one point of float32.
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
from mfcvae_jax.training import state

__all__ = ["data_dependent_init", "redraw", "standardise_layers"]

_OUTPUT_STD = 0.1
_EPSILON = 1e-5


# Compiled whole: op by op, the hundreds of small programs of a convolutional
# net would stay in memory for the rest of the run.
@functools.partial(jax.jit, static_argnames="model")
def data_dependent_init(
    model: MFCVAE,
    key: chex.PRNGKey,
    x: chex.Array,
    noise: tuple[chex.Array, ...],
    redraw_key: chex.PRNGKey,
) -> dict[str, Any]:
    """Draws the variables of a model and standardises its layers on a batch.

    Args:
        model: the module.
        key: PRNG key of ``initial_variables``.
        x: the batch, in [0, 1], shape (B, H, W, C).
        noise: standard normal draws, one array (1, B, D_j) per facet.
        redraw_key: PRNG key of ``redraw``.

    Returns:
        New collections ``params`` and ``batch_stats``.
    """
    variables = state.initial_variables(model, key)
    after = _after_a_pass(model, variables, x, noise)
    redrawn = {**after, "params": redraw(variables["params"], redraw_key)}
    return standardise_layers(model, redrawn, x, noise)


def redraw(params: dict[str, Any], key: chex.PRNGKey) -> dict[str, Any]:
    """Redraws every kernel from N(0, 2 / fan_in) and zeroes every bias.

    The fan-in of a transposed convolution is that of the one it transposes.
    Only linear layers and convolutions change; priors and batch norm do not.
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

    The last part of ``data_dependent_init``: it draws nothing, so takes no key.
    """
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
        params = layer.variables["params"]
        bias = (params["bias"] - mean) * factor
        layer.put_variable("params", "bias", bias)
        if "kernel" in params:
            # The output channel of a transposed convolution is its last but
            # one axis.
            is_transposed = getattr(layer, "is_transposed", False)
            by_channel = factor[:, None] if is_transposed else factor
            kernel = params["kernel"] * by_channel
            layer.put_variable("params", "kernel", kernel)
        elif is_as_meant:
            layer.put_variable("params", "gain", params["gain"] * factor)
        return (output - mean) * factor

    if is_as_meant:  # so that the share of the batch is all there is
        none = jax.tree.map(jnp.zeros_like, variables["batch_stats"])
        variables = {**variables, "batch_stats": none}
    with nn.intercept_methods(standardise):
        found = _after_a_pass(model, variables, x, noise)
    if is_as_meant:
        whole = jax.tree.map(lambda a: a / BATCH_SHARE, found["batch_stats"])
        found = {**found, "batch_stats": whole}
    return found


def _after_a_pass(
    model: MFCVAE,
    variables: dict[str, Any],
    x: chex.Array,
    noise: tuple[chex.Array, ...],
) -> dict[str, Any]:
    """The variables after one pass in train mode, all facets in."""
    alpha = jnp.ones(len(model.facets))
    _, updated = model.apply(
        variables, x, noise, alpha, train=True, mutable=list(variables)
    )
    return {**variables, **updated}
