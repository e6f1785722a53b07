# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""3D Shapes in the paper's two configurations, original and drawn anew.

3D Shapes (Burgess & Kim, 2018) is one image of every combination of six
factors, 480000 in all. The paper takes 4800 of them: in configuration 1
("floor") the hues of wall and object are fixed, in configuration 2 ("wall")
those of floor and object; the rest varies. The images, 64x64, are brought to
32x32.

The original needs a prepared TFDS copy of the whole set. The rendered sets
need none: `shapes3d_rendered` draws the same scenes. They look alike, but they
are another data set, and results on them are no results on 3D Shapes.
"""

import itertools

import numpy as np

from mfcvae_jax.datasets import tfds_source
from mfcvae_jax.datasets.shapes3d_rendered import renderer
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec
from mfcvae_jax.datasets.splitting import random_split

__all__ = [
    "FACTORS",
    "combinations",
    "halve",
    "load_original",
    "load_rendered",
]

# Factor -> how many values it takes, in storage order: the last runs fastest.
FACTORS = {
    "floor_hue": 10,
    "wall_hue": 10,
    "object_hue": 10,
    "scale": 8,
    "shape": 4,
    "orientation": 15,
}
# The hue that varies -> the hues that are fixed, in the paper's
# configurations 1 and 2.
_FIXED = {
    "floor_hue": {"wall_hue": 5, "object_hue": 6},
    "wall_hue": {"floor_hue": 0, "object_hue": 6},
}
# Fixed for good: results on another split are results on another data set.
_SPLIT_SEED = 20210607


def load_original(dataset_spec: DatasetSpec, data_dir: str = "") -> Dataset:
    """Reads a configuration of the original from a prepared TFDS copy.

    All 480000 rows are read, because TFDS stores them shuffled, but only the
    images of the configuration are decoded and kept: uint8, (N, 32, 32, 3),
    labelled by the factors that vary. A random fifth is for testing.

    Args:
        dataset_spec: the configuration.
        data_dir: see `tfds_source.load`.

    Raises:
        FileNotFoundError: if no readable copy of the set is there, or a
            combination of factors is missing in it.
    """
    # Not at the top: see `tfds_source.prepared`.
    import tensorflow_datasets as tfds

    factors = combinations(**_FIXED[dataset_spec.labelings[0].name])
    # Combinations not found yet -> where in the configuration they belong.
    missing = {tuple(row): i for i, row in enumerate(factors.tolist())}
    images = np.empty((len(factors), *dataset_spec.image_shape), np.uint8)
    with tfds_source.prepared("shapes3d", data_dir) as builder:
        source = builder.as_data_source(
            decoders={"image": tfds.decode.SkipDecoding()}
        )["train"]
        decode = builder.info.features["image"].decode_example_np
        for row in tfds_source.rows(source):
            at = missing.pop(
                tuple(row[f"label_{name}"] for name in FACTORS), None
            )
            if at is not None:
                images[at] = halve(decode(row["image"]))
        if missing:
            first = dict(zip(FACTORS, next(iter(missing)), strict=True))
            raise ValueError(
                f"{len(missing)} of the {len(factors)} images of "
                f"{dataset_spec.name!r} are missing, the first has the factors "
                f"{first}"
            )
    return _split(dataset_spec, images, factors)


def load_rendered(dataset_spec: DatasetSpec) -> Dataset:
    """Draws a configuration, which takes some seconds; see `load_original`."""
    factors = combinations(**_FIXED[dataset_spec.labelings[0].name])
    return _split(dataset_spec, halve(renderer.render(factors)), factors)


def combinations(**fixed: int) -> np.ndarray:
    """Lists the combinations of factors, in storage order.

    Args:
        **fixed: the only value of a factor; the others take all of theirs.

    Returns:
        A row of values, in the order of `FACTORS`, for each combination, int32,
        shape (N, 6).
    """
    axes = [
        [fixed[name]] if name in fixed else range(n)
        for name, n in FACTORS.items()
    ]
    return np.array(list(itertools.product(*axes)), np.int32)


def halve(images: np.ndarray) -> np.ndarray:
    """Halves uint8 images of even size (..., H, W, C): means of 2x2 blocks.

    They are rounded to the nearest integer, halves upwards.
    """
    *batch, height, width, channels = images.shape
    blocks = images.reshape(*batch, height // 2, 2, width // 2, 2, channels)
    total = blocks.sum(axis=(-4, -2), dtype=np.uint16)
    return ((total + 2) // 4).astype(np.uint8)


def _split(
    dataset_spec: DatasetSpec, images: np.ndarray, factors: np.ndarray
) -> Dataset:
    """Splits a configuration, labeled by the factors of its labelings."""
    names = list(FACTORS)
    columns = [names.index(each.name) for each in dataset_spec.labelings]
    train, test = random_split(images, factors[:, columns], _SPLIT_SEED)
    return Dataset(dataset_spec, train, test)
