# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The file of a fitted estimator, an .npz: a zip of plain arrays.

`about`
    JSON, a string: format, version, and all that is no array
`arrays/*`
    arrays of numbers
`net/*`
    parameters and statistics of the net, named by their path

Nothing in it is code, so a file from anywhere is safe to read.
"""

import dataclasses
import errno
import io
import json
import os
import pathlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from flax import traverse_util
from sklearn.base import BaseEstimator

import mfcvae_jax
from mfcvae_jax import config as config_lib
from mfcvae_jax import model as model_lib
from mfcvae_jax.estimator.defaults import make_settings
from mfcvae_jax.estimator.facet import Facet
from mfcvae_jax.estimator.fitted import Fitted
from mfcvae_jax.estimator.layout import Layout
from mfcvae_jax.evaluation.pruning import Evidence
from mfcvae_jax.settings import Settings

__all__ = ["read", "write"]

_FORMAT = "mfcvae_jax.MultiFacetClustering"
# Raised whenever an older library could no longer make sense of a file.
# 2: arrays/contrast; a scale of 0 is that of a constant column.
# 3: facets.view in the settings.
# 4: n_init, warm_up, redundancy_price.
_VERSION = 4
_OF_FACET = ("n_components", "latent_dim", "covariance", "learn_weights")
_OBJECTS = ("net", "likelihood")

_E = TypeVar("_E", bound=BaseEstimator)


def write(path: str | os.PathLike[str], fitted: Fitted) -> None:
    """Writes the file that ``MultiFacetClustering.save`` promises, whole."""
    settings, layout = fitted.settings, fitted.layout
    # Left out is what the settings have.
    kept = {**fitted.params}
    del kept["workdir"]
    kept["facets"] = [
        {name: getattr(facet, name) for name in _OF_FACET}
        for facet in kept["facets"]
    ]
    for name in _OBJECTS:
        if not isinstance(kept[name], str):
            kept[name] = None
    if kept["random_state"] is not None:
        kept["random_state"] = settings.seed
    names = fitted.feature_names
    about = {
        "format": _FORMAT,
        "version": _VERSION,
        "written_by": f"mfcvae_jax {mfcvae_jax.__version__}",
        "settings": config_lib.to_config(settings),
        "params": kept,
        "example_shape": layout.example_shape,
        "is_bytes": layout.is_bytes,
        "feature_names_in": None if names is None else list(names),
        "history": fitted.history,
    }
    # Any, since a name could be that of an argument of savez; these have a "/".
    members: dict[str, Any] = {
        "about": np.array(json.dumps(about, default=lambda n: n.item())),
        "arrays/labels": fitted.labels,
        "arrays/offset": layout.offset,
        "arrays/scale": layout.scale,
        "arrays/contrast": layout.contrast,
    }
    for j, evidence in enumerate(fitted.evidence):
        if evidence is not None:
            members[f"arrays/evidence_{j}"] = np.stack(evidence)
    flat = traverse_util.flatten_dict(fitted.variables, sep="/")
    members |= {f"net/{name}": np.asarray(a) for name, a in flat.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **members)
    _replace(pathlib.Path(path).expanduser(), content.getvalue())


def _replace(file: pathlib.Path, content: bytes) -> None:
    """Writes beside the file that a name leads to, and then in its place."""
    target = pathlib.Path(os.path.realpath(file))
    # Short, since the name of the file may be as long as a name can be.
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        if target.is_symlink() or (target.exists() and not target.is_file()):
            number = errno.EISDIR if target.is_dir() else errno.EINVAL
            raise OSError(number, "this is no regular file")
        try:
            part.write_bytes(content)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def read(
    path: str | os.PathLike[str], estimator_class: type[_E]
) -> tuple[_E, Fitted]:
    """Reads the estimator, not fitted, and what it had found.

    See ``MultiFacetClustering.load`` for the errors.
    """
    file = pathlib.Path(path).expanduser()
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file.absolute()}")
    if not file.is_file():
        raise ValueError(
            f"{file} is a folder or a device and no saved estimator: "
            "save(path) writes a single file, give load that path"
        )
    try:
        # np.load does not close a file that it cannot read.
        with (
            file.open("rb") as stream,
            np.load(stream, allow_pickle=False) as opened,
        ):
            members = {name: opened[name] for name in opened.files}
    except Exception as error:  # NumPy and zipfile raise about ten kinds
        raise ValueError(
            f"{file} is no saved estimator, or it is damaged ({error}): "
            "MultiFacetClustering.save writes an .npz file, which is a zip"
        ) from error
    about = _about(members)
    if about.get("format") != _FORMAT:
        raise ValueError(
            f"{file} was not written by MultiFacetClustering.save: it holds "
            f"{', '.join(sorted(members)[:5]) or 'nothing'}"
        )
    version = about.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise ValueError(
            f"{file} has version {version} of its format, from "
            f"{about.get('written_by')}; this library, mfcvae_jax "
            f"{mfcvae_jax.__version__}, reads versions up to {_VERSION}: "
            "install a later one"
        )
    try:
        return _sound(estimator_class, about, members)
    except Exception as error:  # anything can be wrong in a foreign file
        what = f"it lacks {error}" if type(error) is KeyError else error
        raise ValueError(
            f"{file} is damaged, or was changed since "
            f"MultiFacetClustering.save wrote it: {what}"
        ) from error


def _about(members: dict[str, np.ndarray]) -> dict[str, Any]:
    """What a file says of itself, nothing if that is no JSON object."""
    text = members.get("about", np.array(""))
    try:
        about = json.loads(text.item() if text.dtype.kind == "U" else "")
    except (ValueError, RecursionError):
        about = None
    return about if isinstance(about, dict) else {}


def _sound(
    estimator_class: type[_E],
    about: dict[str, Any],
    members: dict[str, np.ndarray],
) -> tuple[_E, Fitted]:
    """Makes sense of the arrays in a file, and checks them."""
    settings = config_lib.from_config(about["settings"])
    section, shape = settings.facets, about["example_shape"]
    # Older files have none of these, and had none.
    older = {"n_init": 1, "warm_up": 0.0, "redundancy_price": 0.0}
    params = {**older, **about["params"]}
    for name in _OBJECTS:
        if params[name] is None:
            params[name] = getattr(settings, name)
    version, history = about["version"], about["history"]
    names = about["feature_names_in"]
    for name, is_sound in {
        "version": type(version) is int and version >= 1,
        "example_shape": _is_list(shape, int)
        and 1 <= len(shape) <= 3
        and min(shape) >= 1,
        "is_bytes": isinstance(about["is_bytes"], bool),
        "history": _is_list(history, dict),
        "names": names is None
        or (_is_list(names, str) and [len(names)] == shape),
        "facets": len(params["facets"]) == len(section),
        "random_state": isinstance(params["random_state"], int | None),
        "verbose": isinstance(params["verbose"], int | None),
    }.items():
        _require(is_sound, name)
    params["facets"] = tuple(
        Facet(**facet, prior=family, view=view)
        for facet, family, view in zip(
            params["facets"], section.prior, section.view, strict=True
        )
    )
    if version == 1:
        members.setdefault("arrays/contrast", np.array(0.0))
    offset, scale, contrast, labels = (
        members[f"arrays/{name}"]
        for name in ("offset", "scale", "contrast", "labels")
    )
    layout = Layout(
        tuple(shape), about["is_bytes"], offset, scale, contrast.item()
    )
    # This checks the parameters, as in a fit; facets check themselves.
    asked = make_settings(
        params, layout, len(labels), n_devices=1, seed=settings.seed
    ).facets
    is_auto = [facet.is_auto for facet in params["facets"]]
    n_tried = np.where(is_auto, asked.n_components, 0).tolist()
    _check_arrays(members, settings, layout, n_tried)
    k = section.n_components
    kept = tuple(np.where(is_auto, k, asked.n_components).tolist())
    _require(dataclasses.replace(asked, n_components=kept) == section, "facets")
    _require((scale >= 0).all() and (layout.is_table or scale > 0), "scale")
    _require((labels >= 0).all() and (labels < k).all(), "labels")
    net = {
        tuple(name.split("/")[1:]): array
        for name, array in members.items()
        if name.startswith("net/")
    }
    evidence = [members.get(f"arrays/evidence_{j}") for j in range(len(k))]
    estimator = estimator_class(**params)
    return estimator, Fitted(
        estimator.get_params(deep=False),
        settings,
        layout,
        # A net without batch norm has no statistics.
        {"batch_stats": {}, **traverse_util.unflatten_dict(net)},
        history,
        [
            rows if rows is None else Evidence(rows[0].astype(int), *rows[1:])
            for rows in evidence
        ],
        None if names is None else np.array(names, object),
        labels,
    )


def _check_arrays(
    members: Mapping[str, np.ndarray],
    settings: Settings,
    layout: Layout,
    n_tried: Sequence[int],
) -> None:
    """Checks shapes and types; there is evidence for so many K a facet."""
    form = jax.ShapeDtypeStruct
    of_units = form(layout.example_shape if layout.is_table else (), np.float64)
    n = len(members["arrays/labels"])
    needed = {
        "arrays/offset": of_units,
        "arrays/scale": of_units,
        "arrays/contrast": form((), np.float64),
        "arrays/labels": form((n, len(n_tried)), np.int64),
    }
    for j, k in enumerate(n_tried):
        if k:
            needed[f"arrays/evidence_{j}"] = form((4, k), np.float64)
    model = model_lib.make_model(settings, layout.image_shape)
    flat = traverse_util.flatten_dict(model_lib.shapes(model), sep="/")
    needed |= {f"net/{name}": leaf for name, leaf in flat.items()}
    for name in sorted(needed.keys() | members.keys() - {"about"}):
        if name not in needed:
            raise ValueError(f"nothing of such a model is called {name}")
        wanted, array = needed[name], members[name]
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            raise ValueError(
                f"{name} must be {wanted.dtype} of shape {wanted.shape}, got "
                f"{array.dtype} of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(v) is kind for v in value)


def _require(condition: Any, name: str) -> None:
    if not condition:
        raise ValueError(f"{name} is not what it must be")
