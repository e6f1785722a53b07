# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of a folder of images: what is made of each kind, faults by name."""

import pathlib
import tempfile
import warnings
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image, ImageOps

from mfcvae_jax.datasets import reader
from mfcvae_jax.datasets.spec import Labeling

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
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder) / "mine"
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

    def load_values(self):
        """The image of each file but its corner, by the file's order."""
        dataset = self.load()
        images = np.concatenate([dataset.train.images, dataset.test.images])
        return images[:, -1, -1]

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
        self.assertEqual(dataset.spec.name, "mine")
        self.assertEqual(
            dataset.spec.image_shape, (_HEIGHT, _WIDTH, *(channels or (1,)))
        )
        self.assertEqual(dataset.spec.labelings, ())
        self.assertLen(dataset.train.images, 8)
        self.assertLen(dataset.test.images, 2)
        both = np.concatenate([dataset.train.images, dataset.test.images])
        self.assertCountEqual(both[:, -1, -1, 0], range(0, 100, 10))
        np.testing.assert_array_equal(both[:, 0, 0], 255)

    def test_sub_folders_are_classes_in_the_order_of_their_names(self):
        for i in range(24):
            # Written last to first; in "b", one level further down.
            name = ("b/deep", "a", "C")[i % 3]
            self.save(f"{name}/{99 - i}.png", _array(i))
        dataset = self.load()
        self.assertEqual(dataset.spec.labelings, (Labeling("folder", 3),))
        for split in (dataset.train, dataset.test):
            values = split.images[:, -1, -1, 0]
            np.testing.assert_array_equal(
                split.labels[:, 0], np.array([2, 1, 0])[values % 3]
            )

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
        for split in ("train", "test"):
            for got, expected in zip(
                getattr(ours, split), getattr(theirs, split), strict=True
            ):
                np.testing.assert_array_equal(got, expected, strict=True)

    @parameterized.parameters(
        *(".png", ".bmp", ".webp", ".gif", ".tif", ".ppm", ".PNG", ".pnm")
    )
    def test_formats_that_lose_nothing(self, ending):
        options = {"lossless": True} if ending == ".webp" else {}
        rng = np.random.default_rng(0)
        # So few colours that the palette of a GIF holds them all.
        array = rng.integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
        image = self.load_one(array, f"odd{ending}", **options)
        np.testing.assert_array_equal(image, array)

    def test_jpeg_loses_little(self):
        array = _array(90)
        array[0, 0] = 90
        image = self.load_one(array, "odd.jpeg", quality=95)
        np.testing.assert_allclose(image[..., 0], 90.0, atol=2)

    def test_hidden_files_and_others_are_left_out(self):
        self.save_ten()
        for name in (".x.png", ".cache/y.png"):
            self.save(name, _array(255))
        for name in ("notes.txt", "Thumbs.db", "._0.png"):
            (self.folder / name).write_text("no image")
        self.assertCountEqual(self.load_values()[:, 0], range(0, 100, 10))


class KindsTest(FolderTest):
    """Each kind of pixel, beside what the definition of the kind says."""

    def test_bits_are_black_and_white(self):
        bits = np.eye(_HEIGHT, _WIDTH, dtype=bool)
        image = self.load_one(Image.fromarray(bits))
        np.testing.assert_array_equal(image[..., 0], 255 * bits)

    def test_grey_among_colours_becomes_rgb(self):
        self.save_ten()
        self.save("colour.png", _array(0, 3))
        values = self.load_values()
        self.assertEqual(values.shape, (11, 3))
        np.testing.assert_array_equal(values[:, 0], values[:, 2])

    def test_palette_gives_its_colours(self):
        indices = np.arange(_HEIGHT * _WIDTH, dtype=np.uint8)
        picture = Image.fromarray(indices.reshape(_HEIGHT, _WIDTH))
        picture = picture.convert("P")
        palette = np.random.default_rng(1).integers(0, 256, (256, 3))
        picture.putpalette(palette.astype(np.uint8).tobytes())
        indices = np.asarray(picture)
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

    def test_transparent_colour_of_a_palette(self):
        picture = Image.fromarray(np.tile([[0, 1]], (4, 3)).astype(np.uint8))
        picture = picture.convert("P")
        palette = [200, 100, 50] * 256
        picture.putpalette(palette)
        picture.info["transparency"] = 1
        indices = np.asarray(picture)
        image = self.load_one(picture, transparency=1)
        np.testing.assert_array_equal(image[indices == 1], 0)
        np.testing.assert_array_equal(
            image[indices == 0], np.tile([200, 100, 50], (12, 1))
        )

    def test_cmyk_becomes_rgb(self):
        # No cyan, no black, all magenta and yellow: red.
        picture = Image.new("CMYK", (_WIDTH, _HEIGHT), (0, 255, 255, 0))
        image = self.load_one(picture, "odd.tif")
        np.testing.assert_array_equal(image[0, 0], [255, 0, 0])


