# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: what lies where in it, and whose run it is.

config.json       the resolved settings
environment.json  versions, device and git revision
metrics.jsonl     one record a line, see ``training.writers``
tensorboard/      the same for TensorBoard
checkpoints/      one folder a step, see ``training.checkpoint``
results.json      scores of the finished run
figures/          PNG files
"""

import importlib.metadata
import json
import pathlib
import platform
import subprocess
from typing import Any

import jax

from mfcvae_jax import settings as settings_lib
from mfcvae_jax.settings import Settings

__all__ = ["Workdir"]

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


class Workdir:
    """Paths in a run's folder, and its settings.

    Attributes:
        path: of the folder.
    """

    def __init__(self, path: str | pathlib.Path):
        self.path = pathlib.Path(path).expanduser().resolve()
        self.config = self.path / "config.json"
        self.environment = self.path / "environment.json"
        self.metrics = self.path / "metrics.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.results = self.path / "results.json"
        self.figures = self.path / "figures"

    def claim(self, settings: Settings, *, resume: bool) -> None:
        """Makes the folder that of a run, or checks that it is already.

        Args:
            settings: of the run.
            resume: whether a run that is there may be continued.

        Raises:
            ValueError: if the folder holds another run's settings, a run with
                a checkpoint but ``resume`` is false, or something that is no
                run.
            FileNotFoundError: if ``resume`` is true and there is no run.
        """
        if self.config.exists():
            changed = settings_lib.differences(self.settings(), settings)
            if changed:
                raise ValueError(
                    f"workdir {self.path} holds a run with another config "
                    "(there != asked for):\n  "
                    + "\n  ".join(changed)
                    + "\nChoose another --workdir, or pass the same config."
                )
            has_checkpoint = self.checkpoints.is_dir() and any(
                self.checkpoints.iterdir()
            )
            if has_checkpoint and not resume:
                raise ValueError(
                    f"workdir {self.path} already holds this run: pass "
                    "--resume to continue it, or choose another --workdir"
                )
            return
        if resume:
            raise FileNotFoundError(
                f"--resume: there is no run in workdir {self.path} (no "
                f"{self.config.name}); start it without --resume"
            )
        if self.path.exists() and any(self.path.iterdir()):
            raise ValueError(
                f"workdir {self.path} is not empty and holds no run: choose "
                "another --workdir, so that nothing is overwritten"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        _write_json(self.environment, _environment())
        _write_json(self.config, settings_lib.to_config(settings))

    def settings(self) -> Settings:
        """Returns the settings of the run in the folder.

        Returns:
            The settings.

        Raises:
            FileNotFoundError: if there is no run.
        """
        if not self.config.is_file():
            raise FileNotFoundError(
                f"no run in workdir {self.path}: {self.config.name} is "
                "missing; train one with experiments/train.py"
            )
        return settings_lib.from_config(json.loads(self.config.read_text()))

    def records(self) -> list[dict[str, Any]]:
        """Returns the records of metrics.jsonl, oldest first.

        Returns:
            Flat dicts, see ``training.writers``; none if nothing was trained
            here. A last line that was cut short is left out.
        """
        if not self.metrics.exists():
            return []
        records = []
        for line in self.metrics.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return records

    def write_results(self, results: dict[str, Any]) -> None:
        """Writes the scores of the finished run.

        Args:
            results: plain values for JSON.
        """
        _write_json(self.results, results)


def _environment() -> dict[str, Any]:
    """Versions, device and git revision, as far as they can be known."""
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
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


def _write_json(path: pathlib.Path, value: dict[str, Any]) -> None:
    """Writes a file that is either there in full or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=2) + "\n")
    part.replace(path)
