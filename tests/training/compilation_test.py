# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of compiled programs: filled, read, mended, and left again."""

import os

import jax
import jax.numpy as jnp
import pytest

from mfcvae_jax.training import compilation


def _current():
    return jax.config.values["jax_compilation_cache_dir"]


def _compile(n):
    """A program that takes long enough to compile to be worth keeping."""

    def program(x):
        for i in range(n):
            x = jnp.sort(jnp.sin(x * i) @ x)
        return x

    jax.jit(program)(jnp.eye(5)).block_until_ready()


@pytest.mark.slow
def test_is_filled_within_and_only_there(tmp_path):
    before, folder = _current(), tmp_path / "compiled"
    with compilation.cache_in(folder):
        assert (folder / "in_use").exists()
        _compile(200)
    kept = set(folder.glob("*-cache"))
    assert kept
    assert not (folder / "in_use").exists()
    assert _current() == before
    _compile(201)
    assert set(folder.glob("*-cache")) == kept


def test_last_entry_is_dropped_after_a_crash_and_no_other(tmp_path):
    names = ["a-cache", "c-cache", "b-cache"]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(b"?")
        # Each a second younger than the one before.
        os.utime(tmp_path / name, (1_000_000_000 + i, 1_000_000_000 + i))
    with compilation.cache_in(tmp_path):
        assert sorted(os.listdir(tmp_path)) == sorted([*names, "in_use"])
    (tmp_path / "in_use").touch()
    with compilation.cache_in(tmp_path):
        pass
    assert sorted(os.listdir(tmp_path)) == ["a-cache", "c-cache"]


def test_no_folder_changes_nothing():
    before = _current()
    with compilation.cache_in(None):
        assert _current() == before
