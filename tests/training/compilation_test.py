# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of compiled programs: filled, read, mended, and left again."""

import os
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import pytest
from absl.testing import absltest

from mfcvae_jax.training import compilation


class CacheTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder) / "compiled"
        self.before = jax.config.values["jax_compilation_cache_dir"]

    def _entries(self):
        return set(self.folder.glob("*-cache"))

    def _compile(self, n):
        """A program that takes long enough to compile to be worth keeping."""

        def program(x):
            for i in range(n):
                x = jnp.sort(jnp.sin(x * i) @ x)
            return x

        jax.jit(program)(jnp.eye(5)).block_until_ready()

    @pytest.mark.slow
    def test_is_filled_within_and_only_there(self):
        with compilation.cache_in(self.folder):
            self.assertTrue((self.folder / "in_use").exists())
            self._compile(200)
        kept = self._entries()
        self.assertNotEmpty(kept)
        self.assertFalse((self.folder / "in_use").exists())
        self.assertEqual(
            jax.config.values["jax_compilation_cache_dir"], self.before
        )
        self._compile(201)
        self.assertEqual(self._entries(), kept)

    def test_last_entry_is_dropped_after_a_crash_and_no_other(self):
        self.folder.mkdir()
        for i, name in enumerate(("a-cache", "c-cache", "b-cache")):
            path = self.folder / name
            path.write_bytes(b"?")
            # Each a second younger than the one before.
            os.utime(path, (1_000_000_000 + i, 1_000_000_000 + i))
        with compilation.cache_in(self.folder):
            self.assertLen(self._entries(), 3)
        (self.folder / "in_use").touch()
        with compilation.cache_in(self.folder):
            pass
        self.assertEqual(
            {path.name for path in self._entries()}, {"a-cache", "c-cache"}
        )

    def test_no_folder_changes_nothing(self):
        with compilation.cache_in(None):
            self.assertEqual(
                jax.config.values["jax_compilation_cache_dir"], self.before
            )
