# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How the estimator trains: quietly, and in memory unless told otherwise."""

import contextlib
import itertools
import os
import pathlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import jax
from absl import logging

from mfcvae_jax.training import loop
from mfcvae_jax.training.recording import InMemory
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.stopping import Stopped
from mfcvae_jax.workdir import Workdir

__all__ = ["train"]


def train(
    run: Run, workdir: str | os.PathLike[str] | None, *, is_shown: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Trains a run of one seed.

    Args:
        run: what to train.
        workdir: see ``MultiFacetClustering``.
        is_shown: whether progress is.

    Returns:
        The variables in host memory, and the records but those of the speed.

    Raises:
        FloatingPointError: if training diverged.
        KeyboardInterrupt: if it was stopped.
        ValueError: if the folder holds something that is no run.
    """
    try:
        with _quiet():
            if workdir is None:
                recorder = InMemory()
                (state,), _ = loop.train(run, recorder, progress_bar=is_shown)
                records = recorder.records
            else:
                # Orbax and TensorBoard take a second to import.
                from mfcvae_jax.training import disk

                folder = _free_folder(pathlib.Path(workdir).expanduser())
                (state,), _ = loop.train(
                    run, disk.InWorkdir(folder), progress_bar=is_shown
                )
                records = folder.records()
    except FloatingPointError as error:
        what, _, _ = str(error).partition(". ")
        raise FloatingPointError(
            f"training diverged: {what}. Try a learning_rate lower "
            f"than {run.settings.train.learning_rate:g}, or look for "
            "extreme values in X"
        ) from error
    except Stopped as error:
        # Now that the handlers are their owners' again, they get the signal
        # that was kept from them.
        signal.raise_signal(error.signum)
        raise KeyboardInterrupt from error
    assert state is not None  # a single seed that is given up raises
    return jax.device_get(state.variables), [
        record for record in records if record["split"] != "speed"
    ]


def _free_folder(path: pathlib.Path) -> Workdir:
    """Returns the folder, or, if a fit has used it, a new fit_<n> within.

    Of several fits at the same time, in threads or processes, each gets one of
    its own: the first that makes the file ``lock`` has the folder.
    """
    within = (path / f"fit_{n}" for n in itertools.count(1))
    for folder in itertools.chain([path], within):
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / "lock"
        if any(folder.iterdir()) and not lock.exists():
            raise ValueError(
                f"workdir={str(path)!r} is not empty and holds no fit: name a "
                "new folder, so that nothing is overwritten, or None to keep "
                "nothing"
            )
        with contextlib.suppress(FileExistsError):
            lock.open("x").close()
            return Workdir(folder)
    raise AssertionError("there is no end to the numbers")


class _Quiet:
    """Keeps what the engine logs from the user's log. A context manager.

    The verbosity is that of the process, so of several fits in threads the
    first lowers it, and the last one to end restores it.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_within = 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._n_within:
                self._before = logging.get_verbosity()
                logging.set_verbosity(logging.ERROR)
            self._n_within += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_within -= 1
                if not self._n_within:
                    logging.set_verbosity(self._before)


_quiet = _Quiet()
