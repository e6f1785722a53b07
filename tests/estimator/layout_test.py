# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What arrays are to the model: units, channels, columns, and back."""

import re

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets, preprocessing

from mfcvae_jax.estimator.layout import layout_of
from tests.estimator.small_fits import IMAGES

UNIT = IMAGES / 16
BYTES = np.uint8(255 * UNIT)
COLOURS = np.uint8(np.random.default_rng(0).integers(0, 256, (40, 6, 7, 3)))
TABLE = datasets.load_wine().data


def seen(x):
    """What the model sees of the training set, as floats."""
    images = layout_of(x).to_model(x)
    return images / 255 if images.dtype == np.uint8 else images


def spoilt(x, where, value):
    x = x.copy()
    x[where] = value
    return x


@pytest.mark.parametrize(
    "x", [IMAGES, UNIT, BYTES, BYTES // 20, TABLE, UNIT[..., None], COLOURS]
)
def test_round_trip(x):
    layout = layout_of(x)
    images = layout.to_model(x)
    assert images.shape == (len(x), *layout.image_shape)
    back = layout.from_model(seen(x))
    np.testing.assert_allclose(back, x, rtol=1e-5, atol=1e-3)
    assert back.dtype == (np.uint8 if x.dtype == np.uint8 else np.float32)


class TestUnits:
    @pytest.mark.parametrize(
        "x", [IMAGES, 8 - IMAGES, np.int64(IMAGES), UNIT / 20, 7 + UNIT / 20]
    )
    def test_extremes_are_black_and_white(self, x):
        images = layout_of(x).to_model(x)
        assert (images.min(), images.max()) == (0.0, 1.0)
        assert images.dtype == np.float32

    @pytest.mark.parametrize(
        "x", [np.float32(0.2 + UNIT / 2), BYTES, BYTES // 3 + 3]
    )
    def test_what_uses_a_quarter_of_the_range_stays(self, x):
        images = layout_of(x).to_model(x)
        assert images.dtype == x.dtype
        np.testing.assert_array_equal(images[..., 0], x)

    @pytest.mark.parametrize("factor", [1, 16])
    def test_bytes_that_use_less_are_as_the_same_floats(self, factor):
        x = np.uint8(UNIT * factor)
        np.testing.assert_array_equal(seen(x), seen(np.float64(x) * 3))

    @pytest.mark.parametrize(
        "where", [(5, 3, 2), (slice(None), 3, 2)], ids=["spike", "stuck"]
    )
    @pytest.mark.parametrize("value", [1e4, -1e4, 1e30])
    def test_hot_pixels_leave_the_others_as_they_are(self, where, value):
        x = spoilt(IMAGES, where, value)
        with pytest.warns(UserWarning, match=r"such as X\[\d+, 3, 2\] = "):
            images = seen(x)
        expected = spoilt(UNIT[..., None], where, float(value > 0))
        np.testing.assert_allclose(images, expected, atol=1e-6)

    def test_a_hot_byte(self):
        x = spoilt(np.uint8(IMAGES), (5, 3, 2), 255)
        with pytest.warns(UserWarning, match="1 of 300 images .* = 255"):
            images = seen(x)
        expected = spoilt(UNIT, (5, 3, 2), 1.0)
        np.testing.assert_allclose(images[..., 0], expected, atol=1e-6)

    def test_an_image_may_be_brighter_than_the_rest(self):
        x = np.concatenate([IMAGES / 3, IMAGES[1:2]])
        np.testing.assert_allclose(seen(x)[..., 0], x / 16, atol=1e-6)

    def test_two_images_need_not_share_a_value(self):
        x = np.stack([0.3 * UNIT[0], 0.4 + 0.1 * UNIT[1]])
        layout = layout_of(x)
        assert (layout.offset, layout.scale) == pytest.approx((0.0, 0.5))
        layout.to_model(x)  # is in units that it knows

    @pytest.mark.parametrize(
        ("x", "other", "fitted_to"),
        [
            (UNIT, 255 * UNIT, r"from 0 to 1: .* by X / 255"),
            (UNIT, BYTES, r"from 0 to 1: .* by X / 255"),
            (UNIT, 2 * UNIT - 1, "from 0 to 1"),
            (IMAGES, BYTES, "from 0 to 16"),
            (IMAGES, 1000 * UNIT, "from 0 to 16"),
            (BYTES, UNIT, r"from 0 to 255: .* by 255 \* X"),
            (np.uint8(IMAGES), BYTES, "from 0 to 16"),
        ],
    )
    def test_other_units_are_refused(self, x, other, fitted_to):
        layout = layout_of(x)
        for given in (other, other[:1]):
            came = f"from {given.min():g} to {given.max():g}"
            with pytest.raises(ValueError, match=f"{came}.* {fitted_to}"):
                layout.to_model(given)

    @pytest.mark.parametrize(
        ("x", "other"),
        [(255 * UNIT, UNIT), (IMAGES, UNIT), (BYTES, BYTES // 128)],
    )
    def test_much_fainter_images_get_a_warning(self, x, other):
        with pytest.warns(UserWarning, match="0 to 1, with far less contrast"):
            layout_of(x).to_model(other)

    @pytest.mark.parametrize("x", [UNIT, IMAGES, BYTES])
    def test_no_word_where_units_may_be_the_same(self, x):
        layout = layout_of(x)
        half = x // 2 if x.dtype == np.uint8 else x / 2
        for other in (half, 0 * x, x[:1], x.max() - x, x + x[:1] // 3):
            images = layout.to_model(other)
            assert images.min() >= 0
            assert images.max() <= (255 if images.dtype == np.uint8 else 1)

    def test_bytes_and_the_same_numbers_as_floats_are_alike(self):
        layout = layout_of(BYTES)
        np.testing.assert_allclose(
            layout.to_model(BYTES.astype(float)), BYTES[..., None] / 255
        )


class TestChannels:
    @pytest.mark.parametrize(
        "shape", [(9, 3, 6, 7), (9, 1, 8, 6), (9, 4, 8, 8)]
    )
    def test_colours_first_are_refused(self, shape):
        x = np.random.default_rng(0).random(shape)
        mend = r"write np.moveaxis\(X, 1, -1\)"
        with pytest.raises(
            ValueError, match=f"{re.escape(str(shape))}.*{mend}"
        ):
            layout_of(x)
        with pytest.raises(ValueError, match=mend):
            layout_of(np.moveaxis(x, 1, -1)[..., :3]).to_model(x[:, :3])

    def test_opacity_is_laid_on_black_as_pillow_does(self):
        alpha = np.where(np.arange(7) < 4, 255, 100).astype(np.uint8)
        x = np.concatenate(
            [COLOURS, np.broadcast_to(alpha[:, None], (40, 6, 7, 1))], -1
        )
        black = Image.new("RGBA", (7, 6), (0, 0, 0, 255))
        expected = [
            np.asarray(Image.alpha_composite(black, Image.fromarray(image)))
            for image in x
        ]
        layout = layout_of(x)
        found = layout.to_model(x)
        np.testing.assert_allclose(
            found.astype(int), np.stack(expected)[..., :3], atol=1
        )
        np.testing.assert_allclose(
            seen(x / np.float32(255)), found / np.float32(255), atol=0.003
        )
        # And so are later images, whatever their opacity.
        np.testing.assert_array_equal(
            layout.to_model(x[:, :, 4:][:, :, [0] * 7]), found[:, :, [4] * 7]
        )

    def test_grey_and_opacity(self):
        x = np.stack([BYTES, np.full_like(BYTES, 255)], axis=-1)
        assert layout_of(x).example_shape == (8, 8, 1)
        np.testing.assert_array_equal(seen(x), BYTES[..., None] / 255)

    @pytest.mark.parametrize("n", [2, 4, 5, 13])
    def test_other_channels_are_colours(self, n):
        x = np.random.default_rng(0).random((30, 6, 6, n)) * 0.9
        np.testing.assert_allclose(seen(x), x, atol=1e-6)


class TestTable:
    def test_columns_are_standardised(self):
        constant = np.column_stack([TABLE, np.full(len(TABLE), 0.1)])
        expected = preprocessing.StandardScaler().fit_transform(constant)
        np.testing.assert_allclose(
            seen(constant)[:, 0, :, 0], expected, atol=1e-5
        )
        back = layout_of(constant).from_model(np.ones((1, 1, 14, 1)))
        assert back[0, -1] == np.float32(0.1)

    @pytest.mark.parametrize("value", [1e30, -9.96921e36, 1e300, 1e10])
    def test_missing_value_codes_are_refused(self, value):
        with pytest.raises(ValueError, match=r"X\[7, 3\] is .*missing value"):
            layout_of(TABLE).to_model(spoilt(TABLE, (7, 3), value))

    def test_far_values_get_a_warning(self):
        x = spoilt(TABLE, (7, 3), -9999.0)
        with pytest.warns(UserWarning, match=r"X\[7, 3\] is -9999"):
            assert np.isfinite(layout_of(TABLE).to_model(x)).all()

    def test_a_code_that_hides_its_column_in_training(self):
        x = spoilt(TABLE, (7, 3), 1e30)
        with pytest.warns(UserWarning, match=r"X\[7, 3\] is 1e\+30, but ne"):
            layout_of(x)

    def test_a_column_that_is_no_longer_constant(self):
        layout = layout_of(spoilt(TABLE, (slice(None), 3), 5.0))
        with pytest.warns(UserWarning, match="column 3 was 5 .* 15.6 in row 0"):
            images = layout.to_model(TABLE)
        assert not images[..., 3, :].any()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.ones((20, 8, 8)), "X is constant: all 20 examples"),
        (np.ones((20, 5)), "X is constant"),
        (IMAGES[:, None, None], r"table of shape \(N, D\)"),
        (np.zeros((20, 8, 0)), "table of shape"),
        (np.outer(np.arange(20), [1e300, 1.0]), "column 0"),
    ],
)
def test_nothing_to_fit_to(x, expected):
    with pytest.raises(ValueError, match=expected):
        layout_of(x)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (IMAGES.reshape(-1, 64), r"write X.reshape\(-1, 8, 8\)"),
        (IMAGES[0], r"\(N, 8, 8\), got \(8, 8\): write X\[np.newaxis"),
        (IMAGES[:, 2:], r"shape \(N, 8, 8\), got \(300, 6, 8\)$"),
        (IMAGES.reshape(-1, 4, 16), r"got \(300, 4, 16\)$"),
    ],
)
def test_other_shapes(x, expected):
    with pytest.raises(ValueError, match=expected):
        layout_of(IMAGES).to_model(x)
