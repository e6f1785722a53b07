# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import ast
import pathlib
import sys

import matplotlib
from absl.testing import absltest, parameterized

from mfcvae_jax.figures import style


class StyleTest(parameterized.TestCase):
    @parameterized.parameters(0.5, 1.0, 3.0)
    def test_wrapped_lines_fit(self, width):
        text = "a few words and Donaudampfschifffahrtsgesellschaft at 5 % of it"
        lines = style.wrap(text, width, 9)
        for line in lines:
            self.assertLessEqual(style.text_width(line, 9), width)

    def test_wrapping_keeps_words_and_breaks(self):
        self.assertEqual(
            style.wrap("one two\nthree", 9, 9), ("one two", "three")
        )
        self.assertEqual(style.wrap("", 9, 9), ())

    def test_no_break_spaces_hold(self):
        joined = "one\u00a0two"
        width = style.text_width(joined, 9) * 1.01
        self.assertEqual(style.wrap(f"a {joined}", width, 9), ("a", joined))

    def test_cut(self):
        self.assertEqual(style.cut("short", 3, 9), "short")
        cut = style.cut("a very long name", 0.5, 9)
        self.assertTrue(cut.endswith("…"))
        self.assertLessEqual(style.text_width(cut, 9), 0.5)

    def test_facets_have_different_colours(self):
        self.assertLen({style.facet_colour(j) for j in range(6)}, 6)
        self.assertEqual(style.facet_colour(6), style.facet_colour(0))

    def test_readable_on(self):
        self.assertEqual(style.readable_on((1.0, 1.0, 1.0)), style.INK)
        self.assertEqual(style.readable_on((0.0, 0.0, 0.3)), style.BACKGROUND)

    def test_settings_hold_inside_only(self):
        @style.house_style
        def size():
            return matplotlib.rcParams["font.size"]

        before = dict(matplotlib.rcParams)
        for _ in range(2):
            self.assertEqual(size(), style.SIZE_LABEL)
        self.assertEqual(dict(matplotlib.rcParams), before)

    def test_the_folder_knows_nothing_of_models(self):
        allowed = {"matplotlib", "numpy", *sys.stdlib_module_names}
        for path in pathlib.Path(style.__file__).parent.glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module]
                    names += [f"{node.module}.{a.name}" for a in node.names]
                for name in names:
                    self.assertNotIn("pyplot", name)
                    self.assertTrue(
                        name.split(".")[0] in allowed
                        or name.startswith("mfcvae_jax.figures"),
                        f"{path.name} imports {name}",
                    )


if __name__ == "__main__":
    absltest.main()
