# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How fast a run is, apart from what it spends on compilation and scores."""

import contextlib
import time
from collections.abc import Iterator

import jax

__all__ = ["Clock"]


class Clock:
    """Times the dispatches of a run.

    The first dispatch of each length has to be compiled, so it is timed apart;
    what it took beyond its steps, at the rate of the others, is compilation.
    """

    def __init__(self):
        self._known: set[int] = set()
        self._reset()

    def _reset(self) -> None:
        self._n_steps = self._n_first_steps = 0
        self._seconds = self._first_seconds = 0.0

    def knows(self, n_steps: int) -> bool:
        """Whether a dispatch of that length has been taken, so is compiled."""
        return n_steps in self._known

    @contextlib.contextmanager
    def steps(self, n_steps: int) -> Iterator[None]:
        """Times one dispatch of so many steps, until its results are there."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        if n_steps in self._known:
            self._n_steps += n_steps
            self._seconds += seconds
        else:
            self._known.add(n_steps)
            self._n_first_steps += n_steps
            self._first_seconds += seconds

    def read(self, batch_size: int, n_seeds: int) -> dict[str, float]:
        """Returns what was measured since the last reading.

        ``compile_seconds``, if anything was compiled; ``steps_per_second`` of
        every seed and ``examples_per_second`` of all together, if there were
        other dispatches; and ``device_peak_gb``, the most memory that was ever
        in use on a device, where the backend tells.
        """
        values = {}
        if self._n_steps:
            rate = self._n_steps / self._seconds
            values["steps_per_second"] = rate
            values["examples_per_second"] = rate * batch_size * n_seeds
        if self._n_first_steps:
            second_per_step = self._seconds / max(self._n_steps, 1)
            values["compile_seconds"] = max(
                self._first_seconds - self._n_first_steps * second_per_step, 0.0
            )
        stats = jax.local_devices()[0].memory_stats() or {}
        if "peak_bytes_in_use" in stats:
            values["device_peak_gb"] = stats["peak_bytes_in_use"] / 1e9
        self._reset()
        return values
