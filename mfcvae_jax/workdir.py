# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: what lies where in it, and whose run it is.

It may be in a bucket; ``storage`` says what differs there.

config.json         the resolved settings
data.json           what tells its data from others, see ``fingerprint``
environment.json    versions, device, git revision and the config file
lock                held by the process that trains
metrics.jsonl       one record a line, see ``training.recording``
tensorboard/        the same for TensorBoard
checkpoints/        one folder a step, in a bucket one object a step, see
                    ``training.checkpoint``
compilation_cache/  see ``training.compilation``; unless another is named
results.json        scores of the finished run
assignments.npy     clusters of the held-out examples, integers, shape (N, J)
figures/            PNG files
report.html         all of these in one page, with an explorer of the clusters

The folder of several seeds has config.json, data.json, environment.json, lock,
compilation_cache/, results.json and a report.html that sums up, and for each
seed a folder ``seed_<n>`` as above. A seed that diverged while others went on
has ``diverged.txt``, too. Of several starts of one run, all but the best get
``not_kept.txt``. Either file says when and why the seed was given up.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from absl import logging

from mfcvae_jax import __version__, environment, storage
from mfcvae_jax import config as config_lib
from mfcvae_jax.datasets import fingerprint
from mfcvae_jax.datasets.spec import Dataset
from mfcvae_jax.settings import Settings
from mfcvae_jax.variational import elbo

__all__ = ["NotWrittenError", "Workdir"]

# What a run that ended before it wrote its config can leave behind. The folder
# of compiled programs may also come from another process, which was faster.
_LEFTOVERS = {"lock", "config.part", "compilation_cache"}


class NotWrittenError(OSError):
    """A file of a run could not be written."""


