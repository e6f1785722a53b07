# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""An error where JAX would wait for ever: in a fork of a process that used it.

A fork has none of the threads of its parent, and so none of those that JAX
computes with.
"""

import functools
import os

__all__ = ["check"]

_is_fork = False


def check() -> None:
    """Notes that this process uses JAX.

    Raises:
        RuntimeError: if the process was forked from one that had.
    """
    if _is_fork:
        raise RuntimeError(
            f"process {os.getpid()} was forked from one in which JAX had "
            "computed, so it would wait for ever: start processes by "
            'multiprocessing.get_context("spawn"), or use threads'
        )
    _watch()


@functools.cache
def _watch() -> None:
    os.register_at_fork(after_in_child=_note_fork)


def _note_fork() -> None:
    global _is_fork
    _is_fork = True
