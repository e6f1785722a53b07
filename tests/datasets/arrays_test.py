# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of what anyone's arrays must be: channels, pixels, labels, names."""

import pathlib

import numpy as np
from absl.testing import parameterized
from PIL import Image

from mfcvae_jax.datasets import arrays

_N = 20
_NOISE = np.random.default_rng(0).integers(0, 256, (_N, 4, 5, 3), np.uint8)
_TWO = np.stack([np.arange(_N) % 3, np.arange(_N) % 7], axis=1)


def _load(images, labels=None, names=None):
    return arrays.as_dataset(pathlib.Path("mine.npz"), images, labels, names)


def _images(dtype=np.uint8):
    """Images whose pixels all hold the image's index, times ten if bytes."""
    images = np.tile(np.arange(_N)[:, None, None], (1, 4, 5))
    scale = 10 if dtype == np.uint8 else 1 / _N
    return (images * scale).astype(dtype)


def _with(images, value, *where):
    images = images.copy()
    images[where] = value
    return images


class ChannelsTest(parameterized.TestCase):
    @parameterized.parameters(1, 3)
    def test_on_black_is_what_pillow_shows(self, n_channels):
        # Every byte under every opacity.
        value, opacity = np.indices((256, 256)).astype(np.uint8)
        picture = np.dstack([value] * n_channels + [opacity])
        black = Image.new("RGBA", (256, 256), (0, 0, 0, 255))
        shown = Image.alpha_composite(
            black, Image.fromarray(picture).convert("RGBA")
        )
        shown = np.asarray(shown)[..., :n_channels]
        np.testing.assert_array_equal(arrays.on_black(picture), shown)
        floats = arrays.on_black(np.float32(picture / 255))
        np.testing.assert_allclose(255 * floats, shown, atol=0.501)

    @parameterized.product(n=(2, 4), full=(np.uint8(255), np.float32(1)))
    def test_a_last_channel_that_is_full_at_times_is_opacity(self, n, full):
        # No byte is 1, and no float above 1.
        shares = np.random.default_rng(1).uniform(0.1, 1, (_N, 9, 9, n))
        images = (shares * full).astype(full.dtype)
        images[0, ..., -1] = full
        with self.assertLogs(level="WARNING") as said:
            got = arrays.as_images("here", images)
        self.assertRegex(
            said.output[0], rf"here: shape \(20, 9, 9, {n}\) has {n} channels"
        )
        np.testing.assert_array_equal(got, arrays.on_black(images))

    @parameterized.parameters((2, r"np.pad\(images"), (4, r"images\[..., :3\]"))
    def test_a_last_channel_that_is_never_full_is_no_opacity(self, n, mend):
        images = np.random.default_rng(0).random((_N, 8, 9, n))
        with self.assertRaisesRegex(ValueError, f"is no opacity.*{mend}"):
            _load(0.9 * images)

    @parameterized.parameters(
        ((3, 8, 9), r"\(20, 3, 8, 9\) looks like channels first"),
        ((1, 8, 9), r"like channels first, \(N, C, H, W\).*\(N, H, W, C\)"),
        ((4, 8, 9), r"like channels first.*images.transpose\(0, 2, 3, 1\)"),
        ((8, 9, 5), r"has 5 channels.*images\[..., :3\]"),
        ((8, 9, 100), r"has 100 channels.*np.moveaxis\(images, -1, 0\)"),
    )
    def test_other_shapes_are_refused_with_what_to_write(self, shape, message):
        with self.assertRaisesRegex(ValueError, message):
            _load(np.full((_N, *shape), 9, np.uint8))


class ContentTest(parameterized.TestCase):
    def _refused(self, message, *given):
        with self.assertRaisesRegex(ValueError, f"^mine.npz: .*{message}"):
            _load(*given)

    def test_doubles_that_are_0_or_1_in_single_precision(self):
        images = np.clip(_images(np.float64), 0.5, 0.6)
        images[0], images[1] = -1e-60, 1 + 1e-12
        dataset = _load(images)
        both = np.concatenate([dataset.train.images, dataset.test.images])
        self.assertEqual((both.min(), both.max()), (0.0, 1.0))

    def test_three_pictures_are_enough(self):
        self.assertLen(_load(_NOISE[:3]).test.images, 1)

    @parameterized.parameters(
        (np.zeros((_N, 20), np.uint8), r"\(N, H, W, C\), got \(20, 20\)"),
        (np.zeros((0, 4, 5)), r"\(0, 4, 5\) are empty"),
        (_images().astype(np.int32), "uint8.*or floats.*got int32"),
        (_images() * 1j, "got complex128"),
        (_images() > 90, "got bool"),
        (np.uint8(_images() > 90), "nothing but 0 and 1"),
        (
            _images().astype(float),
            r"'images'.*lie in \[0, 1\], found values from 0 to 190",
        ),
        (_images(float) - 0.5, "found values from -0.5 to 0.45"),
        (
            _with(_images(float), np.nan, 3, 2, 1),
            r"1 pixel values in 1 images are NaN or infinite; the first is "
            r"images\[3, 2, 1\]",
        ),
        (
            _with(_NOISE / 255, -np.inf, [5, 7], 2, 1),
            r"6 pixel values in 2 images.*first is images\[5, 2, 1, 0\]",
        ),
        (_images(float) * 1e300, "found values from 0 to 9.5e\\+299"),
        (_NOISE[:2], "2 images are too few. At least 3 are needed"),
    )
    def test_images(self, images, message):
        self._refused(message, images)

    @parameterized.parameters(
        (np.arange(3), r"for the N = 20 images, got \(3,\)"),
        (np.zeros((_N, 4, 5), int), r"got \(20, 4, 5\)"),
        (np.array(3), r"got \(\)"),
        (np.arange(_N) / 2, "must be integers, got float64.*np.unique"),
        (np.arange(_N) - 1, r"lie in \[0, 9999\], found values from -1 to 18"),
        (np.arange(_N) + 2**40, r"must lie in \[0, 9999\]"),
        (np.eye(7, dtype=int)[_TWO[:, 1]], r"\(20, 7\) are one-hot.*argmax"),
        (np.eye(2)[_TWO[:, 0] % 2], r"save labels.argmax\(axis=1\)"),
    )
    def test_labels(self, labels, message):
        self._refused(message, _NOISE, labels)

    @parameterized.parameters(
        (["kind"], r"the 2 labelings, all different; got \['kind'\]"),
        (["kind", "kind"], "all different"),
        ([1, 2], "label_names must be a list of strings, got int64"),
    )
    def test_names(self, names, message):
        self._refused(message, _NOISE, _TWO, np.array(names))

    def test_names_without_labels(self):
        self._refused("each of the 0 labelings", _NOISE, None, np.array(["a"]))
