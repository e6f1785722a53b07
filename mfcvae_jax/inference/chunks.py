# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Work in chunks of one size, so that memory is bounded and one program serves.

A short last chunk is filled up with zeros, and what they give is dropped: the
draws for the rows do not depend on it.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mfcvae_jax import forking

__all__ = ["in_chunks"]


def in_chunks(call: Callable[..., Any], size: int, *rows: np.ndarray) -> Any:
    """Calls a function on chunks of rows.

    Args:
        call: takes (index, *chunk), where chunk has ``size`` rows of each
            array, and returns a tree of arrays with as many rows.
        size: of a chunk.
        *rows: arrays of N rows each, N >= 1.

    Returns:
        What the calls return, set end to end, N rows.

    Raises:
        RuntimeError: in a forked process, where JAX would hang.
    """
    forking.check()
    found = []
    for index, start in enumerate(range(0, len(rows[0]), size)):
        n = min(size, len(rows[0]) - start)
        chunk = [
            np.pad(
                np.asarray(part[start : start + n]),
                [(0, size - n)] + [(0, 0)] * (part.ndim - 1),
            )
            for part in rows
        ]
        of_chunk = call(index, *chunk)
        found.append(jax.tree.map(lambda a, n=n: np.asarray(a)[:n], of_chunk))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)
