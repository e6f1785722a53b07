# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a run's files lie: in a folder of this machine, or in a bucket.

This file alone knows what a bucket cannot do, and what stands in for it:

locks              an object that says who trains, and is written again every
                   half minute; see ``held``
renames            none are needed: an object is there in full or not at all
appended files     a copy on this machine, put as a whole; see ``Growing``
folders            none: a name with slashes is enough
"""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import TypeAlias

import fsspec
from absl import logging
from etils import epath

__all__ = [
    "BusyError",
    "Growing",
    "Path",
    "create",
    "failures",
    "held",
    "is_bucket",
    "locate",
    "make_folder",
    "mend",
    "room",
    "upload",
    "write",
]

Path: TypeAlias = pathlib.Path | epath.Path

_PACKAGES = {"gs": "gcsfs", "s3": "s3fs"}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFRESH_SECONDS = 30
_ABANDONED_SECONDS = 180


class BusyError(RuntimeError):
    """Another process has the lock."""


def locate(address: str | os.PathLike[str]) -> Path:
    """Finds the absolute path of a folder, or a place in a bucket.

    Args:
        address: a path of this machine, ``gs://bucket/run`` or
            ``s3://bucket/run``.

    Raises:
        ValueError: if it is an address, but none of these.
        ImportError: if the package that reaches the bucket is not installed.
    """
    text = os.fspath(address)
    # As a path of this machine, "gs://bucket" would be a folder called "gs:".
    scheme = re.match(r"([A-Za-z][\w+.-]+):/", text)
    if not scheme:
        return pathlib.Path(text).expanduser().resolve()
    if not re.match(r"(gs|s3)://[^/]", text):
        raise ValueError(
            f"{text} is an address, but not of a bucket: expected "
            "gs://bucket/run, s3://bucket/run or a folder of this machine (a "
            "pathlib.Path loses one of the slashes: pass a string)"
        )
    try:
        backend = fsspec.get_filesystem_class(scheme[1])
    except ImportError as error:
        package = _PACKAGES[scheme[1]]
        raise ImportError(
            f"{text} cannot be reached without the package {package}: pip "
            f"install {package} ({error})"
        ) from error
    # Others write there, too, so a listing must not be remembered.
    for name in backend.protocol:
        of_scheme = fsspec.config.conf.setdefault(name, {})
        of_scheme.setdefault("use_listings_cache", False)
    # TensorFlow, where it is installed, would be taken instead of fsspec.
    os.environ.setdefault("EPATH_USE_TF", "false")
    return epath.Path(text)


def is_bucket(path: Path) -> bool:
    """Whether a path is that of an object in a bucket."""
    return isinstance(path, epath.Path)


def failures(path: Path) -> type[Exception]:
    """Returns what a read or a write of a path raises if it fails.

    The libraries of buckets have errors of their own for a network that is
    down, or for missing credentials.
    """
    return Exception if is_bucket(path) else OSError


def room(path: Path) -> str:
    """Says for an error how much room there is, where that is known."""
    if is_bucket(path):
        return ""
    there = next(p for p in (path, *path.parents) if p.exists())
    return f", where {shutil.disk_usage(there).free / 1e6:.1f} MB are free"


def mend(path: Path, error: Exception | None = None) -> str:
    """Says what to do about a write that failed, by default on a full disk."""
    if is_bucket(path):
        return (
            "see that the bucket is there, that this machine reaches it, that "
            "you may write there,"
        )
    if isinstance(error, OSError) and error.errno not in _FULL:
        return "mend that"
    return "make room"


def make_folder(path: Path) -> None:
    """Makes a folder with its parents, unless it is there."""
    if not is_bucket(path):  # where it might make a bucket
        path.mkdir(parents=True, exist_ok=True)


def write(path: Path, text: str) -> None:
    """Writes a file, UTF-8, that is either there in full or not at all."""
    if is_bucket(path):
        path.write_bytes(text.encode())
        return
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def create(path: Path) -> bool:
    """Makes an empty file; returns whether there was none before.

    Of several processes at the same time, one gets True.
    """
    with contextlib.suppress(FileExistsError):
        if is_bucket(path):
            _put(path, b"", mode="create")
        else:
            path.open("x").close()
        return True
    return False


def upload(file: pathlib.Path, path: Path) -> None:
    """Puts a file of this machine into a bucket, in full or not at all."""
    system, key = fsspec.url_to_fs(os.fspath(path))
    system.put_file(str(file), key)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the file ``lock`` of a folder that is there.

    In a folder of this machine the system holds it, and lets go of it when the
    process ends. In a bucket it says which process holds it and when it last
    said so; it is free if that process is gone from this machine, or has said
    nothing for three minutes. What it cannot prevent: two processes that take
    a lock in the same instant after it was used before, or a process that was
    halted for longer and wakes up beside the one that has taken over.

    Raises:
        BusyError: if another process has it.
    """
    lock = folder / "lock"
    busy = (
        f"another process is training in workdir {folder}: wait for it, stop "
        "it, or choose another --workdir"
    )
    if not is_bucket(folder):
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(busy) from None
            yield
        return
    if not create(lock) and _is_alive(holder := lock.read_bytes()):
        raise BusyError(f"{busy} ({lock} says {holder.decode()})")
    _sign(lock)
    is_over = threading.Event()
    refresher = threading.Thread(
        target=_keep_signing, args=(lock, is_over), daemon=True
    )
    refresher.start()
    try:
        yield
    finally:
        is_over.set()
        refresher.join()
        try:
            _put(lock, b"")
        except Exception as error:
            logging.warning("%s is free in three minutes: %s", lock, error)


class Growing:
    """Files that are written bit by bit, in a workdir.

    In a bucket no file grows. There they are written on this machine, and put
    as a whole now and then. Close it at the end.
    """

    def __init__(self, workdir: Path):
        self._scratch = None
        self._files: dict[pathlib.Path, Path] = {}
        if is_bucket(workdir):
            self._scratch = tempfile.TemporaryDirectory(prefix="mfcvae_")

    def at(self, path: Path) -> pathlib.Path:
        """Returns where to write a file of the workdir, on this machine."""
        if self._scratch is None:
            return pathlib.Path(path)
        file = pathlib.Path(self._scratch.name, path.name)
        self._files[file] = path
        return file

    def publish(self) -> None:
        """Puts what was written into the bucket, if the workdir is in one."""
        for file, path in self._files.items():
            upload(file, path)

    def close(self) -> None:
        """Removes what was written on this machine for a bucket."""
        if self._scratch is not None:
            self._scratch.cleanup()


def _put(path: Path, content: bytes, mode: str = "overwrite") -> None:
    """Writes an object; with mode "create" only if there is none."""
    system, key = fsspec.url_to_fs(os.fspath(path))
    system.pipe_file(key, content, mode=mode)


def _sign(lock: Path) -> None:
    here = {"host": socket.gethostname(), "pid": os.getpid()}
    _put(lock, json.dumps(here | {"time": time.time()}).encode())


def _keep_signing(lock: Path, is_over: threading.Event) -> None:
    while not is_over.wait(_REFRESH_SECONDS):
        try:
            _sign(lock)
        except Exception as error:  # the next one may succeed
            logging.warning("%s could not be refreshed: %s", lock, error)


def _is_alive(signature: bytes) -> bool:
    """Whether the process that signed a lock may still be at work."""
    if not signature:
        return False
    holder = json.loads(signature)
    if holder["host"] == socket.gethostname():
        try:
            os.kill(holder["pid"], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it is another user's
    return time.time() - holder["time"] < _ABANDONED_SECONDS
