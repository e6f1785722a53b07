# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How a signal ends training: between two steps, with the state saved."""

import signal
import threading
from types import FrameType
from typing import Any

from absl import logging

__all__ = ["StopRequest", "Stopped"]


class Stopped(Exception):
    """A signal, ``signum``, ended training early; the state was saved."""

    def __init__(self, signum: int, step: int):
        super().__init__(
            f"stopped by {signal.Signals(signum).name} at step {step}; the "
            "state is saved: continue with --resume"
        )
        self.signum = signum


class StopRequest:
    """Notes one SIGINT or SIGTERM in ``signum`` instead of dying of it."""

    def __init__(self):
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        """Takes over the two signals and returns itself."""
        # Python allows handlers in the main thread only; elsewhere, a caller
        # such as a notebook server handles signals itself.
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(self, *exception) -> None:
        """Gives the signals back to whoever had them."""
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        logging.info(
            "%s: saving the state and stopping; again to stop at once",
            signal.Signals(signum).name,
        )
        self.__exit__()
