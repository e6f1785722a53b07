# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: what lies where in it, and whose run it is.

config.json         the resolved settings
environment.json    versions, device and git revision
lock                held by the process that trains
metrics.jsonl       one record a line, see ``training.writers``
tensorboard/        the same for TensorBoard
checkpoints/        one folder a step, see ``training.checkpoint``
compilation_cache/  see ``training.compilation``
results.json        scores of the finished run
assignments.npy     clusters of the held-out examples, integers, shape (N, J)
figures/            PNG files
report.html         all of these in one page, with an explorer of the clusters

The folder of several seeds has config.json, environment.json, lock,
compilation_cache/, results.json and a report.html that sums up, and for each
seed a folder ``seed_<n>`` as above. A seed that diverged while others went on
has ``diverged.txt``, too.
"""

import contextlib
import dataclasses
import errno
import fcntl
import importlib.metadata
import json
import pathlib
import platform
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import jax

from mfcvae_jax import config as config_lib
from mfcvae_jax.settings import Settings

__all__ = ["NotWrittenError", "Workdir"]

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

# What a run that ended before it wrote its config can leave behind.
_LEFTOVERS = {"lock", "config.part"}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NotWrittenError(OSError):
    """A file of a run could not be written."""


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
        self.compilation_cache = self.path / "compilation_cache"
        self.diverged = self.path / "diverged.txt"
        self.results = self.path / "results.json"
        self.assignments = self.path / "assignments.npy"
        self.figures = self.path / "figures"
        self.report = self.path / "report.html"

    def of_each_seed(self, settings: Settings) -> tuple["Workdir", ...]:
        """Returns the folders of the seeds of a run.

        Args:
            settings: of the run.

        Returns:
            Folders within this one, or this one if there is one seed.
        """
        if settings.n_seeds == 1:
            return (self,)
        return tuple(
            Workdir(self.path / f"seed_{settings.seed + i}")
            for i in range(settings.n_seeds)
        )

    @contextlib.contextmanager
    def claim(self, settings: Settings, *, resume: bool) -> Iterator[None]:
        """Makes the folder that of a run, or checks that it is already.

        Until the context is left, no other process can claim it.

        Args:
            settings: of the run.
            resume: whether a run that is there may be continued.

        Raises:
            ValueError: if the folder holds another run's settings, a run with
                a checkpoint but ``resume`` is false, or something that is no
                run.
            FileNotFoundError: if ``resume`` is true and there is no run.
            RuntimeError: if another process trains there.
            NotWrittenError: if the disk is full.
        """
        if self.config.exists():
            self._check(settings, resume=resume)
        else:
            self._check_is_free(resume=resume)
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
            opened = (self.path / "lock").open("a")
        with opened as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RuntimeError(
                    f"another process is training in workdir {self.path}: wait "
                    "for it, stop it, or choose another --workdir"
                ) from None
            with self.writing():
                self._write_settings(settings)
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turns a write that fails into an error that says where, and why.

        Raises:
            NotWrittenError: if anything within raises an OSError.
        """
        try:
            yield
        except NotWrittenError:
            raise
        except OSError as error:
            there = next(
                p for p in (self.path, *self.path.parents) if p.exists()
            )
            free = shutil.disk_usage(there).free / 1e6
            mend = "make room" if error.errno in _FULL else "mend that"
            go_on = (
                "continue with --resume"
                if self.config.exists()
                else "start again"
            )
            raise NotWrittenError(
                f"cannot write in workdir {self.path}, where {free:.1f} MB are "
                f"free ({error}): {mend} and {go_on}"
            ) from error

    def _write_settings(self, settings: Settings) -> None:
        """Writes the config first: it is what makes the folder a run's."""
        _write_json(self.config, config_lib.to_config(settings))
        environment = _environment()
        _write_json(self.environment, environment)
        for i, folder in enumerate(self.of_each_seed(settings)):
            folder.path.mkdir(exist_ok=True)
            seed = dataclasses.replace(
                settings, seed=settings.seed + i, n_seeds=1
            )
            _write_json(folder.config, config_lib.to_config(seed))
            _write_json(folder.environment, environment)

    def _check(self, settings: Settings, *, resume: bool) -> None:
        """Raises ValueError unless the run that is there may go on."""
        changed = config_lib.differences(self.settings(), settings)
        if changed:
            raise ValueError(
                f"workdir {self.path} holds a run with another config "
                "(there != asked for):\n  "
                + "\n  ".join(changed)
                + "\nChoose another --workdir, or pass the same config."
            )
        has_checkpoint = any(
            folder.checkpoints.is_dir() and any(folder.checkpoints.iterdir())
            for folder in self.of_each_seed(settings)
        )
        if has_checkpoint and not resume:
            raise ValueError(
                f"workdir {self.path} already holds this run: pass "
                "--resume to continue it, or choose another --workdir"
            )

    def _check_is_free(self, *, resume: bool) -> None:
        """Raises unless a new run may start here."""
        if resume:
            raise FileNotFoundError(
                f"--resume: there is no run in workdir {self.path} (no "
                f"{self.config.name}); start it without --resume"
            )
        if self.path.exists() and any(
            entry.name not in _LEFTOVERS for entry in self.path.iterdir()
        ):
            raise ValueError(
                f"workdir {self.path} is not empty and holds no run: choose "
                "another --workdir, so that nothing is overwritten"
            )

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
                "missing; train one with `mfcvae train`"
            )
        return config_lib.from_config(json.loads(self.config.read_text()))

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

        Raises:
            NotWrittenError: if the disk is full.
        """
        with self.writing():
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