class UprightTest(FolderTest):
    @parameterized.product(
        ending=[".jpg", ".png", ".webp", ".tif"],
        orientation=range(1, 9),
        size=[(4, 6), (5, 5)],
    )
    def test_photos_are_as_pillow_shows_them(self, ending, orientation, size):
        # One half is white, so that even JPEG cannot hide a turn.
        array = np.zeros((*size, 3), np.uint8)
        array[:2] = 255
        array[0, 0] = (255, 0, 0)
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"lossless": True} if ending == ".webp" else {}
        if ending == ".tif":
            options["tiffinfo"] = {0x0112: orientation}
        else:
            options["exif"] = exif
        image = self.load_one(array, f"odd{ending}", **options)
        with Image.open(self.folder / f"odd{ending}") as opened:
            shown = np.asarray(ImageOps.exif_transpose(opened))
        np.testing.assert_array_equal(image, shown)
        # Without loss it is the array, turned as Exif defines it.
        if ending != ".jpg":
            np.testing.assert_array_equal(image, _UPRIGHT[orientation](array))

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


class LinksTest(FolderTest):
    def setUp(self):
        super().setUp()
        for i in range(10):
            self.save(f"{'ab'[i % 2]}/{i}.png", _array(10 * i))

    def link(self, name, target):
        (self.folder / name).symlink_to(target)

    def values(self):
        return sorted(self.load_values()[:, 0])

    @parameterized.named_parameters(
        ("back_to_the_top", "a/all", "."),
        ("to_a_sibling", "a/b", "b"),
        ("to_what_holds_the_top", "b/up", ".."),
        ("to_itself", "b/self", "b"),
        ("to_a_picture", "a/same.png", "b/1.png"),
    )
    def test_links_back_are_left_out(self, name, target):
        self.save("../beside.png", _array(255))
        self.link(name, self.folder / target)
        with self.assertLogs(level="WARNING") as said:
            self.assertEqual(self.values(), list(range(0, 100, 10)))
        self.assertIn("1 links are left out", said.output[0])
        self.assertIn(name, said.output[0])

    def test_of_two_links_to_one_folder_the_first_is_a_class(self):
        self.save("../far/deep/x.png", _array(100))
        for name in ("d", "c"):
            self.link(name, self.folder.parent / "far")
        # Met from inside first.
        self.link("a/deep", self.folder.parent / "far" / "deep")
        with self.assertLogs(level="WARNING"):
            dataset = self.load()
        self.assertEqual(
            len(dataset.train.images) + len(dataset.test.images), 11
        )

    def test_what_is_there_goes_before_what_is_linked(self):
        # The link comes first by name; it must not become the class.
        self.link("0", self.folder / "b")
        with self.assertLogs(level="WARNING"):
            dataset = self.load()
        self.assertEqual(dataset.spec.labelings, (Labeling("folder", 2),))

    def test_folders_and_files_that_lie_elsewhere_are_read(self):
        self.save("../far/x.png", _array(100))
        self.save("../y.png", _array(110))
        self.link("c", self.folder.parent / "far")
        self.link("a/y.png", self.folder.parent / "y.png")
        self.assertEqual(self.values(), list(range(0, 120, 10)))


class EndingsTest(FolderTest):
    @parameterized.parameters(".jfif", ".jpe", ".JPG", ".mpo", ".apng", ".jp2")
    def test_other_names_of_known_kinds(self, ending):
        array = np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8)
        kind = {".apng": "PNG", ".jp2": "JPEG2000"}.get(ending, "JPEG")
        image = self.load_one(array, f"odd{ending}", format=kind)
        np.testing.assert_allclose(image, 90, atol=1)

    def test_pictures_that_are_not_read_are_counted_by_kind(self):
        self.save_ten()
        for name in ("a.HEIC", "b.heic", "c.svg", "notes.txt"):
            (self.folder / name).write_text("")
        with self.assertLogs(level="WARNING") as said:
            self.load()
        self.assertLen(said.output, 1)
        self.assertIn(
            "3 pictures are left out, 2 .heic, 1 .svg", said.output[0]
        )

    def test_nothing_but_such_pictures(self):
        (self.folder / "a.heic").write_text("")
        with self.assertRaisesRegex(
            ValueError, r"are 1 .heic. Files of these kinds.*such as .png"
        ):
            self.load()

    def test_kinds_that_pillow_lacks_here_are_not_read_either(self):
        self.save_ten()
        self.save("odd.webp", _array(255))
        known = Image.registered_extensions()
        lacking = {key: known[key] for key in known if key != ".webp"}
        with (
            mock.patch.object(Image, "EXTENSION", lacking),
            self.assertLogs(level="WARNING") as said,
        ):
            self.assertLen(self.load_values(), 10)
        self.assertIn("1 .webp", said.output[0])


