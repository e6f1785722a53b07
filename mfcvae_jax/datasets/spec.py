# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a data set is, and every fact of the ones we know, stated once."""

import dataclasses
from typing import NamedTuple

import numpy as np

__all__ = [
    "DIGITS",
    "DIGITS_TINTED",
    "MNIST",
    "SHAPES3D_FLOOR",
    "SHAPES3D_RENDERED_FLOOR",
    "SHAPES3D_RENDERED_WALL",
    "SHAPES3D_WALL",
    "SVHN_CROPPED",
    "Dataset",
    "DatasetSpec",
    "Labeling",
    "Split",
]


@dataclasses.dataclass(frozen=True)
class Labeling:
    """One way of sorting the examples into classes, such as digit or hue.

    Attributes:
        name: what the classes are.
        n_classes: how many there are; labels run from 0 to n_classes - 1.
    """

    name: str
    n_classes: int


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """The facts of one data set.

    Attributes:
        name: the name it is loaded by, or that of its file.
        image_shape: (H, W, C).
        labelings: the M labelings, in the order of the columns of the labels.
    """

    name: str
    image_shape: tuple[int, int, int]
    labelings: tuple[Labeling, ...]


class Split(NamedTuple):
    """The examples of one split, in a fixed order.

    Attributes:
        images: shape (N, H, W, C); uint8, where 255 means 1.0, or float32 in
            [0, 1].
        labels: int32, shape (N, M), one column for each labeling.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set, in memory or in memory-mapped files.

    Labels are for evaluation only; nothing in training reads them.
    """

    spec: DatasetSpec
    train: Split
    test: Split


_DIGIT = Labeling("digit", 10)
DIGITS = DatasetSpec("digits", (8, 8, 1), (_DIGIT,))
DIGITS_TINTED = DatasetSpec(
    "digits_tinted", (8, 8, 3), (_DIGIT, Labeling("hue", 5))
)
MNIST = DatasetSpec("mnist", (28, 28, 1), (_DIGIT,))
SVHN_CROPPED = DatasetSpec("svhn_cropped", (32, 32, 3), (_DIGIT,))


def _shapes3d(name: str, hue: str) -> DatasetSpec:
    """4800 images of 3D Shapes: one hue, scale, shape and orientation vary."""
    n_classes = {hue: 10, "scale": 8, "shape": 4, "orientation": 15}
    labelings = tuple(Labeling(*each) for each in n_classes.items())
    return DatasetSpec(name, (32, 32, 3), labelings)


SHAPES3D_FLOOR = _shapes3d("shapes3d_floor", "floor_hue")
SHAPES3D_WALL = _shapes3d("shapes3d_wall", "wall_hue")
SHAPES3D_RENDERED_FLOOR = _shapes3d("shapes3d_rendered_floor", "floor_hue")
SHAPES3D_RENDERED_WALL = _shapes3d("shapes3d_rendered_wall", "wall_hue")
