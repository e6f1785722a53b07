# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Weights of the official PyTorch implementation, as variables of ours.

The arrays that are wanted are those of our own model, as ``jax.eval_shape``
gives them. For each, this file knows the key of the official ``state_dict`` and
the layout under it. The official code names a layer by its position in a stack
that also counts activation, batch norm and dropout; linear weights are (out,
in), images and kernels have their channels first, and mixture parameters have
the component axis last.
"""

import argparse
import dataclasses
import pathlib
import pickle
from collections.abc import Mapping
from typing import Any

import chex
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from mfcvae_jax import model as model_lib
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.ladder import conv
from mfcvae_jax.variational import prior

__all__ = ["as_official", "read_state_dict", "variables_from_state_dict"]

# Our blocks of layers and the official ones; {j} is the facet.
_BLOCKS: dict[type, dict[str, str]] = {
    settings_lib.ConvLadder: {
        "encoder.backbone": "encoder.conv_backbone_{j}",
        "encoder.rung": "encoder.conv_rung_{j}",
        "decoder.backbone": "decoder.conv_backbone_{j}",
        "decoder.rung": "decoder.mlp_rung_{j}.0",
    },
    settings_lib.DenseLadder: {
        "encoder.backbone": "encoder.fc_backbone.{j}",
        "encoder.rung": "encoder.fc_rung.{j}",
        "decoder.backbone": "decoder.fc_backbone.{j}",
        "decoder.rung": "decoder.fc_rung.{j}",
    },
    settings_lib.SharedEncoder: {
        "encoder.encoder": "encoder.net",
        "decoder.decoder": "decoder.net",
    },
    settings_lib.SeparateEncoders: {
        "encoder.encoder": "encoder.net_list.{j}",
        "decoder.decoder": "decoder.net",
    },
}
# Lists with an entry a facet.
_LISTS = {
    "logits": "_pi_p_c_j_list",
    "means": "mu_p_z_j_c_j_list",
    "raw_var": "_sigma_square_p_z_j_c_j_list",
    "raw_tril": "_l_mat_p_z_j_c_j_list",
    "mean": "fc_mu_q_z_x_list",
    "log_var": "fc_log_sigma_square_q_z_x_list",
}
_ARRAYS = {
    "kernel": "weight",
    "direction": "weight_v",
    "gain": "weight_g",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
# Their axes in our order, by the number of axes. A transposed convolution keeps
# the layout of the one it transposes, there as here.
_AXES = {1: (0,), 2: (1, 0), 3: (2, 0, 1), 4: (2, 3, 1, 0)}


def as_official(settings: settings_lib.Settings) -> settings_lib.Settings:
    """Returns the settings of the model that the official code really trains.

    Its encoders of one facet each keep relu, whatever its activation flag says,
    so ``net.encoder_activation`` becomes relu where the net has one.
    """
    if not isinstance(settings.net, settings_lib.SeparateEncoders):
        return settings
    relu = settings_lib.Activation.RELU
    net = dataclasses.replace(settings.net, encoder_activation=relu)
    return dataclasses.replace(settings, net=net)


def variables_from_state_dict(
    state_dict: Mapping[str, chex.Array],
    settings: settings_lib.Settings,
    image_shape: tuple[int, int, int],
    *,
    is_glorot: bool = False,
) -> dict[str, Any]:
    """Returns the variables of ``MFCVAE`` that equal the official weights.

    These are its ``params`` and ``batch_stats``; differentiable in the
    floating-point entries of ``state_dict``.

    Args:
        state_dict: the official parameters and buffers as arrays.
        settings: of the same model; see ``as_official``.
        image_shape: (H, W, C) of its data; dense nets take C = 1 only.
        is_glorot: whether the model was made with the official setting
            ``init_type_p_z_c="glorot"``, which reads scales through exp; ours
            always go through ``prior.positive``.

    Raises:
        ValueError: if the official code has no such net, keys are missing or
            left over, shapes do not fit, or the images are not grey though the
            net is dense.
    """
    _check_net(settings, image_shape)
    tree = model_lib.shapes(model_lib.make_model(settings, image_shape))
    leaves = traverse_util.flatten_dict(tree)
    paths = {_key(path, settings, tree): path for path in leaves}
    given = {k for k in state_dict if not k.endswith("num_batches_tracked")}
    if given != set(paths):
        raise ValueError(
            "the official weights do not belong to the model of these "
            f"settings: missing {sorted(set(paths) - given) or 'none'}, left "
            f"over {sorted(given - set(paths)) or 'none'}; give the settings "
            "net and facets with which the weights were trained"
        )
    variables = {}
    for key, path in paths.items():
        value, shape = state_dict[key], leaves[path].shape
        axes = _AXES[len(shape)]
        wanted = tuple(shape[axes.index(i)] for i in range(len(axes)))
        if path[-1] == "gain":
            wanted += (1, 1, 1)
        if tuple(value.shape) != wanted:
            raise ValueError(
                f"official {key} has shape {tuple(value.shape)}, but the "
                f"settings ask for {wanted}, with images of shape "
                f"{image_shape}; give the settings net, facets and data with "
                "which the weights were trained"
            )
        # Methods rather than jnp functions: nothing is compiled for NumPy.
        value = value.reshape(wanted[: len(axes)]).transpose(axes)
        if flat := _channels_last(path, settings.net, image_shape):
            value = value.take(*flat)
        if is_glorot and path[-1] in ("raw_var", "raw_tril"):
            is_full = path[-1] == "raw_tril"
            is_scale = np.eye(shape[-1], dtype=bool) if is_full else True
            scale = prior.positive_inverse(jnp.exp(value))
            value = jnp.where(is_scale, scale, value)
        variables[path] = jnp.asarray(value)
    return {"batch_stats": {}, **traverse_util.unflatten_dict(variables)}


def read_state_dict(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the file that the official training loop writes.

    It is a ``.pt`` file of a state_dict, or of a dict with one under that name.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if PyTorch is not installed.
        ValueError: if the file holds something else.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no official weights at {path}")
    try:
        import torch  # only this function needs it
    except ImportError as error:
        raise ImportError(
            f"reading {path} needs PyTorch, which is optional here: "
            "pip install '.[official]'"
        ) from error
    # The official file also pickles its flags. Loading weights only, plus these
    # two harmless types, runs no code from the file.
    try:
        with torch.serialization.safe_globals(
            [argparse.Namespace, torch.device]
        ):
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path} is no file of PyTorch weights, or is damaged: {error}"
        ) from error
    state_dict = (
        saved.get("state_dict", saved) if isinstance(saved, dict) else {}
    )
    if not state_dict or not all(
        isinstance(value, torch.Tensor) for value in state_dict.values()
    ):
        raise ValueError(
            f"{path} holds no state_dict: expected tensors by name, or a dict "
            f"with those under 'state_dict', got {type(saved).__name__}"
        )
    return {key: value.numpy() for key, value in state_dict.items()}


def _check_net(
    settings: settings_lib.Settings, image_shape: tuple[int, int, int]
) -> None:
    net = settings.net
    kinds = {cls: name for name, cls in settings_lib.KINDS["net"].items()}
    if type(net) not in _BLOCKS:
        raise ValueError(
            f"the official code has no net such as {type(net).__name__} "
            f"(net.kind={kinds.get(type(net))!r}); weights can be imported "
            f"for net.kind={', '.join(kinds[cls] for cls in _BLOCKS)}"
        )
    if settings != as_official(settings):
        raise ValueError(
            "the official code keeps relu in the encoders of net.kind="
            "'separate_encoders', whatever its activation flag says: set "
            "net.encoder_activation to 'relu'"
        )
    if image_shape[-1] != 1 and not isinstance(net, settings_lib.ConvLadder):
        raise ValueError(
            "the official dense nets flatten images channels first, ours "
            "channels last: only grey images (H, W, 1) can be imported, got "
            f"image shape {image_shape}"
        )


def _key(
    path: tuple[str, ...],
    settings: settings_lib.Settings,
    tree: dict[str, Any],
) -> str:
    """Returns the official key of the array at a path of our tree."""
    _, *modules, leaf = path
    match modules:
        case [mixture]:
            return f"{_LISTS[leaf]}.{_split(mixture)[1]}"
        case ["decoder", "output"]:
            return f"layer_x_hat_z.{_ARRAYS[leaf]}"
        case ["encoder", heads, ("mean" | "log_var") as head]:
            return f"{_LISTS[head]}.{_split(heads)[1]}.{_ARRAYS[leaf]}"
    part, block, layer = modules
    kind, j = _split(block)
    layer_kind, i = _split(layer)
    blocks = tree["params"][part]
    after = 2 if layer_kind == "batch_norm" else 0
    if "convolution_0" in blocks[block]:
        # Convolution, activation, batch norm: a stack for each.
        position = f"{i}.{after}"
    else:
        # Linear, activation, [batch norm,] dropout: one stack for all.
        stride = 4 if "batch_norm_0" in blocks[block] else 3
        if (
            isinstance(settings.net, settings_lib.DenseLadder)
            and part == "decoder"
            and j == len(settings.facets) - 1
        ):
            # The official top facet has one stack: rung, then backbone.
            if kind == "backbone":
                i += len(settings.net.decoder_rungs[j])
            kind = "backbone"
        position = str(stride * i + after)
    stack = _BLOCKS[type(settings.net)][f"{part}.{kind}"].format(j=j)
    return f"{stack}.{position}.{_ARRAYS[leaf]}"


def _split(name: str) -> tuple[str, int]:
    """Returns ("rung", 2) of "rung_2", and number 0 where there is none."""
    kind, _, number = name.rpartition("_")
    return (kind, int(number)) if kind else (name, 0)


def _channels_last(
    path: tuple[str, ...],
    net: settings_lib.Net,
    image_shape: tuple[int, int, int],
) -> tuple[np.ndarray, int] | None:
    """Returns our order of an image that lies flat, and the axis it lies on."""
    if not isinstance(net, settings_lib.ConvLadder) or len(path) == 3:
        return None
    block, j = _split(path[2])
    if block == "heads" and path[-1] == "kernel":
        (height, width, channels), axis = conv.features(j, image_shape), 0
    elif path[1] == "decoder" and block == "rung":
        (height, width, channels), axis = conv.decoder_rung(j, image_shape), -1
    else:
        return None
    order = np.arange(channels * height * width)
    image = order.reshape(channels, height, width)
    return image.transpose(1, 2, 0).ravel(), axis
