# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where metrics go: JSON lines and TensorBoard."""

import json
from collections.abc import Mapping
from typing import Any

import tensorboardX

from mfcvae_jax.workdir import Workdir

__all__ = ["MetricsWriter"]


class MetricsWriter:
    """Appends records to metrics.jsonl and to TensorBoard event files.

    A record is one flat dict with ``step`` (optimiser steps), ``epoch``,
    ``split`` and numbers in nats per example or in [0, 1], or of the speed;
    values that are not finite are written as null. Use it as a context manager.

    Args:
        workdir: of the run.
        after_step: records of later steps are dropped first; they belong to
            steps that a resumed run takes again.
    """

    def __init__(self, workdir: Workdir, after_step: int):
        kept = [r for r in workdir.records() if r["step"] <= after_step]
        part = workdir.metrics.with_suffix(".part")
        part.write_text("".join(json.dumps(r) + "\n" for r in kept))
        part.replace(workdir.metrics)
        self._file = workdir.metrics.open("a")
        self._tensorboard = tensorboardX.SummaryWriter(
            str(workdir.tensorboard), purge_step=after_step + 1
        )

    def __enter__(self) -> "MetricsWriter":
        """Returns itself."""
        return self

    def __exit__(self, *exception) -> None:
        """Writes out what is buffered."""
        self._file.close()
        self._tensorboard.close()

    def write(
        self, step: int, epoch: float, split: str, values: Mapping[str, float]
    ) -> None:
        """Writes one record.

        Args:
            step: optimiser steps taken.
            epoch: the same in epochs.
            split: 'train', 'test' or 'speed'.
            values: numbers by name.
        """
        record: dict[str, Any] = {"step": step, "epoch": epoch, "split": split}
        for name, value in values.items():
            is_finite = abs(value) < float("inf")
            record[name] = float(f"{value:.8g}") if is_finite else None
            if is_finite:
                self._tensorboard.add_scalar(f"{split}/{name}", value, step)
        self._file.write(json.dumps(record) + "\n")
        # A run that is killed keeps what it had computed.
        self._file.flush()
