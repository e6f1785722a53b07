# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of a folder's files: links, endings, classes and splits."""

from unittest import mock

import numpy as np
import pytest
from absl.testing import parameterized
from PIL import Image

from mfcvae_jax.datasets import folder_tree


class TreeTest(parameterized.TestCase):
    @pytest.fixture(autouse=True)
    def in_a_folder(self, tmp_path):
        self.folder = tmp_path / "mine"
        self.folder.mkdir()

    def touch(self, *names):
        """Makes files, which are not opened here."""
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def link(self, name, target):
        (self.folder / name).symlink_to(self.folder / target)

    def find(self):
        """The names that are found, and the rest."""
        files, labels, is_test = folder_tree.find(self.folder)
        names = [str(file.relative_to(self.folder)) for file in files]
        return names, labels, is_test

    def assert_refused(self, message, error=ValueError):
        with self.assertRaisesRegex(error, message):
            self.find()


class LinksTest(TreeTest):
    def setUp(self):
        super().setUp()
        self.all = ["a/1.png", "b/2.png", "b/deep/3.png"]
        self.touch(*self.all, "../beside/4.png")

    @parameterized.named_parameters(
        ("back_to_the_top", "a/all", "."),
        ("to_a_sibling", "a/b", "b"),
        ("before_what_it_leads_to", "0", "b"),
        ("to_what_holds_the_top", "b/up", ".."),
        ("to_itself", "b/self", "b"),
        ("to_a_picture", "a/0.png", "b/2.png"),
    )
    def test_links_back_are_left_out(self, name, target):
        self.link(name, target)
        with self.assertLogs(level="WARNING") as said:
            self.assertEqual(self.find()[0], self.all)
        self.assertRegex(said.output[0], f"1 links are left out.*{name}")

    def test_what_lies_elsewhere_is_read(self):
        self.link("c", "../beside")
        self.touch("../5.png", "../far/6.png")
        self.link("a/5.png", "../5.png")
        self.link("d", "../far")
        names, labels, _ = self.find()
        more = ["a/5.png", "c/4.png", "d/6.png"]
        self.assertEqual(names, sorted(self.all + more))
        self.assertEqual(labels.tolist(), [0, 0, 1, 1, 2, 3])

    def test_a_folder_or_picture_that_is_linked_twice_is_read_once(self):
        for name in ("d", "c"):
            self.link(name, "../beside")
        self.touch("../5.png")
        for name in ("b/5.png", "a/5.png"):
            self.link(name, "../5.png")
        with self.assertLogs(level="WARNING") as said:
            names, _, _ = self.find()
        self.assertLen(names, 5)
        self.assertRegex(said.output[0], "2 links are left out")

    def test_a_link_to_nothing_is_no_reason_to_stop_before_it_is_opened(self):
        self.link("a/9.png", "nowhere")
        self.link("a/loop", "a/loop")
        self.assertIn("a/9.png", self.find()[0])


class EndingsTest(TreeTest):
    def test_hidden_files_and_others_are_left_out(self):
        self.touch("0.png", "1.JPEG", "2.jfif", ".x.png", ".cache/y.png")
        self.touch("notes.txt", "Thumbs.db", "._0.png")
        self.assertEqual(self.find()[0], ["0.png", "1.JPEG", "2.jfif"])

    def test_pictures_that_are_not_read_are_counted_by_kind(self):
        self.touch("0.png", "a.HEIC", "b.heic", "c.svg", "notes.txt")
        with self.assertLogs(level="WARNING") as said:
            self.assertEqual(self.find()[0], ["0.png"])
        self.assertRegex(
            said.output[0], "3 pictures are left out, 2 .heic, 1 .svg. Such"
        )

    def test_kinds_that_pillow_lacks_here_are_not_read_either(self):
        self.touch("0.png", "1.webp")
        lacking = Image.registered_extensions().copy()
        del lacking[".webp"]
        with (
            mock.patch.object(Image, "EXTENSION", lacking),
            self.assertLogs(level="WARNING") as said,
        ):
            self.assertEqual(self.find()[0], ["0.png"])
        self.assertIn("1 .webp", said.output[0])

    def test_nothing_but_such_pictures_or_none_at_all(self):
        self.touch("notes.txt")
        self.assert_refused("no image among the 1 files in", FileNotFoundError)
        self.touch("a.heic")
        self.assert_refused("are 1 .heic. Such files are not read here")


class SplitsTest(TreeTest):
    @parameterized.parameters(
        ("train", "test"),
        ("Training", "testing"),
        ("train", "val"),
        ("train", "valid"),
        ("train", "Validation"),
    )
    def test_splits_are_no_classes(self, train, test):
        # "c" is in the test split alone.
        self.touch(f"{train}/a/0.png", f"{train}/b/1.png")
        self.touch(f"{test}/b/2.png", f"{test}/c/deep/3.png")
        names, labels, is_test = self.find()
        found = {name[-5]: i for i, name in enumerate(names)}
        order = [found[digit] for digit in "0123"]
        self.assertEqual(labels[order].tolist(), [0, 1, 1, 2])
        self.assertEqual(is_test[order].tolist(), [False, False, True, True])

    def test_without_classes_and_with_a_validation_split_beside_that_to_test(
        self,
    ):
        self.touch("train/0.png", "val/1.png", "test/2.png")
        with self.assertLogs(level="WARNING") as said:
            names, labels, is_test = self.find()
        self.assertIn("1 images for validation are not used", said.output[0])
        self.assertEqual(names, ["test/2.png", "train/0.png"])
        self.assertIsNone(labels)
        self.assertEqual(is_test.tolist(), [True, False])

    @parameterized.parameters(
        (["train/a/0.png", "train/b/1.png"], [0, 1]),
        (["boat/0.png", "test/1.png", "train/2.png"], [0, 1, 2]),
        (["C/0.png", "a/deep/1.png", "b/2.png"], [0, 1, 2]),
        (["test.png", "train.png"], None),
    )
    def test_other_folders_say_nothing_of_splits(self, names, classes):
        self.touch(*names)
        found, labels, is_test = self.find()
        self.assertEqual(found, names)
        self.assertIsNone(is_test)
        np.testing.assert_array_equal(labels, classes)

    @parameterized.parameters(
        (["val/a.png", "test/a.png"], "none of images to train on: .*train"),
        (
            ["train/a/0.png", "test/0.png"],
            "test/0.png and 0 more .*, but 1 are",
        ),
        (["0.png", "1.png", "a/2.png"], "0.png and 1 more .*sub-folder, but 1"),
    )
    def test_what_does_not_fit(self, names, message):
        self.touch(*names)
        self.assert_refused(message)
