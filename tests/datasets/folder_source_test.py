# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of a folder of images: what is made of each kind, faults by name."""

import pathlib
import warnings

import numpy as np
import pytest
from absl.testing import parameterized
from PIL import Image

from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import DatasetSpec, Labeling

_HEIGHT, _WIDTH = 4, 6
# Exif's orientation -> how to turn the stored rows to see the picture upright.
_UPRIGHT = {
    1: lambda rows: rows,
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.swapaxes(0, 1),
    6: lambda rows: np.rot90(rows, -1),
    7: lambda rows: rows[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


def _array(value, *channels):
    """An image of one value, but for the pixel in its upper left corner."""
    array = np.full((_HEIGHT, _WIDTH, *channels), value, np.uint8)
    array[0, 0] = 255
    return array


class FolderTest(parameterized.TestCase):
    @pytest.fixture(autouse=True)
    def in_a_folder(self, tmp_path):
        self.folder = tmp_path / "mine"
        self.folder.mkdir()

    def save(self, name, image, **options):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        image.save(path, **options)
        return path

    def save_ten(self, *channels):
        for i in range(10):
            self.save(f"{i}.png", _array(10 * i, *channels))

    def load(self):
        return reader.load("folder", path=str(self.folder))

    def load_one(self, image, name="odd.png", **options):
        """What becomes of one image among nine black ones of its own kind."""
        for i in range(9):
            self.save(f"{i}{pathlib.Path(name).suffix}", image, **options)
        self.save(name, image, **options)
        return self.load().train.images[0]


class LoadTest(FolderTest):
    @parameterized.parameters((), (3,))
    def test_images_without_sub_folders_have_no_labels(self, *channels):
        self.save_ten(*channels)
        dataset = self.load()
        shape = (_HEIGHT, _WIDTH, *(channels or (1,)))
        self.assertEqual(dataset.spec, DatasetSpec("mine", shape, ()))
        self.assertLen(dataset.train.images, 8)
        both = np.concatenate([dataset.train.images, dataset.test.images])
        self.assertCountEqual(both[:, -1, -1, 0], range(0, 100, 10))
        np.testing.assert_array_equal(both[:, 0, 0], 255)

    def test_the_split_is_that_of_an_npz_in_the_order_of_the_paths(self):
        paths = [f"{a}/{b}.png" for a in ("x", "x-", "x1") for b in range(8)]
        for i, path in reversed(list(enumerate(paths))):
            self.save(path, _array(10 * i))
        npz = self.folder.parent / "mine.npz"
        np.savez(
            npz,
            images=np.stack([_array(10 * i) for i in range(24)]),
            labels=np.repeat([0, 1, 2], 8),
        )
        ours, theirs = self.load(), reader.load("npz", path=str(npz))
        self.assertEqual(ours.spec.labelings, (Labeling("folder", 3),))
        for got, expected in zip(
            (*ours.train, *ours.test),
            (*theirs.train, *theirs.test),
            strict=True,
        ):
            np.testing.assert_array_equal(got, expected, strict=True)

    @parameterized.parameters(
        *(".png", ".bmp", ".webp", ".gif", ".tif", ".ppm", ".PNG", ".pnm"),
        *(".apng", ".jp2"),
    )
    def test_formats_that_lose_nothing(self, ending):
        kinds = {".apng": {"format": "PNG"}, ".webp": {"lossless": True}}
        rng = np.random.default_rng(0)
        # So few colours that the palette of a GIF holds them all.
        array = rng.integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
        image = self.load_one(array, f"odd{ending}", **kinds.get(ending, {}))
        np.testing.assert_array_equal(image, array)

    @parameterized.parameters(".jpeg", ".JPG", ".jpe", ".jfif", ".mpo")
    def test_jpeg_loses_little(self, ending):
        array = np.full((_HEIGHT, _WIDTH), 90, np.uint8)
        image = self.load_one(array, f"odd{ending}", format="JPEG", quality=95)
        np.testing.assert_allclose(image[..., 0], 90.0, atol=2)


class KindsTest(FolderTest):
    """Each kind of pixel, beside what the definition of the kind says."""

    def test_bits_are_black_and_white(self):
        bits = np.eye(_HEIGHT, _WIDTH, dtype=bool)
        image = self.load_one(Image.fromarray(bits))
        np.testing.assert_array_equal(image[..., 0], 255 * bits)

    def test_grey_among_colours_becomes_rgb(self):
        self.save_ten()
        self.save("colour.png", _array(0, 3))
        train = self.load().train.images
        self.assertEqual(train.shape, (9, _HEIGHT, _WIDTH, 3))
        np.testing.assert_array_equal(train[..., 0], train[..., 2])

    @parameterized.parameters(None, 7)
    def test_palette_gives_its_colours_of_which_one_may_be_transparent(
        self, transparent
    ):
        indices = np.arange(_HEIGHT * _WIDTH, dtype=np.uint8)
        picture = Image.fromarray(indices.reshape(_HEIGHT, _WIDTH))
        picture = picture.convert("P")
        palette = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
        picture.putpalette(palette.tobytes())
        indices = np.asarray(picture)
        if transparent is not None:
            palette[transparent] = 0
            picture.info["transparency"] = transparent
        np.testing.assert_array_equal(self.load_one(picture), palette[indices])

    @parameterized.parameters(1, 3)
    def test_what_is_transparent_is_laid_on_black(self, n_channels):
        rng = np.random.default_rng(2)
        array = rng.integers(
            0, 256, (_HEIGHT, _WIDTH, n_channels + 1), np.uint8
        )
        array[0, :, -1], array[1, :, -1] = 0, 255
        image = self.load_one(array)
        expected = array[..., :-1] * (array[..., -1:] / 255)
        np.testing.assert_allclose(image, expected, atol=1)
        np.testing.assert_array_equal(image[0], 0)
        np.testing.assert_array_equal(image[1], array[1, :, :-1])

    def test_cmyk_becomes_rgb(self):
        # No cyan, no black, all magenta and yellow: red.
        picture = Image.new("CMYK", (_WIDTH, _HEIGHT), (0, 255, 255, 0))
        image = self.load_one(picture, "odd.tif")
        np.testing.assert_array_equal(image[0, 0], [255, 0, 0])


class UprightTest(FolderTest):
    @parameterized.parameters(
        *((".png", orientation, (4, 6)) for orientation in range(1, 9)),
        *((ending, 6, (4, 6)) for ending in (".jpg", ".webp", ".tif")),
        (".png", 6, (5, 5)),
    )
    def test_photos_are_turned_as_exif_says(self, ending, orientation, size):
        array = np.zeros((*size, 3), np.uint8)
        array[:2] = 255
        array[0, 0] = (255, 0, 0)
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"exif": exif, "lossless": True}
        if ending == ".tif":
            options = {"tiffinfo": exif}
        elif ending == ".jpg":
            options |= {"quality": 100, "subsampling": 0}
        image = self.load_one(array, f"odd{ending}", **options)
        np.testing.assert_allclose(
            image, _UPRIGHT[orientation](array), atol=2 * (ending == ".jpg")
        )

    def test_of_a_phones_two_pictures_the_first_is_taken(self):
        array = np.full((_HEIGHT, _WIDTH, 3), 200, np.uint8)
        image = self.load_one(
            array,
            "odd.jpg",
            format="MPO",
            save_all=True,
            append_images=[Image.new("RGB", (_WIDTH, _HEIGHT))],
        )
        np.testing.assert_array_equal(image, array)


class FaultsTest(FolderTest):
    def _refused(self, message):
        with self.assertRaisesRegex(ValueError, message):
            self.load()

    def test_odd_size_is_named_with_what_to_do(self):
        self.save_ten()
        self.save("0-odd.png", np.zeros((5, 9), np.uint8))
        self._refused(
            "0-odd.png is 9 pixels wide and 5 high, but 10 of the 11 images "
            r"are 6 wide and 4 high.*resize\(\(6, 4\)\)"
        )

    @parameterized.parameters(".png", ".jpg", ".bmp", ".webp", ".tif", ".gif")
    def test_image_cut_short(self, ending):
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
        for i in range(9):
            self.save(f"{i}{ending}", noise)
        path = self.save(f"odd{ending}", noise)
        content = path.read_bytes()
        cuts = (content[: len(content) // n] for n in (2, 3))
        for damaged in (b"", b"no image", *cuts):
            path.write_bytes(damaged)
            self._refused(f"odd{ending} cannot be read as an image.*repair")

    def test_damage_anywhere_is_an_error_that_names_the_file_or_none(self):
        self.save_ten()
        path = self.save("odd.png", _array(7))
        content = path.read_bytes()
        n_refused = 0
        for i in range(len(content)):
            damaged = bytearray(content)
            damaged[i] ^= 0xFF
            path.write_bytes(damaged)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's, of a huge size
                try:
                    self.load()
                except ValueError as error:
                    n_refused += 1
                    self.assertIn("odd.png", str(error))
        self.assertGreater(n_refused, len(content) // 2)

    def test_several_images_in_one_file(self):
        frames = [Image.fromarray(_array(i)) for i in (0, 9)]
        path = self.folder / "odd.gif"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        self._refused("odd.gif holds 2 images")

    @parameterized.parameters(
        (np.uint16, "I;16", ".png"),
        (np.int32, "I", ".tif"),
        (np.float32, "F", ".tif"),
    )
    def test_more_than_eight_bits(self, dtype, mode, ending):
        self.save(f"odd{ending}", np.full((4, 6), 40_000, dtype))
        self._refused(f"odd{ending}: its pixels are of mode '{mode}'.*Scale")
