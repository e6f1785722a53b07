# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Anyone's images, from a folder of picture files.

::

    mine/cat/001.png        mine/001.png        mine/train/cat/001.png
    mine/cat/002.png   or   mine/002.png   or   mine/train/dog/001.png
    mine/dog/001.png                            mine/test/cat/001.png

Sub-folders are the classes of a labeling called "folder", numbered in the
order of their names; images directly in the folder have no labels. All have to
be of one size. They are taken in the order of their paths, and a fixed random
fifth of them is set aside for testing. Where the only folders at the top are
`train` and `test`, they are the splits, and the classes lie below them; `val`
serves as `test` if there is no `test`, and is not used if there is.

Grey images make one channel. If any is in colour, all become RGB. Colour
means the kind of file: one that is RGB or has a palette is in colour, even if
it shows nothing but grey. What is transparent is laid on black. Photos are
turned upright, and of a phone's two pictures in one file (MPO) the first is
taken. Hidden files and files of other kinds are left out; an image that cannot
be read is not.

Links are followed, and every picture is read once, however many links lead to
it.
"""

import collections
import os
import pathlib
import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from absl import logging
from PIL import Image, ImageOps

from mfcvae_jax.datasets import arrays
from mfcvae_jax.datasets.spec import Dataset

__all__ = ["ENDINGS", "load_folder"]

# Read if Pillow knows them here: some need a library or a plugin.
ENDINGS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp"),
    *(".bmp", ".gif", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm"),
    *(".jp2", ".avif", ".heic", ".heif"),
)
# Pictures, too, which users must turn into one of the others.
_OTHER_PICTURES = (
    *(".svg", ".psd", ".xcf", ".eps", ".ico", ".tga", ".jxl", ".exr", ".hdr"),
    *(".dcm", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"),
)
_GREY = {"1", "L", "LA", "La"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"}
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
# Exif's tag, and its values for photos that lie.
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
_SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation"),
}


class _Picture(NamedTuple):
    """A file, and the folders that it lies in, below the folder of its split.

    Attributes:
        file: to read.
        split: "train", "test" or "val"; "" if no folder says so.
        folders: the first is its class.
    """

    file: pathlib.Path
    split: str
    folders: tuple[str, ...]


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
    folder = arrays.existing(path, "folder")
    logging.info("Reading the images in %s", folder)
    pictures, is_test = _split(folder, _pictures(folder))
    labels, names = _labels(folder, pictures)
    files = [picture.file for picture in pictures]
    headers = [_header(file) for file in files]
    _check_sizes(files, headers)
    mode = "RGB" if any(header.is_colour for header in headers) else "L"
    shape = (headers[0].height, headers[0].width, len(mode))
    images = np.empty((len(files), *shape), np.uint8)
    for i, file in enumerate(files):
        images[i] = _decode(file, mode)
    return arrays.as_dataset(folder, images, labels, names, is_test)


def _pictures(folder: pathlib.Path) -> list[pathlib.Path]:
    """The images in the folder and below, in the order of their paths."""
    Image.init()
    readable = set(ENDINGS) & set(Image.registered_extensions())
    files, unread, others = [], [], []
    for file in _files(folder):
        ending = file.suffix.lower()
        if ending in readable:
            files.append(file)
        elif ending in (*ENDINGS, *_OTHER_PICTURES):
            unread.append(file)
        else:
            others.append(file)
    counts = collections.Counter(file.suffix.lower() for file in unread)
    of_kinds = ", ".join(f"{n} {ending}" for ending, n in counts.most_common())
    mend = (
        f"{of_kinds}. Files of these kinds are not read here: save them in "
        "another, such as .png"
    )
    if unread and not files:
        raise ValueError(
            f"data.path: the pictures in {folder.absolute()} are {mend}"
        )
    if not files:
        raise FileNotFoundError(
            f"data.path: no image in {folder.absolute()} or below, only "
            f"{len(others)} other files; expected names that end in "
            f"{', '.join(sorted(readable))}"
        )
    if unread:
        logging.warning("%d pictures are left out, %s", len(unread), mend)
    if others:
        logging.info(
            "%d files that are no images are left out, such as %s",
            *(len(others), min(others)),
        )
    return files


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Every visible file in the folder and below, by path, each of them once.

    What is there goes before what is linked, and of several links the first in
    the order of the paths counts. A link to a folder around the top is not
    followed: what lies beside the top is not meant.
    """
    files: list[pathlib.Path] = []
    links: list[pathlib.Path] = []
    again: list[pathlib.Path] = []
    seen = set(folder.resolve().parents)
    waiting = [folder]
    while waiting:
        # A folder that may not be read would be left out without a word.
        for root, folders, names in os.walk(waiting.pop(0), onerror=_raise):
            at = pathlib.Path(root)
            identity = at.resolve()
            folders[:] = sorted(n for n in folders if not n.startswith("."))
            if identity in seen:
                folders.clear()
                again.append(at)
                continue
            seen.add(identity)
            waiting += [at / n for n in folders if (at / n).is_symlink()]
            for file in (at / n for n in names if not n.startswith(".")):
                (links if file.is_symlink() else files).append(file)

    def by_path(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
        return sorted(paths, key=lambda path: path.relative_to(folder).parts)

    targets = {file.resolve() for file in files} if links else set()
    for link in by_path(links):
        target = link.resolve()
        (again if target in targets else files).append(link)
        targets.add(target)
    if again:
        logging.warning(
            "%d links are left out, as they lead to what is read anyway, such "
            "as %s",
            *(len(again), min(again)),
        )
    return by_path(files)


def _raise(error: OSError) -> None:
    raise error


def _split(
    folder: pathlib.Path, files: list[pathlib.Path]
) -> tuple[list[_Picture], np.ndarray | None]:
    """Tells folders of splits from folders of classes.

    Returns:
        The pictures to read, and which are for testing, bool, shape (N,); None
        if no folder says so.
    """
    parts = [file.relative_to(folder).parts[:-1] for file in files]
    split_of = {name: key for key, names in _SPLITS.items() for name in names}
    found = [split_of.get(p[0].lower(), "") if p else "" for p in parts]
    if not all(found):
        plain = zip(files, parts, strict=True)
        return [_Picture(file, "", p) for file, p in plain], None
    below = zip(files, found, parts, strict=True)
    pictures = [_Picture(file, key, p[1:]) for file, key, p in below]
    counts = collections.Counter(found)
    logging.info("splits: %s", dict(counts))
    if len(counts) == 1:
        return pictures, None
    if "train" not in counts:
        raise ValueError(
            f"{folder}: there are folders of images to test on, but none of "
            f"images to train on: expected {folder / 'train'}"
        )
    if "test" in counts and counts["val"]:
        logging.warning(
            "%s: the %d images for validation are not used, as nothing is "
            "chosen by them",
            *(folder, counts["val"]),
        )
        pictures = [each for each in pictures if each.split != "val"]
    return pictures, np.array([each.split != "train" for each in pictures])


def _labels(
    folder: pathlib.Path, pictures: list[_Picture]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The labels, shape (N,), and the name of the labeling, if there is one."""
    without = [each.file for each in pictures if not each.folders]
    if len(without) == len(pictures):
        return None, None
    if without:
        raise ValueError(
            f"{folder}: {without[0].relative_to(folder)} and "
            f"{len(without) - 1} more images are in no sub-folder, but "
            f"{len(pictures) - len(without)} are: move all of them into "
            "sub-folders, which are the classes, or none"
        )
    classes, labels = np.unique(
        [each.folders[0] for each in pictures], return_inverse=True
    )
    named = ", ".join(f"{i} = {name}" for i, name in enumerate(classes))
    logging.info("classes: %s", named)
    return labels, np.array(["folder"])


def _header(file: pathlib.Path) -> _Header:
    """Reads the size, upright, and the kind of an image."""
    try:
        with Image.open(file) as image:
            n_frames = getattr(image, "n_frames", 1)
            mode, size, kind = image.mode, image.size, image.format
            # Pillow gives the size of a TIFF upright, of others as stored.
            if image.getexif().get(_ORIENTATION) in _LYING:
                size = ImageOps.exif_transpose(image).size
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error
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
    return _Header(*size, mode in _COLOUR)


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
        uint8, shape (H, W, 1) or (H, W, 3).
    """
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.has_transparency_data:
                opaque = arrays.on_black(np.asarray(image.convert("RGBA")))
                image = Image.fromarray(opaque)
            return np.atleast_3d(np.asarray(image.convert(mode)))
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error


def _unreadable(file: pathlib.Path, error: Exception) -> ValueError:
    return ValueError(
        f"{file} cannot be read as an image ({error}): repair it or take it out"
    )
