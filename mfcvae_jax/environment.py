# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run was made with: versions, device and git revision."""

import contextlib
import importlib.metadata
import pathlib
import platform
import subprocess
from typing import Any

import jax

__all__ = ["describe"]

_PACKAGES = (
    "mfcvae-jax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "distrax",
    "orbax-checkpoint",
    "numpy",
    "scikit-learn",
)


def describe() -> dict[str, Any]:
    """Returns what can be known, as plain values for JSON."""
    versions = dict.fromkeys(_PACKAGES)
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{jax.device_count()} x {device.device_kind}",
        "versions": versions,
        "git_revision": _git_revision(),
    }


def _git_revision() -> str | None:
    """The commit of the source tree; None outside a git checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=pathlib.Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
