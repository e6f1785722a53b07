# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Layers in NumPy, as PyTorch documents them, and parameters to try them on."""

import functools

import jax
import numpy as np

from mfcvae_jax.settings import Activation

ACTIVATE = {
    Activation.RELU: lambda x: np.maximum(x, 0),
    Activation.LEAKY_RELU: lambda x: np.where(x > 0, x, 0.01 * x),
    Activation.ELU: lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}


def shapes(module, *args, **options):
    """The variables of a module as shapes; no array is made."""
    return jax.eval_shape(
        functools.partial(module.init, **options), jax.random.key(0), *args
    )


def random_variables(module, *args, dtype=np.float64):
    """Normal draws for every parameter, so that none is at a trivial value.

    They are NumPy's: to compile a draw for each takes longer than the test.
    """
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        value = rng.normal(size=leaf.shape)
        is_variance = path[0].key == "batch_stats" and path[-1].key == "var"
        return (np.abs(value) if is_variance else value).astype(dtype)

    return jax.tree_util.tree_map_with_path(
        draw, shapes(module, *args, train=False)
    )


def evaluate(module, *args):
    """Applies a module, compiled, with the running statistics."""
    return jax.jit(functools.partial(module.apply, train=False))(*args)


def linear(params, h):
    """A linear layer."""
    return h @ params["kernel"] + params["bias"]


def block(params, h, activation=Activation.RELU):
    """Linear layers in a row, each with its activation."""
    for i in range(len(params)):
        h = ACTIVATE[activation](linear(params[f"dense_{i}"], h))
    return h


def batch_norm(params, running, x, train=False):
    """What ``torch.nn.BatchNorm1d`` documents, with momentum 0.1.

    Returns:
        The output, and the running statistics afterwards.
    """
    axes = tuple(range(x.ndim - 1))
    mean, var = running["mean"], running["var"]
    after = running
    if train:
        mean, var = x.mean(axes), x.var(axes)
        unbiased = x.var(axes, ddof=1) if x[..., 0].size > 1 else 0 * var
        after = {
            "mean": 0.9 * running["mean"] + 0.1 * mean,
            "var": 0.9 * running["var"] + 0.1 * unbiased,
        }
    normal = (x - mean) / np.sqrt(var + 1e-5)
    return params["scale"] * normal + params["bias"], after
