# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Imports the scripts of experiments/ and benchmarks/ side by side."""

import importlib
import types

from absl import flags


def load(name: str) -> types.ModuleType:
    """Imports a script and forgets its flags, whose names others have too."""
    before = set(flags.FLAGS)
    script = importlib.import_module(name)
    for flag in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, flag)
    return script