class Workdir:
    """Paths in a run's folder, and its settings.

    Attributes:
        path: of the folder; a ``pathlib.Path``, in a bucket an ``epath.Path``.

    Raises:
        ValueError: if it is an address that ``storage.locate`` does not know.
        ImportError: if the package that reaches the bucket is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = storage.locate(path)
        self.config = self.path / "config.json"
        self.data = self.path / "data.json"
        self.environment = self.path / "environment.json"
        self.metrics = self.path / "metrics.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.compilation_cache = self.path / "compilation_cache"
        self.diverged = self.path / "diverged.txt"
        self.not_kept = self.path / "not_kept.txt"
        self.results = self.path / "results.json"
        self.assignments = self.path / "assignments.npy"
        self.figures = self.path / "figures"
        self.report = self.path / "report.html"

    def by_seed(self, settings: Settings) -> dict[int, "Workdir"]:
        """Returns the folder of each seed, or this one if there is one seed."""
        if settings.n_starts == 1:
            return {settings.seed: self}
        seeds = [one.seed for one in settings.of_each_seed]
        return {seed: Workdir(self.path / f"seed_{seed}") for seed in seeds}

    def why_given_up(self) -> str:
        """Says that this seed "diverged" or "was not kept", else ""."""
        if self.diverged.exists():
            return "diverged"
        return "was not kept" if self.not_kept.exists() else ""

    @contextlib.contextmanager
    def claim(
        self,
        settings: Settings,
        *,
        resume: bool,
        dataset: Dataset | None = None,
        config_file: str = "",
    ) -> Iterator[None]:
        """Makes the folder that of a run, or checks that it is already.

        Until the context is left, no other process can claim it.

        Args:
            settings: of the run.
            resume: whether a run that is there may be continued.
            dataset: which it is trained on; its fingerprint is recorded.
            config_file: that the run was started with, if any.

        Raises:
            ValueError: if the folder holds another run's settings, a run with
                a checkpoint but ``resume`` is false or the data were others,
                or something that is no run.
            FileNotFoundError: if ``resume`` is true and there is no run.
            RuntimeError: if another process trains there.
            NotWrittenError: if the disk is full, or the bucket is not there or
                may not be written.
        """
        data = None if dataset is None else fingerprint.of(dataset)
        self._check(settings, data, resume=resume)
        with contextlib.ExitStack() as stack:
            with self.writing():
                storage.make_folder(self.path)
                stack.enter_context(storage.held(self.path))
            # Another may have come and gone since.
            self._check(settings, data, resume=resume)
            with self.writing():
                self._write_settings(settings, data, config_file)
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turns a write that fails into an error that says where, and why.

        Raises:
            NotWrittenError: if anything within fails to write.
        """
        try:
            yield
        except (NotWrittenError, storage.BusyError):
            raise
        except storage.failures(self.path) as error:
            raise NotWrittenError(self._why_not_written(error)) from error

    def _why_not_written(self, error: Exception) -> str:
        go_on = "start again"
        with contextlib.suppress(storage.failures(self.path)):
            if self.config.exists():
                go_on = "continue with --resume"
        return (
            f"cannot write in workdir {self.path}{storage.room(self.path)} "
            f"({error}): {storage.mend(self.path, error)} and {go_on}"
        )

    def _is_run(self) -> bool:
        """Whether a run is there; OSError if the bucket cannot be asked."""
        try:
            return self.config.is_file()
        except storage.failures(self.path) as error:
            raise OSError(
                f"cannot read workdir {self.path} ({type(error).__name__}: "
                f"{error}): see that this machine reaches the bucket and that "
                "you may read there"
            ) from error

    def _write_settings(
        self, settings: Settings, data: dict[str, Any] | None, config_file: str
    ) -> None:
        """Writes the config first: it is what makes the folder a run's."""
        made_with = environment.describe()
        if config_file:
            made_with["config_file"] = str(pathlib.Path(config_file).resolve())
        of_seeds = self.by_seed(settings).values()
        folders = {self: settings}
        folders |= zip(of_seeds, settings.of_each_seed, strict=True)
        for folder, own in folders.items():
            storage.make_folder(folder.path)
            _write_json(folder.config, config_lib.to_config(own))
            _write_json(folder.environment, made_with)
            if data is not None:
                _write_json(folder.data, data)

    def _check(
        self, settings: Settings, data: dict[str, Any] | None, *, resume: bool
    ) -> None:
        """Raises unless the folder is free, or its run may go on."""
        if not self._is_run():
            self._check_is_free(resume=resume)
            return
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
            for folder in self.by_seed(settings).values()
        )
        if has_checkpoint and not resume:
            raise ValueError(
                f"workdir {self.path} already holds this run: pass "
                "--resume to continue it, or choose another --workdir"
            )
        if has_checkpoint and data is not None:
            self._check_data(data)

    def check_data(self, dataset: Dataset) -> None:
        """Checks that data, as read now, are those that the run was trained on.

        Raises:
            ValueError: if they differ, or data.json is damaged. A run of a
                version that wrote none may have had any data.
        """
        if self.data.exists():  # to take a fingerprint reads every byte
            self._check_data(fingerprint.of(dataset))

    def data_fingerprint(self) -> dict[str, Any] | None:
        """Returns what tells its data from others; None if it wrote nothing.

        Raises:
            ValueError: if data.json is damaged.
        """
        return _read_json(self.data) if self.data.exists() else None

    def _check_data(self, now: dict[str, Any]) -> None:
        before = self.data_fingerprint()
        if before is None:
            return
        if not before.keys() & now.keys():
            raise ValueError(_damage(self.data, "it holds no fingerprint"))
        changed = fingerprint.differences(before, now)
        if changed:
            raise ValueError(
                f"the data are not those that workdir {self.path} was trained "
                "on:\n  "
                + "\n  ".join(changed)
                + "\nBring back the data of then, or train on these in another "
                "--workdir."
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

        If they name a net, a likelihood, a prior or an estimator that nothing
        has registered, the config file that the run was started with is run
        once more.

        Raises:
            FileNotFoundError: if there is no run.
            ValueError: if config.json is damaged, or of another version.
        """
        if not self._is_run():
            raise FileNotFoundError(
                f"no run in workdir {self.path}: {self.config.name} is "
                "missing; train one with `mfcvae train`"
            )
        config = _read_json(self.config)
        try:
            return _known(config)
        except ValueError as error:
            unknown = error
        file, version = self._made_with()
        try:
            if file and os.path.isfile(file):
                config_lib.load(file)
                return _known(config)
        except ValueError as error:
            unknown = error
        where = f" (the run's was {file})" if file else ""
        raise ValueError(
            f"{self.config}, which mfcvae-jax {version} wrote, cannot "
            f"be used by mfcvae-jax {__version__}: {unknown}. If that is a "
            "part of your own, import the module that registers it first, or "
            f"bring back the config file that does{where}"
        ) from unknown

    def read_environment(self) -> dict[str, Any]:
        """Returns what environment.json says; nothing if there is none.

        Raises:
            ValueError: if it is damaged.
        """
        if not self.environment.exists():
            return {}
        return _read_json(self.environment)

    def _made_with(self) -> tuple[str, str]:
        """The config file ("" if there was none) and version, if known."""
        try:
            found = self.read_environment()
        except ValueError:  # damaged
            found = {}
        file, versions = found.get("config_file"), found.get("versions")
        version = isinstance(versions, dict) and versions.get("mfcvae-jax")
        return file if isinstance(file, str) else "", version or "?"

    def records(self) -> list[dict[str, Any]]:
        """Returns the records of metrics.jsonl, oldest first.

        They are flat dicts, see ``training.recording``. A line that is damaged
        or no record is left out, with a warning unless it is the last one,
        which a killed process may have cut short.
        """
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_bytes().split(b"\n")
        records = [_parse_record(line) for line in lines]
        damaged = [str(i) for i, r in enumerate(records[:-1], 1) if r is None]
        if damaged:
            logging.warning(
                "%s: %d lines are no records, or damaged, and are left out "
                "(line %s)",
                self.metrics,
                len(damaged),
                ", ".join(damaged[:5]) + (", ..." if damaged[5:] else ""),
            )
        return [record for record in records if record is not None]

    def write_results(self, results: dict[str, Any]) -> None:
        """Writes results.json, of plain values."""
        with self.writing():
            _write_json(self.results, results)


def _known(config: dict[str, Any]) -> Settings:
    """Makes settings, or raises ValueError if a part is not registered."""
    settings = config_lib.from_config(config)
    elbo.find_estimator(settings.train.estimator)
    return settings


def _write_json(path: storage.Path, value: dict[str, Any]) -> None:
    storage.write(path, json.dumps(value, indent=2) + "\n")


def _read_json(path: storage.Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, got {value!r:.40}")
    except (ValueError, RecursionError) as error:
        raise ValueError(_damage(path, error)) from error
    return value


def _damage(path: storage.Path, why: object) -> str:
    """Says that a file cannot be used, why, and what to do."""
    return (
        f"{path} is damaged or no file of a run ({why}): bring back a copy of "
        "it, or train again in another --workdir"
    )


def _parse_record(line: bytes) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None if it is no record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, or no text
        return None
    is_record = (
        isinstance(record, dict)
        and isinstance(record.get("step"), int)
        and isinstance(record.get("epoch"), int | float)
        and isinstance(record.get("split"), str)
    )
    return record if is_record else None
