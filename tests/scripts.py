# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The scripts of experiments/ and benchmarks/, and the results they wrote."""

import contextlib
import importlib
import pathlib
import subprocess
import sys
import types

from absl import flags

from mfcvae_jax.report import csv_rows

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ROOT / "experiments" / "configs"


def results(name: str) -> list[dict[str, str]]:
    """Reads a committed file of docs/results, which has rows."""
    found = csv_rows.read(ROOT / "docs" / "results" / f"{name}.csv")
    assert found, name
    return found


@contextlib.contextmanager
def own_flags():
    """Forgets the flags that are defined within: others have their names."""
    before = set(flags.FLAGS)
    try:
        yield
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()


def load(name: str) -> types.ModuleType:
    """Imports a script, without its flags."""
    with own_flags():
        return importlib.import_module(name)


def run(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Runs a script, such as "benchmarks/gpu.py", in a process of its own."""
    return subprocess.run(
        [sys.executable, ROOT / script, *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
