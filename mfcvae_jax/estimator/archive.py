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

import io
import json
import os
import pathlib
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np
from flax import traverse_util

import mfcvae_jax

__all__ = ["Archive", "read", "write"]

_FORMAT = "mfcvae_jax.MultiFacetClustering"
# Raised whenever an older library could no longer make sense of a file.
_VERSION = 1


class Archive(NamedTuple):
    """What the file holds.

    Attributes:
        about: plain values for JSON.
        arrays: by name.
        variables: collections of the net, nested dicts of arrays.
    """

    about: dict[str, Any]
    arrays: dict[str, np.ndarray]
    variables: dict[str, Any]


def write(path: str | os.PathLike[str], archive: Archive) -> None:
    """Writes the file, in full or not at all.

    Args:
        path: of the file; another that is there is replaced.
        archive: what to write.

    Raises:
        OSError: if it cannot be written there.
    """
    file = pathlib.Path(path).expanduser()
    about = {
        "format": _FORMAT,
        "version": _VERSION,
        "written_by": f"mfcvae_jax {mfcvae_jax.__version__}",
        **archive.about,
    }
    # Any, since a name could be that of an argument of savez; these have a "/".
    found: dict[str, Any] = {"about": np.array(json.dumps(about))}
    found |= {f"arrays/{name}": a for name, a in archive.arrays.items()}
    flat = traverse_util.flatten_dict(archive.variables, sep="/")
    found |= {f"net/{name}": np.asarray(a) for name, a in flat.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **found)
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(content.getvalue())
    part.replace(file)


def read(path: str | os.PathLike[str]) -> Archive:
    """Reads a file that ``write`` made.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is another kind of file, damaged, or from a later
            version of the library.
    """
    file = pathlib.Path(path).expanduser()
    if file.is_dir():
        raise ValueError(
            f"{file} is a folder and no saved estimator: save(path) writes a "
            "single file, give load that path"
        )
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file.absolute()}")
    found = _read_arrays(file)
    about = json.loads(str(found.pop("about"))) if "about" in found else {}
    if about.get("format") != _FORMAT:
        raise ValueError(
            f"{file} was not written by MultiFacetClustering.save: it holds "
            f"{', '.join(sorted(found)[:5]) or 'nothing'}"
        )
    if about["version"] > _VERSION:
        raise ValueError(
            f"{file} has version {about['version']} of its format, from "
            f"{about['written_by']}; this library, mfcvae_jax "
            f"{mfcvae_jax.__version__}, reads versions up to {_VERSION}: "
            "install a later one"
        )
    parts: dict[str, dict[str, Any]] = {"arrays": {}, "net": {}}
    for name, array in found.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = array
    variables = traverse_util.unflatten_dict(parts["net"], sep="/")
    # A net without batch norm has no statistics.
    return Archive(about, parts["arrays"], {"batch_stats": {}, **variables})


def _read_arrays(file: pathlib.Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(file):
        raise ValueError(
            f"{file} is no saved estimator, or was cut short: "
            "MultiFacetClustering.save writes an .npz file, which is a zip"
        )
    try:
        with np.load(file, allow_pickle=False) as opened:
            return {name: opened[name] for name in opened.files}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        NotImplementedError,
    ) as error:
        raise ValueError(f"{file} is damaged ({error})") from error
