# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled programs that outlive the process, so that a run resumes at once."""

import contextlib
from collections.abc import Iterator

import jax
from absl import logging
from jax.experimental.compilation_cache import compilation_cache

from mfcvae_jax import storage
from mfcvae_jax.training import processes

__all__ = ["cache_in"]

# Programs that took less are compiled again, which is as fast as reading them.
_WORTH_KEEPING_SECONDS = 0.3


@contextlib.contextmanager
def cache_in(folder: storage.Path | None) -> Iterator[None]:
    """Keeps what is compiled within in a folder, and reads it from there.

    JAX does not mend an entry whose writing was cut short. So process 0, which
    alone writes, leaves a mark in the folder while it is in use, and if it
    finds one from before, drops the last entry: no other can be broken. An
    error leaves the mark, too: it may be that the disk is full. In a bucket no
    entry can be cut short, and there is no mark.

    Args:
        folder: made if need be; None leaves JAX's own settings in force.
    """
    if folder is None:
        yield
        return
    mark = folder / "in_use"
    is_marking = processes.is_main() and not storage.is_bucket(folder)
    if is_marking:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if mark.exists():
                _drop_last_entry(folder)
            mark.touch()
        except OSError as error:
            logging.warning("compiling without a cache: %s", error)
            yield
            return
    before = (
        jax.config.values["jax_compilation_cache_dir"],
        jax.config.values["jax_persistent_cache_min_compile_time_secs"],
    )
    _configure(str(folder), _WORTH_KEEPING_SECONDS)
    try:
        yield
    finally:
        _configure(*before)
    if is_marking:
        mark.unlink(missing_ok=True)


def _drop_last_entry(folder: storage.Path) -> None:
    entries = sorted(folder.glob("*-cache"), key=lambda p: p.stat().st_mtime)
    if entries:
        logging.info("dropping the last entry of the compilation cache")
        entries[-1].unlink()


def _configure(folder: str | None, seconds: float) -> None:
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
    # JAX looks at the folder's name once, at the first compilation.
    compilation_cache.reset_cache()
