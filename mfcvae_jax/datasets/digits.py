# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's handwritten digits, grey, and tinted in five hues.

Both come with scikit-learn: nothing to download. They are what the toy runs and
the tests train on. The tinted set has two labelings that know nothing of each
other, so it is the smallest on which a second facet has something to find.
"""

import numpy as np
from sklearn import datasets as sklearn_datasets

from mfcvae_jax.datasets import spec
from mfcvae_jax.datasets.spec import Dataset, Split
from mfcvae_jax.datasets.splitting import shuffled

__all__ = ["HUES", "load_digits", "load_digits_tinted", "tint"]

# The strongest channel of every hue is 1, so the greatest channel of a tinted
# pixel is its grey value, exactly; the weakest is 0.3, because fully saturated
# blue on black is hard to see.
HUES = {
    "red": (1.0, 0.3, 0.3),
    "yellow": (1.0, 0.92, 0.3),
    "green": (0.3, 1.0, 0.5),
    "blue": (0.3, 0.58, 1.0),
    "violet": (0.86, 0.3, 1.0),
}

# Fixed for good: results on another split are results on another data set.
_SPLIT_SEED = 20210605
_HUE_SEED = 20211206


def load_digits() -> Dataset:
    """Loads the grey digits, 1438 to train on and 359 to test on.

    The 8x8 images count ink from 0 to 16; here they are divided by 16. The
    split is stratified: a fifth of every class, rounded, is set aside for
    testing by a fixed draw. Within a split the examples keep scikit-learn's
    order. Images are float32 in [0, 1], shape (N, 8, 8, 1).
    """
    bunch = sklearn_datasets.load_digits()
    images = (bunch.images / 16.0).astype(np.float32)[..., np.newaxis]
    labels = bunch.target.astype(np.int32)[:, np.newaxis]
    order = shuffled(_SPLIT_SEED, bunch.target)
    is_test = np.zeros(len(labels), bool)
    for digit in range(10):
        members = order[bunch.target[order] == digit]
        is_test[members[: round(len(members) / 5)]] = True
    return Dataset(
        spec=spec.DIGITS,
        train=Split(images[~is_test], labels[~is_test]),
        test=Split(images[is_test], labels[is_test]),
    )


def load_digits_tinted() -> Dataset:
    """Loads the digits of `load_digits`, each drawn in one of five hues.

    Split and order are those of the grey digits. Hues are dealt out in turn
    over a fixed shuffle of each class, so that within a class the counts of
    two hues differ by at most one: the digit says nothing about the hue, by
    construction and not only on average. Images are float32 in [0, 1], shape
    (N, 8, 8, 3); labels are the digit and the hue, an index into `HUES`.
    """
    digits = load_digits()
    return Dataset(
        spec=spec.DIGITS_TINTED,
        train=_tint_split(digits.train, _HUE_SEED),
        test=_tint_split(digits.test, _HUE_SEED + 1),
    )


def tint(grey: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """Draws grey images in colour: each pixel is grey times the hue's colour.

    The black ground stays black. `tint(grey, hue).max(-1)` is grey again.

    Args:
        grey: images in [0, 1], float32, shape (N, H, W, 1).
        hue: indices into `HUES`, shape (N,).
    """
    colours = np.array(list(HUES.values()), np.float32)
    return grey * colours[hue][:, np.newaxis, np.newaxis, :]


def _tint_split(split: Split, seed: int) -> Split:
    digit = split.labels[:, 0]
    hue = np.empty_like(digit)
    # One deal for the whole split, not one for each class: starting over at
    # each class would make the first hues the most frequent.
    hue[shuffled(seed, digit)] = np.arange(len(digit)) % len(HUES)
    return Split(tint(split.images, hue), np.stack([digit, hue], axis=1))
