# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Finds the images in a folder, and their classes and splits.

::

    mine/cat/001.png        mine/001.png        mine/train/cat/001.png
    mine/cat/002.png   or   mine/002.png   or   mine/train/dog/001.png
    mine/dog/001.png                            mine/test/cat/001.png

Sub-folders are classes, numbered in the order of their names; images directly
in the folder have none. Where the only folders at the top are splits, the
classes lie below them. docs/your_images.md says more.
"""

import collections
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from absl import logging
from PIL import Image

__all__ = ["ENDINGS", "Pictures", "find"]

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
# The name of a folder, in lower case -> the split it is.
_SPLIT_OF = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}


class Pictures(NamedTuple):
    """The images of a folder, in the order of their paths.

    Attributes:
        files: to read, N of them.
        labels: the class of each, from 0 on, shape (N,); None without classes.
        is_test: which are for testing, bool, shape (N,); None if no folder
            says so.
    """

    files: list[pathlib.Path]
    labels: np.ndarray | None
    is_test: np.ndarray | None


def find(folder: pathlib.Path) -> Pictures:
    """Finds the images in a folder and below.

    Raises:
        FileNotFoundError: if there is no image.
        ValueError: if there are only kinds of pictures that are not read here,
            or some images are in a class, or for training, and others not.
    """
    files = _pictures(folder)
    parts = [file.relative_to(folder).parts[:-1] for file in files]
    splits = [_SPLIT_OF.get(p[0].lower()) if p else None for p in parts]
    is_test = None
    if all(splits):
        used = _used_splits(folder, collections.Counter(splits))
        kept = [i for i, split in enumerate(splits) if split in used]
        files = [files[i] for i in kept]
        parts = [parts[i][1:] for i in kept]
        if len(used) == 2:
            is_test = np.array([splits[i] != "train" for i in kept])
    return Pictures(files, _labels(folder, files, parts), is_test)


def _pictures(folder: pathlib.Path) -> list[pathlib.Path]:
    """The images in the folder and below, in the order of their paths."""
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
    kinds = ", ".join(f"{n} {ending}" for ending, n in counts.most_common())
    mend = f"{kinds}. Such files are not read here: save them as .png"
    if unread and not files:
        raise ValueError(
            f"data.path: the pictures in {folder.absolute()} are {mend}"
        )
    if not files:
        raise FileNotFoundError(
            f"data.path: no image among the {len(others)} files in "
            f"{folder.absolute()} or below; expected names that end in "
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

    What is there goes before what is linked. A link to a folder around the top
    is not followed: what lies beside the top is not meant.
    """
    files: list[pathlib.Path] = []
    links: list[pathlib.Path] = []
    again: list[pathlib.Path] = []
    seen = {str(each) for each in folder.resolve().parents}
    waiting = [folder]
    while waiting:
        # A folder that may not be read would be left out without a word.
        for root, folders, names in os.walk(waiting.pop(0), onerror=_raise):
            at = pathlib.Path(root)
            identity = os.path.realpath(at)
            folders[:] = sorted(n for n in folders if not n.startswith("."))
            if identity in seen:
                folders.clear()
                again.append(at)
                continue
            seen.add(identity)
            waiting += [at / n for n in folders if (at / n).is_symlink()]
            for file in (at / n for n in names if not n.startswith(".")):
                (links if file.is_symlink() else files).append(file)
    targets = set(map(os.path.realpath, files)) if links else set()
    for link in sorted(links):
        target = os.path.realpath(link)
        (again if target in targets else files).append(link)
        targets.add(target)
    if again:
        logging.warning(
            "%d links are left out, as they lead to what is read anyway, such "
            "as %s",
            *(len(again), min(again)),
        )
    return sorted(files)


def _raise(error: OSError) -> None:
    raise error


def _used_splits(
    folder: pathlib.Path, counts: Mapping[str | None, int]
) -> set[str | None]:
    """Which splits are read, given how many images each has."""
    logging.info("splits: %s", dict(counts))
    if len(counts) == 1:
        return set(counts)
    if "train" not in counts:
        raise ValueError(
            f"{folder}: there are folders of images to test on, but none of "
            f"images to train on: expected {folder / 'train'}"
        )
    if "test" not in counts:
        return {"train", "val"}
    if "val" in counts:
        logging.warning(
            "%s: the %d images for validation are not used, as nothing is "
            "chosen by them",
            *(folder, counts["val"]),
        )
    return {"train", "test"}


def _labels(
    folder: pathlib.Path,
    files: list[pathlib.Path],
    folders: list[tuple[str, ...]],
) -> np.ndarray | None:
    """The labels, shape (N,), if the images are in classes."""
    without = [f for f, parts in zip(files, folders, strict=True) if not parts]
    if len(without) == len(files):
        return None
    if without:
        raise ValueError(
            f"{folder}: {without[0].relative_to(folder)} and "
            f"{len(without) - 1} more images are in no sub-folder, but "
            f"{len(files) - len(without)} are: move all of them into "
            "sub-folders, which are the classes, or none"
        )
    classes, labels = np.unique([p[0] for p in folders], return_inverse=True)
    named = ", ".join(f"{i} = {name}" for i, name in enumerate(classes))
    logging.info("classes: %s", named)
    return labels
