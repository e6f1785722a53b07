# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Reads users' images from a folder of picture files.

`folder_tree` says which files are read, and their classes, which make a
labeling called "folder", and splits. docs/your_images.md says what is made of
each kind of image: colour means the kind of file, so one that is RGB or has a
palette is in colour, even if it shows nothing but grey.
"""

import collections
import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from absl import logging
from PIL import Image, ImageOps

from mfcvae_jax.datasets import arrays, folder_tree
from mfcvae_jax.datasets.spec import Dataset

__all__ = ["load_folder"]

_GREY = {"1", "L", "LA", "La"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"}
# Exif's tag, and its values for photos that lie.
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)


def load_folder(path: str) -> Dataset:
    """Reads a data set from a folder of images.

    Returns:
        The data set, named after the folder; images uint8, shape (N, H, W, 1)
        or (N, H, W, 3).

    Raises:
        FileNotFoundError: if there is no such folder, or no image in it.
        ValueError: if an image cannot be read, or their sizes differ.
    """
    folder = arrays.existing(path, "folder")
    logging.info("Reading the images in %s", folder)
    files, labels, is_test = folder_tree.find(folder)
    names = None if labels is None else np.array(["folder"])
    sizes, modes = zip(*map(_size_and_mode, files), strict=True)
    _check_sizes(files, sizes)
    mode = "L" if _GREY.issuperset(modes) else "RGB"
    width, height = sizes[0]
    images = np.empty((len(files), height, width, len(mode)), np.uint8)
    for i, file in enumerate(files):
        images[i] = _decode(file, mode)
    return arrays.as_dataset(folder, images, labels, names, is_test)


def _size_and_mode(file: pathlib.Path) -> tuple[tuple[int, int], str]:
    """Reads width and height, upright, and Pillow's mode."""
    with _opened(file) as image:
        n_frames = getattr(image, "n_frames", 1)
        mode, size, kind = image.mode, image.size, image.format
        # Pillow gives the size of a TIFF upright, of others as stored.
        if image.getexif().get(_ORIENTATION) in _LYING:
            size = ImageOps.exif_transpose(image).size
    if n_frames > 1 and kind != "MPO":
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
    return size, mode


def _check_sizes(
    files: list[pathlib.Path], sizes: Sequence[tuple[int, int]]
) -> None:
    """Raises ValueError unless all images are of one size."""
    (usual, n_usual), *others = collections.Counter(sizes).most_common()
    if not others:
        return
    i = next(i for i, size in enumerate(sizes) if size != usual)
    raise ValueError(
        f"{files[i]} is {sizes[i][0]} pixels wide and {sizes[i][1]} high, but "
        f"{n_usual} of the {len(files)} images are {usual[0]} wide and "
        f"{usual[1]} high. All must be of one size: crop or resize the others, "
        f"for instance with Pillow, Image.open(file).resize({usual}).save(file)"
    )


def _decode(file: pathlib.Path, mode: str) -> np.ndarray:
    """Decodes an image, upright and opaque, to shape (H, W, 1 or 3)."""
    with _opened(file) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data:
            opaque = arrays.on_black(np.asarray(image.convert("RGBA")))
            image = Image.fromarray(opaque)
        return np.atleast_3d(np.asarray(image.convert(mode)))


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[Image.Image]:
    """Opens an image; whatever the block raises names the file."""
    try:
        with Image.open(file) as image:
            yield image
    # What Pillow raises depends on where the damage is.
    except Exception as error:
        raise ValueError(
            f"{file} cannot be read as an image ({error}): repair it or take "
            "it out"
        ) from error
