# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from absl.testing import parameterized

from mfcvae_jax.evaluation.pruning import Evidence
from mfcvae_jax.figures import evidence
from tests.figures import pages


class EvidenceTest(pages.FigureCase):
    @parameterized.parameters(1, 3)
    def test_curves_and_the_number_that_is_kept(self, n_facets):
        sizes = np.arange(25, 0, -1)
        found = Evidence(sizes, -np.log(sizes), 0 * sizes, -5000.0 / sizes)
        figure = self.draw(evidence.evidence_curves, [found] * n_facets)
        self.assertLen(figure.axes, n_facets)
        for j, axes in enumerate(figure.axes):
            log_p_z, criterion, kept = axes.get_lines()
            for line, values in (
                (log_p_z, found.log_p_z),
                (criterion, found.criterion),
            ):
                np.testing.assert_array_equal(
                    line.get_xydata(), np.stack([sizes, values], axis=-1)
                )
            self.assertEqual(list(kept.get_xdata()), [25, 25])
            self.assertIn(f"Facet {j}: 25 of 25 kept", pages.texts(figure))
