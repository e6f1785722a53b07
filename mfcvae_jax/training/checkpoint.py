# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the training state. The only file that imports orbax."""

import contextlib
import functools
import logging as standard_logging
import operator
import pathlib
import shutil
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any

import jax
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint import checkpoint_managers

from mfcvae_jax import config as config_lib
from mfcvae_jax import storage
from mfcvae_jax.training.runs import Run, blank_state
from mfcvae_jax.training.state import TrainState

__all__ = ["Checkpointer", "DamagedError", "NotSavedError", "restore_latest"]

_BOUND = "mixture_bound"

# Orbax numbers the parts of a save by a counter of the process, so saves that
# two threads begin at once would wait for each other's parts for ever.
_beginning = threading.Lock()


class DamagedError(RuntimeError):
    """A checkpoint is there but cannot be read."""


class NotSavedError(OSError):
    """A checkpoint could not be written."""


class Checkpointer(contextlib.AbstractContextManager["Checkpointer"]):
    """Saves and restores the states of one seed in a folder, one entry a step.

    A save is atomic: it is there in full or not at all. It goes on in the
    background; leaving the context waits for the last one. An entry holds the
    whole state in the form it has on one device, and the settings it belongs
    to, so it can be restored onto any number of devices and processes.

    Kept are the last entries, and the one whose held-out bound is best.

    Args:
        folder: of the checkpoints.
        run: of the seed.
        is_writer: whether what an earlier writer left half done may be removed;
            false for readers, beside whom someone may be writing.
    """

    def __init__(
        self, folder: storage.Path, run: Run, *, is_writer: bool = False
    ):
        self.folder = folder
        self._run = run
        self._damaged: set[int] = set()
        self._packed = None
        self._open = contextlib.ExitStack()
        if storage.is_bucket(folder):
            self._packed = self._open.enter_context(_Packed(folder))
        _let_one_error_speak()
        storage.make_folder(folder)
        bound = operator.itemgetter(_BOUND)
        best = checkpoint_managers.BestN(
            get_metric_fn=bound, n=1, keep_checkpoints_without_metrics=False
        )
        last = checkpoint_managers.LatestN(run.settings.checkpoint.keep)
        process = jax.process_index()
        options = ocp.CheckpointManagerOptions(
            create=False,
            cleanup_tmp_directories=is_writer,
            best_fn=bound,
            preservation_policy=checkpoint_managers.AnyPreservationPolicy(
                [last, best]
            ),
            # Whoever opens it works alone; no other process must join in.
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                primary_host=process, active_processes={process}
            ),
        )
        at = self._packed.folder if self._packed else folder
        self._manager = _Manager(at, options=options)

    def __exit__(self, *exception) -> None:
        """Waits for a save that is under way."""
        with self._open, self._explained():
            self.wait()
            self._manager.close()

    def save(self, state: TrainState, bound: float | None = None) -> None:
        """Saves a state under its step, unless that step is saved already.

        See ``Recorder.save``.

        Raises:
            NotSavedError: if this save, or the one before, failed.
        """
        step = int(state.step)
        with self._explained():
            self.wait()
            if step in self._damaged:
                self._manager.delete(step)
                self._damaged.remove(step)
            if step in self._manager.all_steps():
                return
            items = ocp.args.Composite(
                state=ocp.args.PyTreeSave(jax.device_get(state)),
                settings=ocp.args.JsonSave(
                    config_lib.to_config(self._run.settings)
                ),
            )
            metrics = None if bound is None else {_BOUND: bound}
            with _beginning:
                self._manager.save(step, args=items, metrics=metrics)
            if self._packed:
                self._packed.begin_to_put(step, self._manager)

    def wait(self) -> None:
        """Waits for a save that is under way.

        Raises:
            NotSavedError: if it failed.
        """
        with self._explained():
            if self._packed:
                self._packed.wait()
            self._manager.wait_until_finished()

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """Returns the step with the best held-out bound; None without one."""
        return self._manager.best_step()

    def restore(self, step: int) -> TrainState:
        """Restores a checkpoint into host memory.

        Raises:
            DamagedError: if it cannot be read.
            ValueError: if it is that of another model.
        """
        config = self._read(step, settings=ocp.args.JsonRestore())
        saved = config_lib.from_config(config)
        changed = config_lib.differences(saved, self._run.settings)
        if changed:
            raise ValueError(
                f"checkpoint {self.folder / str(step)} is that of another "
                "model or run (there != asked for):\n  " + "\n  ".join(changed)
            )
        # Partial: version 0.1.0 saved two counters more, which follow from the
        # step.
        blank = ocp.args.PyTreeRestore(
            blank_state(self._run), partial_restore=True
        )
        return self._read(step, state=blank)

    def _read(self, step: int, **item: Any) -> Any:
        """Reads one item of a checkpoint, given by name."""
        (name,) = item
        try:
            found = self._manager.restore(step, args=ocp.args.Composite(**item))
            return found[name]
        # What orbax raises depends on which of its files is damaged.
        except Exception as error:
            self._damaged.add(step)
            raise DamagedError(
                f"checkpoint {self.folder / str(step)} cannot be read: it is "
                f"truncated or incomplete. ({_in_brief(error)})"
            ) from error

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns whatever a write can raise into an error that says where."""
        try:
            yield
        except NotSavedError:
            raise
        # Tensorstore, orbax and the system each have exceptions of their own.
        except Exception as error:
            self._manager.reload()
            steps = self.steps()
            last = f"that of step {steps[-1]}" if steps else "none"
            mend = storage.mend(self.folder)
            raise NotSavedError(
                f"a checkpoint could not be saved in {self.folder}"
                f"{storage.room(self.folder)}; the last good one is {last}. "
                f"{mend[0].upper()}{mend[1:]} and continue with --resume. "
                f"({_in_brief(error)})"
            ) from error


def restore_latest(saved: Sequence[Checkpointer]) -> list[TrainState] | None:
    """Restores the last step that some seeds have all saved.

    A checkpoint that cannot be read is reported, and the one before is taken.

    Returns:
        Their states; None if one of them has no checkpoint.

    Raises:
        DamagedError: if there are checkpoints, but none can be read.
        ValueError: if one is that of another model.
    """
    steps = [set(one.steps()) for one in saved]
    for step in sorted(set.intersection(*steps), reverse=True):
        try:
            return [one.restore(step) for one in saved]
        except DamagedError as error:
            logging.error("%s Going back to the one before.", error)
    if all(steps):
        raise DamagedError(
            "no checkpoint can be read in "
            + ", ".join(str(one.folder) for one in saved)
            + ": start again in another --workdir"
        )
    return None


class _Packed(contextlib.AbstractContextManager["_Packed"]):
    """The checkpoints of a bucket, unpacked into a folder of this machine.

    Each is one object, ``<step>.zip``: orbax writes a folder of many files and
    then renames it, which no bucket can. An object is there in full or not at
    all.

    Attributes:
        folder: of one folder a step, until the context is left.
    """

    def __init__(self, bucket: storage.Path):
        self._bucket = bucket
        self._thread = futures.ThreadPoolExecutor(1)
        self._putting: futures.Future[None] | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="mfcvae_")
        self.folder = pathlib.Path(self._scratch.name, "checkpoints")
        self.folder.mkdir()
        for packed in bucket.glob("*.zip"):
            step = self.folder / packed.stem
            try:
                with packed.open("rb") as file, zipfile.ZipFile(file) as parts:
                    parts.extractall(step)
            except zipfile.BadZipFile as error:
                logging.error("%s cannot be read: %s", packed, error)
                shutil.rmtree(step, ignore_errors=True)

    def __exit__(self, *exception) -> None:
        """Removes the folder."""
        self._thread.shutdown()
        self._scratch.cleanup()

    def begin_to_put(self, step: int, manager: ocp.CheckpointManager) -> None:
        """Puts a checkpoint into the bucket as soon as its save is over.

        The manager, of the folder, must not be used before ``wait``.
        """
        self._putting = self._thread.submit(self._put, step, manager)

    def wait(self) -> None:
        """Waits for the last ``begin_to_put``, and raises what it raised."""
        putting, self._putting = self._putting, None
        if putting is not None:
            putting.result()

    def _put(self, step: int, manager: ocp.CheckpointManager) -> None:
        manager.wait_until_finished()
        file = pathlib.Path(self._scratch.name, f"{step}.zip")
        folder = self.folder / str(step)
        try:
            with zipfile.ZipFile(file, "w") as parts:  # floats hardly shrink
                for part in sorted(folder.rglob("*")):
                    parts.write(part, part.relative_to(folder))
            storage.upload(file, self._bucket / file.name)
        except Exception:  # what is not in the bucket is not saved
            shutil.rmtree(folder)
            raise
        file.unlink()
        names = {f"{one}.zip" for one in manager.all_steps()}
        for packed in self._bucket.glob("*.zip"):
            if packed.name not in names:
                packed.unlink()


class _Manager(ocp.CheckpointManager):
    """One that a damaged bound does not keep from opening the folder."""

    def metrics(self, step: int) -> Any:
        try:
            return super().metrics(step)
        except Exception as error:
            logging.error(
                "the held-out bound of checkpoint %s cannot be read, so it "
                "does not count as the best. (%s)",
                self.directory / str(step),
                _in_brief(error),
            )
            return None


@functools.cache
def _let_one_error_speak() -> None:
    """Lets the first array that fails speak for all the others.

    Orbax reads or writes all arrays at once and leaves at the first error; what
    becomes of the others would be reported one by one, in tracebacks. It may be
    long after the checkpoints are closed, so this is never undone.
    """
    hook = sys.unraisablehook

    def without_closed_loops(unraisable):
        if str(unraisable.exc_value) != "Event loop is closed":
            hook(unraisable)

    def is_of_another(record):
        message = record.getMessage()
        return "orbax" not in message and "tensorstore" not in message

    sys.unraisablehook = without_closed_loops
    standard_logging.getLogger("asyncio").addFilter(is_of_another)


def _in_brief(error: Exception) -> str:
    """An error in a line; tensorstore tells all that it was given to do."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 300 else text[:297] + "..."
