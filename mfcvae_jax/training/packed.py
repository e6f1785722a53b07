# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints in a bucket: each is one object, ``<step>.zip``.

Orbax writes a checkpoint as a folder of many files and then renames the folder,
which no bucket can. An object is there in full or not at all.
"""

import contextlib
import pathlib
import shutil
import tempfile
import zipfile
from concurrent import futures

import orbax.checkpoint as ocp
from absl import logging

from mfcvae_jax import storage

__all__ = ["Packed"]


class Packed(contextlib.AbstractContextManager["Packed"]):
    """The checkpoints of a bucket, unpacked into a folder of this machine.

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
        try:
            self._upload(step)
        except Exception:  # what is not in the bucket is not saved
            shutil.rmtree(self.folder / str(step))
            raise
        names = {f"{one}.zip" for one in manager.all_steps()}
        for packed in self._bucket.glob("*.zip"):
            if packed.name not in names:
                packed.unlink()

    def _upload(self, step: int) -> None:
        file = pathlib.Path(self._scratch.name, f"{step}.zip")
        folder = self.folder / str(step)
        with zipfile.ZipFile(file, "w") as parts:  # floats hardly shrink
            for part in sorted(folder.rglob("*")):
                parts.write(part, part.relative_to(folder))
        storage.upload(file, self._bucket / file.name)
        file.unlink()
