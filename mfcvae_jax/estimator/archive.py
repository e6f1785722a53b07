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
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from flax import traverse_util
from sklearn.base import BaseEstimator

import mfcvae_jax
from mfcvae_jax import config as config_lib
from mfcvae_jax import model as model_lib
from mfcvae_jax.estimator.defaults import make_settings, n_held_back
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

_E = TypeVar("_E", bound=BaseEstimator)


def write(path: str | os.PathLike[str], fitted: Fitted) -> None:
    """Writes the file that ``MultiFacetClustering.save`` promises, whole.

    Raises:
        OSError: if it cannot be written there.
    """
    settings, layout = fitted.settings, fitted.layout
    kept = {**fitted.params}
    del kept["workdir"]
    kept["facets"] = [dataclasses.asdict(f) for f in kept["facets"]]
    for facet in kept["facets"]:
        del facet["prior"], facet["view"]  # they are in the settings
    for name in ("net", "likelihood"):
        if not isinstance(kept[name], str):
            kept[name] = None  # it is in the settings
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
    """Reads a file that ``write`` made.

    Returns:
        The estimator, not fitted, and what it had found.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is another kind of file, damaged, or from a later
            version of the library.
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
    try:
        return _sound(estimator_class, members)
    except _NotOursError as error:
        raise ValueError(f"{file} {error}") from error
    except Exception as error:  # anything can be wrong in a foreign file
        what = f"it lacks {error}" if type(error) is KeyError else error
        raise ValueError(
            f"{file} is damaged, or was changed since "
            f"MultiFacetClustering.save wrote it: {what}"
        ) from error


class _NotOursError(Exception):
    """Says what a sound file is instead."""


def _sound(
    estimator_class: type[_E], members: dict[str, np.ndarray]
) -> tuple[_E, Fitted]:
    """Makes sense of the arrays in a file, and checks them."""
    about = _about(members)
    settings = config_lib.from_config(about["settings"])
    # Older files have none of these, and had none.
    older = {"n_init": 1, "warm_up": 0.0, "redundancy_price": 0.0}
    params = {**older, **about["params"]}
    _require(len(params["facets"]) == len(settings.facets), "facets")
    params["facets"] = tuple(
        Facet(**facet, prior=family, view=view)
        for facet, family, view in zip(
            params["facets"],
            settings.facets.prior,
            settings.facets.view,
            strict=False,
        )
    )
    for name in ("net", "likelihood"):
        if params[name] is None:
            params[name] = getattr(settings, name)
    shape = about["example_shape"]
    _require(
        isinstance(shape, list)
        and 1 <= len(shape) <= 3
        and all(type(n) is int and n >= 1 for n in shape),
        "example_shape",
    )
    offset, scale, contrast, labels = (
        members[f"arrays/{name}"]
        for name in ("offset", "scale", "contrast", "labels")
    )
    layout = Layout(
        tuple(shape), about["is_bytes"], offset, scale, contrast.item()
    )
    _check_arrays(members, _needed(settings, layout, params, len(labels)))
    _require((scale >= 0).all() and (len(shape) == 1 or scale > 0), "scale")
    k = settings.facets.n_components
    _require((0 <= labels).all() and (labels < k).all(), "labels")
    # This checks the parameters, as in a fit.
    asked = make_settings(
        params, layout, len(labels), n_devices=1, seed=settings.seed
    ).facets
    is_auto = [facet.is_auto for facet in params["facets"]]
    kept = tuple(np.where(is_auto, k, asked.n_components).tolist())
    asked = dataclasses.replace(asked, n_components=kept)
    _require(asked == settings.facets, "facets")
    for name in ("random_state", "verbose"):
        _require(isinstance(params[name], int | None), name)
    _require(isinstance(layout.is_bytes, bool), "is_bytes")
    names, history = about["feature_names_in"], about["history"]
    if names is not None:
        _require(isinstance(names, list) and [len(names)] == shape, "names")
        _require(all(isinstance(name, str) for name in names), "names")
        names = np.array(names, object)
    _require(isinstance(history, list), "history")
    _require(all(isinstance(record, dict) for record in history), "history")
    evidence = [members.get(f"arrays/evidence_{j}") for j in range(len(k))]
    net = {
        tuple(name.split("/")[1:]): array
        for name, array in members.items()
        if name.startswith("net/")
    }
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
        names,
        labels,
    )


def _about(members: dict[str, np.ndarray]) -> dict[str, Any]:
    text = members.get("about", np.array(""))
    try:
        about = json.loads(text.item() if text.dtype.kind == "U" else "")
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise _NotOursError(
            "was not written by MultiFacetClustering.save: it holds "
            f"{', '.join(sorted(members)[:5]) or 'nothing'}"
        )
    version = about["version"]
    _require(type(version) is int and version >= 1, "version")
    if version > _VERSION:
        raise _NotOursError(
            f"has version {version} of its format, from "
            f"{about.get('written_by')}; this library, mfcvae_jax "
            f"{mfcvae_jax.__version__}, reads versions up to {_VERSION}: "
            "install a later one"
        )
    if version == 1:
        members.setdefault("arrays/contrast", np.array(0.0))
    return about


def _needed(
    settings: Settings, layout: Layout, params: Mapping[str, Any], n: int
) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Shape and type of each array in a file of n training examples."""
    of_columns = layout.example_shape if layout.is_table else ()
    needed: dict[str, tuple[tuple[int, ...], Any]] = {
        "arrays/offset": (of_columns, np.float64),
        "arrays/scale": (of_columns, np.float64),
        "arrays/contrast": ((), np.float64),
        "arrays/labels": ((n, len(settings.facets)), np.int64),
    }
    n_train = n - n_held_back(settings.n_init, n)
    for j, facet in enumerate(params["facets"]):
        if facet.is_auto:
            form = (4, facet.n_trained(n_train)), np.float64
            needed[f"arrays/evidence_{j}"] = form
    model = model_lib.make_model(settings, layout.image_shape)
    flat = traverse_util.flatten_dict(model_lib.shapes(model), sep="/")
    return needed | {f"net/{k}": (v.shape, v.dtype) for k, v in flat.items()}


def _check_arrays(
    members: Mapping[str, np.ndarray],
    needed: Mapping[str, tuple[tuple[int, ...], Any]],
) -> None:
    for name in sorted(needed.keys() | members.keys() - {"about"}):
        if name not in needed:
            raise ValueError(f"nothing of such a model is called {name}")
        shape, dtype = needed[name]
        array = members[name]
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{name} must be {np.dtype(dtype)} of shape {shape}, got "
                f"{array.dtype} of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def _require(condition: Any, name: str) -> None:
    if not condition:
        raise ValueError(f"{name} is not what it must be")
