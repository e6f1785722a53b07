# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0


import numpy as np
from absl.testing import parameterized

from mfcvae_jax.figures import reconstructions
from tests.figures import pages


class ReconstructionsTest(pages.FigureCase):
    @parameterized.parameters((1, 1), (5, 5), (17, 14), (42, 14))
    def test_reconstructions_stand_under_their_inputs(self, n, n_columns):
        values = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
        images = values * np.ones((1, 4, 4, 1), np.uint8)
        figure = self.draw(
            reconstructions.reconstruction_pairs, images, images / 255 + 0.4
        )
        (sheet,) = self.sheets
        n_blocks = -(-n // n_columns)
        side = (sheet.shape[1] + 4) // n_columns - 4
        rows = side // 2 + (side + 4) * np.arange(2 * n_blocks)
        rows += 20 * (np.arange(2 * n_blocks) // 2)
        columns = side // 2 + (side + 4) * np.arange(n_columns)
        found = sheet[rows][:, columns, 0].reshape(n_blocks, 2, n_columns)
        inputs, mirrored = found.swapaxes(0, 1).reshape(2, -1)
        np.testing.assert_array_equal(inputs[:n], np.arange(n))
        np.testing.assert_array_equal(mirrored[:n], 102 + np.arange(n))
        np.testing.assert_array_equal(inputs[n:], 255)  # the last may be short
        texts = pages.texts(figure)
        self.assertEqual(texts, ["input", "reconstruction"] * n_blocks)
