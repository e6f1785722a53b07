# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run in several processes: how they find, ask and tell each other.

All of them run the same loop on their own devices. Process 0 alone writes.
With one process, everything here is the identity.
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

__all__ = ["any_of", "broadcast", "gather", "is_main", "start"]

# A process that is gone is missed after so long; one that has failed waits
# so long for the others to notice.
_HEARTBEAT_SECONDS = 30
_SHUTDOWN_SECONDS = 10


def start(
    coordinator: str | None = None,
    n_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins this process to the others of a run, before any other use of JAX.

    Args:
        coordinator: host:port of process 0; what is None is taken from the
            cluster's environment (Cloud TPU, Slurm, Open MPI, Kubernetes).
        n_processes: how many there are.
        process_id: which this one is, from 0.

    Raises:
        ValueError: if the environment does not say what was not given.
        RuntimeError: if the others cannot be reached.
    """
    try:
        jax.distributed.initialize(
            coordinator,
            n_processes,
            process_id,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=_SHUTDOWN_SECONDS,
        )
    except ValueError as error:
        raise ValueError(
            f"--distributed: {error} Outside a cluster that JAX knows, give "
            "--coordinator=host:port, --n_processes and --process_id"
        ) from error


def is_main() -> bool:
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def any_of(flag: bool) -> bool:
    """Whether the flag is up in any process; all must ask."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def gather(tree: Any) -> Any:
    """Joins the arrays of all processes along their first axis.

    Args:
        tree: of NumPy arrays, of the same shapes in every process.

    Returns:
        A tree of NumPy arrays, the same in every process.
    """
    if jax.process_count() == 1:
        return tree
    return multihost_utils.process_allgather(tree, tiled=True)


def broadcast(tree: Any) -> Any:
    """Gives the arrays of process 0 to all.

    Args:
        tree: of NumPy arrays, of the same shapes in every process; only the
            values in process 0 count.

    Returns:
        A tree of NumPy arrays.
    """
    if jax.process_count() == 1:
        return tree
    return multihost_utils.broadcast_one_to_all(tree)
