# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Anyone's images, from a folder of picture files.

::

    mine/cat/001.png        mine/001.png
    mine/cat/002.png   or   mine/002.png
    mine/dog/001.png

Sub-folders are the classes of a labeling called "folder", numbered in the
order of their names; images directly in the folder have no labels. All have to
be of one size. They are taken in the order of their paths, and a fixed random
fifth of them is set aside for testing.

Grey images make one channel. If any is in colour, all become RGB. Colour
means the kind of file: one that is RGB or has a palette is in colour, even if
it shows nothing but grey. What is transparent is laid on black. Hidden files
and files of other kinds are left out; an image that cannot be read is not.
"""

import collections
import os
import pathlib
import struct
import zlib
from typing import NamedTuple

import numpy as np
from absl import logging
from PIL import Image, ImageOps

from mfcvae_jax.datasets import arrays
from mfcvae_jax.datasets.spec import Dataset

__all__ = ["ENDINGS", "load_folder"]

ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".pbm", ".pgm", ".ppm", ".pnm"),
)
_GREY = {"1", "L", "LA", "La"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"}
# Pillow has no one error for a file that is damaged.
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112  # of a photo, in its Exif data: from 5 on it lies


class _Header(NamedTuple):
    """What a file says of its image before it is decoded."""

    width: int
    height: int
    is_colour: bool


def load_folder(path: str) -> Dataset:
    """Reads a data set from a folder of images.

    Args:
        path: of the folder.

    Returns:
        The data set, named after the folder; images uint8, shape (N, H, W, 1)
        or (N, H, W, 3).

    Raises:
        FileNotFoundError: if there is no such folder, or no image in it.
        ValueError: if an image cannot be read, or their sizes differ.
    """
    folder = pathlib.Path(path).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"data.path: there is no folder {folder.absolute()}"
        )
    logging.info("Reading the images in %s", folder)
    files = _images_in(folder)
    labels, names = _labels(folder, files)
    headers = [_header(file) for file in files]
    _check_sizes(files, headers)
    mode = "RGB" if any(header.is_colour for header in headers) else "L"
    shape = (headers[0].height, headers[0].width, len(mode))
    images = np.empty((len(files), *shape), np.uint8)
    for i, file in enumerate(files):
        images[i] = _decode(file, mode).reshape(shape)
    return arrays.as_dataset(folder, images, labels, names)


def _images_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """The images in the folder and below, in the order of their paths."""
    files: list[pathlib.Path] = []
    others: list[pathlib.Path] = []
    # A folder that may not be read would be left out without a word.
    for root, folders, names in os.walk(
        folder, onerror=_raise, followlinks=True
    ):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                file = pathlib.Path(root) / name
                is_image = file.suffix.lower() in ENDINGS
                (files if is_image else others).append(file)
    if not files:
        raise FileNotFoundError(
            f"data.path: no image in {folder.absolute()} or below, only "
            f"{len(others)} other files; expected names that end in "
            f"{', '.join(ENDINGS)}"
        )
    if others:
        logging.info(
            "%d files that are no images are left out, such as %s",
            len(others),
            min(others),
        )
    return sorted(files, key=lambda file: file.relative_to(folder).parts)


def _raise(error: OSError) -> None:
    raise error


def _labels(
    folder: pathlib.Path, files: list[pathlib.Path]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The labels, shape (N,), and the name of the labeling, if there is one."""
    of_file = [file.relative_to(folder).parts[:-1] for file in files]
    without = [i for i, parts in enumerate(of_file) if not parts]
    if len(without) == len(files):
        return None, None
    if without:
        raise ValueError(
            f"{folder}: {files[without[0]].name} and {len(without) - 1} more "
            f"images are in no sub-folder, but {len(files) - len(without)} "
            "are: move all of them into sub-folders, which are the classes, "
            "or none"
        )
    classes, labels = np.unique(
        [parts[0] for parts in of_file], return_inverse=True
    )
    named = ", ".join(f"{i} = {name}" for i, name in enumerate(classes))
    logging.info("classes: %s", named)
    return labels, np.array(["folder"])


def _header(file: pathlib.Path) -> _Header:
    """Reads the size and the kind of an image."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION, 1) >= 5:
                width, height = height, width
            n_frames = getattr(image, "n_frames", 1)
            mode = image.mode
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error
    if n_frames > 1:
        raise ValueError(
            f"{file} holds {n_frames} images one after the other: save each "
            "in a file of its own"
        )
    if mode not in _GREY | _COLOUR:
        raise ValueError(
            f"{file}: its pixels are of mode {mode!r}, which is not 8 bits a "
            "channel. Scale them and save them again, or use data.name='npz' "
            "with floats in [0, 1]"
        )
    return _Header(width, height, mode in _COLOUR)


def _check_sizes(files: list[pathlib.Path], headers: list[_Header]) -> None:
    """Raises ValueError unless all images are of one size."""
    counts = collections.Counter(header[:2] for header in headers)
    (width, height), n_usual = counts.most_common(1)[0]
    if n_usual == len(files):
        return
    odd, header = next(
        (file, header)
        for file, header in zip(files, headers, strict=True)
        if header[:2] != (width, height)
    )
    raise ValueError(
        f"{odd} is {header.width} pixels wide and {header.height} high, but "
        f"{n_usual} of the {len(files)} images are {width} wide and {height} "
        "high. All must be of one size: crop or resize the others, for "
        f"instance with Pillow, Image.open(file).resize(({width}, {height}))"
        ".save(file)"
    )


def _decode(file: pathlib.Path, mode: str) -> np.ndarray:
    """Decodes an image, upright and opaque.

    Args:
        file: to read.
        mode: "L" or "RGB".

    Returns:
        uint8, shape (H, W) or (H, W, 3).
    """
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                black = Image.new("RGBA", image.size, (0, 0, 0, 255))
                image = Image.alpha_composite(black, image)
            return np.asarray(image.convert(mode))
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error


def _unreadable(file: pathlib.Path, error: Exception) -> ValueError:
    return ValueError(
        f"{file} cannot be read as an image ({error}): repair it or take it out"
    )
