# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The scripts of experiments/ and benchmarks/, imported or run."""

import importlib
import pathlib
import subprocess
import sys
import types

from absl import flags

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ROOT / "experiments" / "configs"


def load(name: str) -> types.ModuleType:
    """Imports a script and forgets its flags, whose names others have too."""
    before = set(flags.FLAGS)
    script = importlib.import_module(name)
    for flag in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, flag)
    return script


def run(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Runs a script, such as "benchmarks/gpu.py", in a process of its own."""
    return subprocess.run(
        [sys.executable, ROOT / script, *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
