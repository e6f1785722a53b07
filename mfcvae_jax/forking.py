# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""An error where JAX would wait for ever: in a fork of a process that used it.

A fork has none of the threads of its parent, and so none of those that JAX
computes with.
"""

import functools
import os

__all__ = ["check"]

# The process that used JAX first; a fork has it from its parent.
_first_user = functools.cache(os.getpid)


def check() -> None:
    """Notes that this process uses JAX.

    Raises:
        RuntimeError: if the process was forked from one that had.
    """
    if os.getpid() != _first_user():
        raise RuntimeError(
            f"process {os.getpid()} was forked from one in which JAX had "
            "computed, so it would wait for ever: start processes by "
            'multiprocessing.get_context("spawn"), or use threads'
        )
