# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Weights of the official PyTorch implementation, as variables of ours.

The official ``state_dict`` names a layer by its position in a stack that also
counts activation, batch norm and dropout; linear weights are (out, in), images
and kernels have their channels first, mixture parameters have the component
axis last. The mapping is a list of (our path, official key, change of layout),
so that it can name what does not fit.
"""

import argparse
import functools
import math
import pathlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import chex
import jax.numpy as jnp
import numpy as np

from mfcvae_jax import settings as settings_lib
from mfcvae_jax.ladder import conv
from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import prior

__all__ = ["read_state_dict", "variables_from_state_dict"]


class _Entry(NamedTuple):
    """Where one array of ours comes from."""

    path: tuple[str, ...]  # collection first: ("params", "encoder", ...)
    key: str
    shape: tuple[int, ...]  # in our layout
    change_layout: Callable[[chex.Array], chex.Array]


def variables_from_state_dict(
    state_dict: Mapping[str, chex.Array],
    settings: settings_lib.Settings,
    image_shape: tuple[int, int, int],
    *,
    is_glorot: bool = False,
) -> dict[str, Any]:
    """Returns the variables of ``MFCVAE`` that equal the official weights.

    Differentiable in the floating-point entries of ``state_dict``.

    Args:
        state_dict: the official parameters and buffers as arrays.
        settings: of the same model.
        image_shape: (H, W, C) of its data; dense nets take C = 1 only.
        is_glorot: whether the model was made with the official setting
            ``init_type_p_z_c="glorot"``, which reads scales through exp; ours
            always go through ``prior.positive``.

    Returns:
        Collections ``params`` and ``batch_stats``.

    Raises:
        ValueError: if keys are missing or left over, shapes do not fit, or
            the images are not grey though the net is dense.
    """
    is_conv = isinstance(settings.net, settings_lib.ConvLadder)
    if image_shape[-1] != 1 and not is_conv:
        raise ValueError(
            "the official dense nets flatten images channels first, ours "
            "channels last: only grey images (H, W, 1) can be imported, got "
            f"image shape {image_shape}"
        )
    entries = list(_entries(settings, image_shape, is_glorot))
    wanted = {entry.key for entry in entries}
    given = {k for k in state_dict if not k.endswith("num_batches_tracked")}
    if wanted != given:
        raise ValueError(
            "the official weights do not belong to the model of these "
            f"settings: missing {sorted(wanted - given) or 'none'}, left over "
            f"{sorted(given - wanted) or 'none'}; check net and facets"
        )
    variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for entry in entries:
        value = jnp.asarray(entry.change_layout(state_dict[entry.key]))
        if value.shape != entry.shape:
            raise ValueError(
                f"official {entry.key} has shape "
                f"{state_dict[entry.key].shape}, which gives "
                f"{value.shape} in our layout, but the settings ask for "
                f"{entry.shape}; check net and facets"
            )
        node = variables
        for name in entry.path[:-1]:
            node = node.setdefault(name, {})
        node[entry.path[-1]] = value
    return variables


def read_state_dict(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the file that the official training loop writes.

    Args:
        path: a ``.pt`` file holding a state_dict, or a dict with one under
            ``"state_dict"``.

    Returns:
        Parameters and buffers as NumPy arrays.

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
    # The official file also pickles its flags. Loading weights only, plus
    # these two harmless types, runs no code from the file.
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


def _entries(
    settings: settings_lib.Settings,
    image_shape: tuple[int, int, int],
    is_glorot: bool,
) -> Iterator[_Entry]:
    yield from _prior_entries(settings.facets, is_glorot)
    n_pixels = math.prod(image_shape)
    match settings.net:
        case settings_lib.ConvLadder() as net:
            nets = _conv_entries(net, settings.facets, image_shape)
        case settings_lib.DenseLadder() as net:
            nets = _ladder_entries(net, settings.facets, n_pixels)
        case settings_lib.SharedEncoder() as net:
            nets = _shared_entries(net, settings.facets, n_pixels)
        case settings_lib.SeparateEncoders() as net:
            nets = _separate_entries(net, settings.facets, n_pixels)
    yield from nets


def _prior_entries(
    facets: settings_lib.Facets, is_glorot: bool
) -> Iterator[_Entry]:
    for j, (k, d, covariance) in enumerate(
        zip(
            facets.n_components,
            facets.latent_dim,
            facets.covariance,
            strict=True,
        )
    ):
        path = ("params", f"priors_{j}")
        yield _Entry((*path, "logits"), f"_pi_p_c_j_list.{j}", (k,), _as_is)
        yield _Entry(
            (*path, "means"), f"mu_p_z_j_c_j_list.{j}", (k, d), _transposed
        )
        if covariance is Covariance.DIAGONAL:
            yield _Entry(
                (*path, "raw_var"),
                f"_sigma_square_p_z_j_c_j_list.{j}",
                (k, d),
                _raw_var_from_exp if is_glorot else _transposed,
            )
        else:
            yield _Entry(
                (*path, "raw_tril"),
                f"_l_mat_p_z_j_c_j_list.{j}",
                (k, d, d),
                _raw_tril_from_exp if is_glorot else _component_axis_first,
            )


def _conv_entries(
    net: settings_lib.ConvLadder,
    facets: settings_lib.Facets,
    image_shape: tuple[int, int, int],
) -> Iterator[_Entry]:
    n_colours = image_shape[-1]
    top = len(facets) - 1
    channels = n_colours
    for j in range(len(facets)):
        for name, layers in (
            (f"backbone_{j}", conv.encoder_backbone(j)),
            (f"rung_{j}", conv.encoder_rung(j)),
        ):
            yield from _conv_block_entries(
                ("encoder", name),
                f"encoder.conv_{name}",
                channels,
                layers,
                weight_norm=net.weight_norm,
            )
            if name == f"backbone_{j}":
                channels = layers[-1].channels
        shape = conv.features(j, image_shape)
        flattened = functools.partial(_channels_last_in, shape)
        for entry in _head_entries(j, math.prod(shape), facets):
            is_kernel = entry.path[-1] == "kernel"
            yield entry._replace(
                change_layout=flattened if is_kernel else _as_is
            )

    for j in range(len(facets)):
        shape = conv.decoder_rung(j, image_shape)
        flattened = functools.partial(_channels_last_out, shape)
        for entry in _block_entries(
            ("decoder", f"rung_{j}"),
            f"decoder.mlp_rung_{j}.0",
            True,
            facets.latent_dim[j],
            (math.prod(shape),),
        ):
            yield entry._replace(change_layout=flattened)
        # Rung j and what comes from above, where there is anything above it.
        channels = shape[-1] * (1 if j == top else 2)
        yield from _conv_block_entries(
            ("decoder", f"backbone_{j}"),
            f"decoder.conv_backbone_{j}",
            channels,
            conv.decoder_backbone(j, n_colours),
            is_transposed=True,
            is_bare=j == 0 and not net.output_norm,
        )


def _conv_block_entries(
    path: tuple[str, ...],
    key: str,
    channels: int,
    layers: tuple[conv.Layer, ...],
    *,
    is_transposed: bool = False,
    weight_norm: bool = False,
    is_bare: bool = False,
) -> Iterator[_Entry]:
    """A stack of convolutions, which is fed ``channels``."""
    for i, layer in enumerate(layers):
        in_out = (channels, layer.channels)
        # A transposed convolution keeps the layout of the one it transposes,
        # there as here.
        shape = (
            layer.width,
            layer.width,
            *(in_out[::-1] if is_transposed else in_out),
        )
        ours, theirs = ("params", *path, f"convolution_{i}"), f"{key}.{i}.0"
        if weight_norm:
            yield _Entry(
                (*ours, "direction"),
                f"{theirs}.weight_v",
                shape,
                _channels_last,
            )
            yield _Entry(
                (*ours, "gain"),
                f"{theirs}.weight_g",
                (layer.channels,),
                _raveled,
            )
        else:
            yield _Entry(
                (*ours, "kernel"), f"{theirs}.weight", shape, _channels_last
            )
        yield _Entry(
            (*ours, "bias"), f"{theirs}.bias", (layer.channels,), _as_is
        )
        if not is_bare:
            yield from _batch_norm_entries(
                (*path, f"batch_norm_{i}"), f"{key}.{i}.2", layer.channels
            )
        channels = layer.channels


def _ladder_entries(
    net: settings_lib.DenseLadder, facets: settings_lib.Facets, n_pixels: int
) -> Iterator[_Entry]:
    top = len(facets) - 1
    width = n_pixels
    for j in range(len(facets)):
        for ours, theirs, widths in (
            (f"backbone_{j}", f"fc_backbone.{j}", net.encoder_backbone[j]),
            (f"rung_{j}", f"fc_rung.{j}", net.encoder_rungs[j]),
        ):
            rung_width = (width, *widths)[-1]
            yield from _block_entries(
                ("encoder", ours),
                f"encoder.{theirs}",
                net.batch_norm,
                width,
                widths,
            )
            if ours == f"backbone_{j}":
                width = rung_width
        yield from _head_entries(j, rung_width, facets)

    for j in reversed(range(len(facets))):
        rung, backbone = net.decoder_rungs[j], net.decoder_backbone[j]
        rung_width = (facets.latent_dim[j], *rung)[-1]
        theirs = f"decoder.fc_rung.{j}"
        n_before = 0
        if j == top:
            # The official top facet has one stack: rung, then backbone.
            theirs = f"decoder.fc_backbone.{j}"
            n_before = len(rung)
            width = rung_width
        elif net.merge is settings_lib.Merge.CONCATENATE:
            width = rung_width + width
        yield from _block_entries(
            ("decoder", f"rung_{j}"),
            theirs,
            net.batch_norm,
            facets.latent_dim[j],
            rung,
        )
        yield from _block_entries(
            ("decoder", f"backbone_{j}"),
            f"decoder.fc_backbone.{j}",
            net.batch_norm,
            width,
            backbone,
            n_before,
        )
        width = (width, *backbone)[-1]
    yield from _dense_entries(
        ("decoder", "output"), "layer_x_hat_z", width, n_pixels
    )


def _shared_entries(
    net: settings_lib.SharedEncoder, facets: settings_lib.Facets, n_pixels: int
) -> Iterator[_Entry]:
    yield from _block_entries(
        ("encoder", "encoder"),
        "encoder.net",
        net.batch_norm,
        n_pixels,
        net.encoder,
    )
    for j in range(len(facets)):
        yield from _head_entries(j, (n_pixels, *net.encoder)[-1], facets)
    yield from _joint_decoder_entries(net, facets, n_pixels)


def _separate_entries(
    net: settings_lib.SeparateEncoders,
    facets: settings_lib.Facets,
    n_pixels: int,
) -> Iterator[_Entry]:
    for j, widths in enumerate(net.encoders):
        yield from _block_entries(
            ("encoder", f"encoder_{j}"),
            f"encoder.net_list.{j}",
            net.batch_norm,
            n_pixels,
            widths,
        )
        yield from _head_entries(j, (n_pixels, *widths)[-1], facets)
    yield from _joint_decoder_entries(net, facets, n_pixels)


def _joint_decoder_entries(
    net: settings_lib.SharedEncoder | settings_lib.SeparateEncoders,
    facets: settings_lib.Facets,
    n_pixels: int,
) -> Iterator[_Entry]:
    width = sum(facets.latent_dim)
    yield from _block_entries(
        ("decoder", "decoder"),
        "decoder.net",
        net.batch_norm,
        width,
        net.decoder,
    )
    yield from _dense_entries(
        ("decoder", "output"),
        "layer_x_hat_z",
        (width, *net.decoder)[-1],
        n_pixels,
    )


def _block_entries(
    path: tuple[str, ...],
    key: str,
    batch_norm: bool,
    width: int,
    widths: tuple[int, ...],
    n_before: int = 0,
) -> Iterator[_Entry]:
    """A stack of hidden layers, of which ``n_before`` came before ours."""
    # linear, activation, dropout, and batch norm after the activation
    stride = 4 if batch_norm else 3
    for i, units in enumerate(widths):
        at = stride * (n_before + i)
        yield from _dense_entries(
            (*path, f"dense_{i}"), f"{key}.{at}", width, units
        )
        if batch_norm:
            yield from _batch_norm_entries(
                (*path, f"batch_norm_{i}"), f"{key}.{at + 2}", units
            )
        width = units


def _batch_norm_entries(
    path: tuple[str, ...], key: str, channels: int
) -> Iterator[_Entry]:
    for collection, ours, theirs in (
        ("params", "scale", "weight"),
        ("params", "bias", "bias"),
        ("batch_stats", "mean", "running_mean"),
        ("batch_stats", "var", "running_var"),
    ):
        yield _Entry(
            (collection, *path, ours), f"{key}.{theirs}", (channels,), _as_is
        )


def _head_entries(
    j: int, width: int, facets: settings_lib.Facets
) -> Iterator[_Entry]:
    for ours, theirs in (
        ("mean", "fc_mu_q_z_x_list"),
        ("log_var", "fc_log_sigma_square_q_z_x_list"),
    ):
        yield from _dense_entries(
            ("encoder", f"heads_{j}", ours),
            f"{theirs}.{j}",
            width,
            facets.latent_dim[j],
        )


def _dense_entries(
    path: tuple[str, ...], key: str, width: int, units: int
) -> Iterator[_Entry]:
    yield _Entry(
        ("params", *path, "kernel"),
        f"{key}.weight",
        (width, units),
        _transposed,
    )
    yield _Entry(("params", *path, "bias"), f"{key}.bias", (units,), _as_is)


def _as_is(value: chex.Array) -> chex.Array:
    return value


# Methods rather than jnp functions: NumPy arrays are then never compiled for.


def _transposed(value: chex.Array) -> chex.Array:
    return value.T


def _channels_last(value: chex.Array) -> chex.Array:
    return value.transpose(2, 3, 1, 0)


def _channels_last_in(
    shape: tuple[int, int, int], value: chex.Array
) -> chex.Array:
    """A linear weight whose input is an image (C, H, W), for ours (H, W, C)."""
    height, width, channels = shape
    image = value.reshape(-1, channels, height, width)
    return image.transpose(2, 3, 1, 0).reshape(-1, value.shape[0])


def _channels_last_out(
    shape: tuple[int, int, int], value: chex.Array
) -> chex.Array:
    """A weight or vector whose output is an image (C, H, W), likewise."""
    height, width, channels = shape
    image = value.reshape(channels, height, width, -1)
    flat = image.transpose(3, 1, 2, 0).reshape(-1, math.prod(shape))
    return flat if value.ndim == 2 else flat[0]


def _raveled(value: chex.Array) -> chex.Array:
    return value.reshape(-1)


def _component_axis_first(value: chex.Array) -> chex.Array:
    return value.transpose(2, 0, 1)


def _raw_var_from_exp(value: chex.Array) -> chex.Array:
    return prior.positive_inverse(jnp.exp(value)).T


def _raw_tril_from_exp(value: chex.Array) -> chex.Array:
    raw = _component_axis_first(value)
    eye = jnp.eye(raw.shape[-1])
    diagonal = jnp.diagonal(raw, axis1=-2, axis2=-1)
    converted = prior.positive_inverse(jnp.exp(diagonal))
    return raw * (1 - eye) + converted[..., None] * eye
