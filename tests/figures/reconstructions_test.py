# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.figures import reconstructions
from tests.figures import pages


class ReconstructionsTest(pages.FigureCase):
    def test_reconstructions_stand_under_their_inputs(self):
        images = np.arange(8, dtype=np.uint8).reshape(8, 1, 1, 1) * np.ones(
            (1, 4, 4, 1), np.uint8
        )
        figure = self.draw(
            reconstructions.reconstruction_pairs,
            images,
            images / 255 + 0.4,
            n_blocks=2,
            n_columns=3,
        )
        (sheet,) = pages.sheets(figure, self.path)
        side = (sheet.shape[1] - 8) // 3
        rows = side // 2 + np.array([0, side + 4, 2 * side + 28, 3 * side + 32])
        columns = side // 2 + (side + 4) * np.arange(3)
        np.testing.assert_array_equal(
            sheet[rows][:, columns, 0],
            [[0, 1, 2], [102, 103, 104], [3, 4, 5], [105, 106, 107]],
        )
        self.assertEqual(pages.texts(figure), ["input", "reconstruction"] * 2)

    @parameterized.parameters((1, 1, 1), (5, 2, 3), (4, 2, 3), (40, 3, 14))
    def test_the_last_block_may_be_short(self, n, n_blocks, n_columns):
        images = np.zeros((n, 8, 8, 3))
        figure = self.draw(
            reconstructions.reconstruction_pairs,
            images,
            images,
            n_blocks=n_blocks,
            n_columns=n_columns,
            title="A title",
        )
        (sheet,) = pages.sheets(figure, self.path)
        side = (sheet.shape[1] + 4) // min(n, n_columns) - 4
        n_black = int((sheet == 0).all(axis=-1).sum())
        n_shown = min(n, n_blocks * n_columns)
        self.assertEqual(n_black, 2 * n_shown * side**2)

    @parameterized.named_parameters(
        ("shape", np.zeros((2, 4, 4)), {}, r"\(2, 4, 4\)"),
        (
            "other",
            np.zeros((2, 4, 5, 1)),
            {},
            r"\(2, 4, 4, 1\).*\(2, 4, 5, 1\)",
        ),
        ("blocks", np.zeros((2, 4, 4, 1)), {"n_blocks": 0}, "n_blocks=0"),
        ("columns", np.zeros((2, 4, 4, 1)), {"n_columns": 0}, "n_columns=0"),
    )
    def test_refuses(self, drawn, settings, came):
        with self.assertRaisesRegex(ValueError, came):
            reconstructions.reconstruction_pairs(
                np.zeros((2, 4, 4, 1)), drawn, self.path, **settings
            )


if __name__ == "__main__":
    absltest.main()
