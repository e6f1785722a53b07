# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How far a run is: a bar in a terminal, a few lines elsewhere."""

import contextlib
import sys

import tqdm

__all__ = ["Progress"]

_N_LINES = 4


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