class SplitsTest(FolderTest):
    """Folders of splits, with the pixels saying which split and class it is."""

    def save_all(self, *places):
        for i, place in enumerate(places):
            for k in range(4):
                self.save(f"{place}/{k}.png", _array(10 * i + k))

    def found(self, split):
        return sorted(split.images[:, -1, -1, 0].tolist())

    @parameterized.parameters(
        ("train", "test"),
        ("Training", "testing"),
        ("train", "val"),
        ("train", "valid"),
        ("train", "validation"),
    )
    def test_splits_are_no_classes(self, train, test):
        # "c" is in the test split alone.
        places = (f"{train}/a", f"{train}/b", f"{test}/b", f"{test}/c/deep")
        self.save_all(*places)
        dataset = self.load()
        self.assertEqual(dataset.spec.labelings, (Labeling("folder", 3),))
        self.assertEqual(
            self.found(dataset.train), [0, 1, 2, 3, 10, 11, 12, 13]
        )
        self.assertEqual(
            self.found(dataset.test), [20, 21, 22, 23, 30, 31, 32, 33]
        )
        for split in (dataset.train, dataset.test):
            np.testing.assert_array_equal(
                split.labels[:, 0],
                np.array([0, 1, 1, 2])[split.images[:, -1, -1, 0] // 10],
            )
        # Not class by class: the initialisation looks at the first images.
        self.assertGreater(np.diff(dataset.train.labels[:, 0] != 0).sum(), 1)

    def test_splits_without_classes(self):
        self.save_all("train", "test")
        dataset = self.load()
        self.assertEqual(dataset.spec.labelings, ())
        self.assertEqual(self.found(dataset.train), [0, 1, 2, 3])
        self.assertEqual(self.found(dataset.test), [10, 11, 12, 13])

    def test_validation_beside_a_test_split_is_not_used_and_that_is_said(self):
        self.save_all("train/a", "val/a", "test/a")
        with self.assertLogs(level="WARNING") as said:
            dataset = self.load()
        self.assertIn("4 images for validation are not used", said.output[0])
        self.assertEqual(self.found(dataset.test), [20, 21, 22, 23])

    def test_a_split_alone_is_split(self):
        self.save_all("train/a", "train/b")
        dataset = self.load()
        self.assertEqual(dataset.spec.labelings, (Labeling("folder", 2),))
        self.assertLen(dataset.test.images, 2)

    def test_among_others_they_are_classes(self):
        self.save_all("train", "boat", "test")
        dataset = self.load()
        self.assertEqual(dataset.spec.labelings, (Labeling("folder", 3),))

    @parameterized.parameters(
        (("val/a", "test/a"), "none of images to train on: expected .*train"),
        (("train/a", "test"), "test/0.png and 3 more .*no sub-folder, but 4"),
    )
    def test_what_does_not_fit(self, places, message):
        self.save_all(*places)
        with self.assertRaisesRegex(ValueError, message):
            self.load()


class FaultsTest(FolderTest):
    def _refused(self, message, error=ValueError):
        with self.assertRaisesRegex(error, message):
            self.load()

    def test_no_folder(self):
        self.folder.rmdir()
        self._refused("data.path: there is no folder .*mine", FileNotFoundError)

    def test_file(self):
        self.folder.rmdir()
        self.folder.write_text("")
        self._refused("there is no folder", FileNotFoundError)

    def test_no_images(self):
        (self.folder / "notes.txt").write_text("")
        self._refused("no image in .*only 1 other files", FileNotFoundError)

    def test_odd_size_is_named_with_what_to_do(self):
        self.save_ten()
        self.save("0-odd.png", np.zeros((5, 9), np.uint8))
        self._refused(
            "0-odd.png is 9 pixels wide and 5 high, but 10 of the 11 images "
            r"are 6 wide and 4 high.*resize\(\(6, 4\)\)"
        )

    def test_some_in_sub_folders_and_some_not(self):
        self.save_ten()
        self.save("a/1.png", _array(0))
        self._refused("0.png and 9 more images are in no sub-folder, but 1 are")

    @parameterized.parameters("no image", "")
    def test_text_under_the_name_of_an_image(self, text):
        self.save_ten()
        (self.folder / "odd.png").write_text(text)
        self._refused("odd.png cannot be read as an image.*repair")

    @parameterized.parameters(".png", ".jpg", ".bmp", ".webp", ".tif", ".gif")
    def test_image_cut_short(self, ending):
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
        for i in range(9):
            self.save(f"{i}{ending}", noise)
        path = self.save(f"odd{ending}", noise)
        content = path.read_bytes()
        for n in (3, len(content) // 3, len(content) // 2):
            path.write_bytes(content[:n])
            self._refused(f"odd{ending} cannot be read as an image")

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

    def test_sixteen_bits(self):
        self.save("odd.png", np.full((4, 6), 40_000, np.uint16))
        self._refused("odd.png: its pixels are of mode 'I;16'.*Scale them")

    def test_too_few_to_split(self):
        self.save("one.png", _array(3))
        self._refused("mine: 1 images are too few. At least 3 are needed")


if __name__ == "__main__":
    absltest.main()
