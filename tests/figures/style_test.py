# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import ast
import pathlib
import sys
import tempfile

import matplotlib
import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import style


class StyleTest(parameterized.TestCase):
    @parameterized.parameters(5, 12, 40)
    def test_wrapped_lines_fit(self, length):
        text = "a few words and Donaudampfschifffahrtsgesellschaft at 5 % of it"
        whole = style.wrap(text, length, 99)
        self.assertLessEqual(max(map(len, whole.split("\n"))), length)
        self.assertEqual("".join(whole.split()), "".join(text.split()))
        two = style.wrap(text, length, 2)
        self.assertLessEqual(max(map(len, two.split("\n"))), length)
        self.assertTrue(two.endswith("…"))

    def test_no_break_spaces_hold(self):
        joined = "one\u00a0two"
        self.assertEqual(style.wrap(f"a {joined}", 7), f"a\n{joined}")

    def test_cut(self):
        self.assertEqual(style.cut("short", 5), "short")
        self.assertEqual(style.cut("a very long name", 8), "a very…")

    def test_axes_have_the_sizes_that_were_asked_for(self):
        page = style.Page([1.0, 2.0], [0.5, 1.5], dpi=100)
        for axes in page.axes.flat:
            axes.set_ylabel("a label")
            axes.set_title("a title")
        page.fit()
        size = page.figure.get_size_inches()
        for (r, q), axes in np.ndenumerate(page.axes):
            np.testing.assert_allclose(
                axes.get_position().size * size,
                [(1.0, 2.0)[q], (0.5, 1.5)[r]],
                atol=0.03,
            )

    def test_the_ending_chooses_the_format(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "new" / "page.pdf"
            style.Page([1.0], [1.0]).save(path)
            self.assertEqual(path.read_bytes()[:4], b"%PDF")

    def test_the_style_is_in_force_inside(self):
        @style.house_style
        def size():
            return matplotlib.rcParams["font.size"]

        for _ in range(2):
            self.assertEqual(size(), style.SIZE_LABEL)

    def test_facets_have_different_colours(self):
        self.assertLen({style.facet_colour(j) for j in range(6)}, 6)
        self.assertEqual(style.facet_colour(6), style.facet_colour(0))

    def test_readable_on(self):
        self.assertEqual(style.readable_on((1.0, 1.0, 1.0)), style.INK)
        self.assertEqual(style.readable_on((0.0, 0.0, 0.3)), style.BACKGROUND)

    def test_the_folder_knows_nothing_of_models(self):
        allowed = {"matplotlib", "numpy", *sys.stdlib_module_names}
        ours = ("mfcvae_jax.figures", "mfcvae_jax.evaluation")  # arrays in
        for path in pathlib.Path(style.__file__).parent.glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{a.name}" for a in node.names]
                for name in names:
                    self.assertNotIn("pyplot", name)
                    self.assertTrue(
                        name.split(".")[0] in allowed or name.startswith(ours),
                        f"{path.name} imports {name}",
                    )
