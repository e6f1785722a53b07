# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that are refused before they start."""

import os
import subprocess
import sys

import pytest

from tests.training import small_runs


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"train": {"batch_size": 5000}}, "train.batch_size.*1438.*5000"),
        ({"facets": {"n_components": (6, 2000)}}, "2000 comp.*n_comp.* 1438"),
    ],
)
def test_more_than_there_are_examples(overrides, message):
    with pytest.raises(ValueError, match=message):
        small_runs.run(**overrides)


def test_device_that_is_not_there():
    code = "from mfcvae_jax.training import processes; processes.n_devices()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"JAX_PLATFORMS": "cuda"},
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        pytest.skip("there is a GPU")
    (*_, line) = done.stderr.splitlines()
    assert line.startswith("RuntimeError: JAX cannot use JAX_PLATFORMS=cuda")
