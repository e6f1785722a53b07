# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The notebooks of the documentation run, and are small."""

import os
import pathlib
import tempfile

import nbclient
import nbformat
import pytest
from absl.testing import absltest, parameterized

_ROOT = pathlib.Path(__file__).parents[1]
_NOTEBOOKS = tuple(
    (str(path.relative_to(_ROOT)),)
    for path in sorted((_ROOT / "docs" / "notebooks").glob("*.ipynb"))
)
# Runs before the first cell, and is not part of what readers see.
_SHORT = """
from mfcvae_jax.estimator import defaults
defaults._STEPS_PER_FACET = defaults._LEAST_EPOCHS_PER_FACET = 2
"""


class NotebooksTest(parameterized.TestCase):
    @parameterized.parameters(*_NOTEBOOKS)
    def test_what_is_stored_is_small_and_ran_in_order(self, name):
        self.assertLess((_ROOT / name).stat().st_size, 500_000)
        notebook = nbformat.read(_ROOT / name, as_version=4)
        nbformat.validate(notebook)
        cells = [c for c in notebook.cells if c.cell_type == "code"]
        self.assertEqual(
            [cell.execution_count for cell in cells],
            list(range(1, len(cells) + 1)),
        )
        for cell in cells:
            for output in cell.outputs:
                self.assertNotEqual(output.output_type, "error")
                self.assertNotEqual(output.get("name"), "stderr", output)

    @parameterized.parameters(*_NOTEBOOKS)
    @pytest.mark.slow
    def test_runs_with_little_training(self, name):
        notebook = nbformat.read(_ROOT / name, as_version=4)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(_SHORT))
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
        with tempfile.TemporaryDirectory() as folder:
            nbclient.NotebookClient(
                notebook,
                timeout=600,
                kernel_name="python3",
                resources={"metadata": {"path": folder}},
            ).execute(env=os.environ | {"PYTHONPATH": path})


if __name__ == "__main__":
    absltest.main()
