# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How far a run is, and how fast.

A bar in a terminal, a few lines elsewhere; what compilation and scores take
counts for neither.
"""

import contextlib
import sys
import time
from collections.abc import Iterator

import jax
import tqdm

__all__ = ["Clock", "Progress"]

_N_LINES = 4


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


class Progress(contextlib.AbstractContextManager["Progress"]):
    """Shows the steps that are taken.

    Args:
        n_steps: of the whole run.
        step: taken before.
        is_shown: whether to draw a bar in a terminal or a notebook, and to
            write a few lines elsewhere; None for a bar or nothing.

    Attributes:
        is_bar: whether there is a bar.
    """

    def __init__(self, n_steps: int, step: int, is_shown: bool | None):
        is_screen = sys.stderr.isatty() or "ipykernel" in type(
            sys.stderr
        ).__module__.split(".")
        self.is_bar = is_shown is not False and is_screen
        self._has_lines = bool(is_shown) and not self.is_bar
        self._bar = tqdm.tqdm(
            total=n_steps,
            initial=step,
            unit="step",
            mininterval=1.0,
            disable=not self.is_bar,
        )
        self._n_steps, self._step = n_steps, step

    def __exit__(self, *exception) -> None:
        """Leaves the bar as it is."""
        self._bar.close()

    def take(self, n_steps: int, text: str, *, is_compiled: bool) -> None:
        """Counts steps that were just taken, and shows a text on them.

        If their program had to be compiled, their time says nothing of the time
        that is left.
        """
        before, self._step = self._step, self._step + n_steps
        if self.is_bar:
            self._bar.set_postfix_str(text, refresh=False)
            if is_compiled:
                self._bar.update(n_steps)
            else:
                self._bar.n += n_steps
                self._bar.initial += n_steps
                self._bar.unpause()
                self._bar.refresh()
        elif self._has_lines and (
            self._step * _N_LINES // self._n_steps
            > before * _N_LINES // self._n_steps
        ):
            sys.stderr.write(f"step {self._step} of {self._n_steps} | {text}\n")
