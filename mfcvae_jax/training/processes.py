# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run in several processes: how they find, ask and tell each other.

All of them run the same loop on their own devices. Process 0 alone writes.
"""

import atexit
import contextlib
import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator

import jax
import numpy as np
from jax.experimental import multihost_utils

__all__ = [
    "LostError",
    "any_of",
    "explained",
    "is_main",
    "leave",
    "meet",
    "n_devices",
    "start",
]

# A process that is gone is missed after so long.
_HEARTBEAT_SECONDS = 30
# At the end, all wait for process 0, which scores and draws: as long as it
# lives. (One that has failed waits for nobody, see ``leave``.)
_SHUTDOWN_SECONDS = 30 * 24 * 3600

_LOST = (
    "another process of the run has ended or cannot be reached: start all "
    "processes again, with --resume"
)

_shell: subprocess.Popen[bytes] | None = None


class LostError(RuntimeError):
    """Another process of the run has ended or cannot be reached."""


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
    _report_an_abort()


def _report_an_abort() -> None:
    """Has the shell say why, should this process end without a word.

    When JAX misses another process it aborts this one, in a thread of its own,
    with a message for those who know its insides; there is no asking it not
    to. So a shell outlives this process and says what can be done, unless it
    is told that all is well.
    """
    global _shell
    # Of no use to anyone here: the stacks of all threads.
    faulthandler.disable()
    _shell = subprocess.Popen(
        [
            *("sh", "-c", 'read -r _ || printf "error: %s\\n" "$0" >&2'),
            f"process {jax.process_index()} was killed, or aborted since "
            + _LOST,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    )
    atexit.register(_say_all_is_well)


def _say_all_is_well() -> None:
    global _shell
    if _shell is not None:
        with contextlib.suppress(OSError):
            _shell.communicate(b"\n")
        _shell = None


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns what JAX raises when it loses a process into a clear error.

    Raises:
        LostError: if there are several processes, and they cannot talk.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        text = " ".join(str(error).split())
        if jax.process_count() == 1 or "RESOURCE_EXHAUSTED" in text:
            raise
        raise LostError(f"{_LOST} ({text[:300]})") from error


def leave(code: int) -> None:
    """Ends this process after an error, without waiting for the others.

    They cannot go on without it, and notice by themselves. To end as usual
    would be to wait for them first. With one process, this does nothing.
    """
    if jax.distributed.is_initialized():
        _say_all_is_well()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def n_devices() -> int:
    """Returns how many devices there are, of all processes.

    Raises:
        RuntimeError: if JAX finds none, since its platform is not here.
    """
    try:
        return jax.device_count()
    # JAX asserts that it has found one.
    except (AssertionError, RuntimeError) as error:
        platforms = jax.config.values["jax_platforms"]
        why = " ".join(str(error).split()) or type(error).__name__
        raise RuntimeError(
            f"JAX cannot use JAX_PLATFORMS={platforms}: there is no such "
            "device here, or the jaxlib installed has no part for it. Unset "
            f"JAX_PLATFORMS to use what is there ({why[:300]})"
        ) from error


def meet() -> None:
    """Waits at the end of a run until all processes have come there.

    However long the report of process 0 takes: a collective operation would
    give up after some time, JAX's shutdown only if a process is gone.
    """
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def is_main() -> bool:
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def any_of(flag: bool) -> bool:
    """Whether the flag is up in any process; all must ask."""
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))
