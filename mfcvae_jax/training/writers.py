# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where metrics go: JSON lines and TensorBoard."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

import tensorboardX
from tensorboardX.proto import event_pb2, summary_pb2

from mfcvae_jax import storage
from mfcvae_jax.workdir import Workdir

__all__ = ["MetricsWriter"]

_FLUSH_SECONDS = 30  # of TensorBoard's file; the other is flushed each time
_BUCKET_SECONDS = 120  # where each file is put anew as a whole


class MetricsWriter(contextlib.AbstractContextManager["MetricsWriter"]):
    """Appends records to metrics.jsonl and to TensorBoard event files.

    Args:
        workdir: of the run.
        after_step: records of later steps are dropped first; they belong to
            steps that a resumed run takes again.

    Raises:
        NotWrittenError: if the disk is full; so do all methods.
    """

    def __init__(self, workdir: Workdir, after_step: int):
        self._workdir = workdir
        kept = [r for r in workdir.records() if r["step"] <= after_step]
        # TensorBoard reads files in the order of their names.
        name = f"{time.time_ns():019d}.{socket.gethostname()}.{os.getpid()}"
        self._growing = storage.Growing(workdir.path)
        metrics = self._growing.at(workdir.metrics)
        events = self._growing.at(
            workdir.tensorboard / f"events.out.tfevents.{name}"
        )
        with workdir.writing():
            storage.write(metrics, "".join(json.dumps(r) + "\n" for r in kept))
            self._file = metrics.open("a")
            # tensorboardX's own writer has a thread, and when that fails, say
            # on a full disk, the caller waits for it for ever.
            events.parent.mkdir(parents=True, exist_ok=True)
            self._events = tensorboardX.RecordWriter(str(events))
            self._add_event(file_version="brain.Event:2")
            # TensorBoard hides the steps of older files from this one on.
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._add_event(step=after_step + 1, session_log=start)
            self.publish()

    def __exit__(self, *exception) -> None:
        """Writes out what is buffered."""
        with (
            self._workdir.writing(),
            contextlib.closing(self._growing),
            contextlib.closing(self._events),
            contextlib.closing(self._file),
        ):
            self.publish()

    def write(self, record: Mapping[str, Any]) -> None:
        """Writes one record, see ``Recorder.record``."""
        finite = [
            summary_pb2.Summary.Value(
                tag=f"{record['split']}/{name}", simple_value=value
            )
            for name, value in record.items()
            if name not in ("step", "epoch", "split") and value is not None
        ]
        summary = summary_pb2.Summary(value=finite)
        with self._workdir.writing():
            self._file.write(json.dumps(record) + "\n")
            # A run that is killed keeps what it had computed.
            self._file.flush()
            self._add_event(step=record["step"], summary=summary)
            if time.monotonic() > self._next_publication:
                self.publish()

    def publish(self) -> None:
        """Shows what was written to those who read the workdir.

        Records of a folder are seen as soon as they are written; a bucket's are
        not, since its files can only be written as a whole.
        """
        with self._workdir.writing():
            self._events.flush()
            self._growing.publish()
        in_bucket = storage.is_bucket(self._workdir.path)
        seconds = _BUCKET_SECONDS if in_bucket else _FLUSH_SECONDS
        self._next_publication = time.monotonic() + seconds

    def _add_event(self, **fields: Any) -> None:
        event = event_pb2.Event(wall_time=time.time(), **fields)
        self._events.write(event.SerializeToString())
