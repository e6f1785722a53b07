# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that are refused before they start."""

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
    code = """
import os
os.environ["JAX_PLATFORMS"] = "cuda"
from mfcvae_jax.training import processes
try:
    processes.n_devices()
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    if done.stdout == "":
        pytest.skip("there is a GPU")
    (line,) = done.stdout.splitlines()
    assert line.startswith("JAX cannot use JAX_PLATFORMS=cuda")
