# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Settings that hold for every test; read before jax is imported."""

import ctypes
import importlib.metadata
import os
import sys
import tempfile

import hypothesis
import pytest

# Numbers are compared across machines, so an accelerator must be asked for.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")
# The workers of a test run have the cores; more threads wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Compiling is most of the time of these tests: less optimised, it takes less.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if importlib.metadata.version("jaxlib").startswith("0.10."):
    # Halves that, with the older emitters: users of 0.10 get others, which
    # these tests do not run. Later versions end at once at an unknown flag.
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_cpu_use_fusion_emitters=false "
        "--xla_cpu_parallel_codegen_split_count=1",
    )
# Files, workers and processes that tests start share what they compile.
# The next run starts afresh: a write that a test interrupts is never mended.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="mfcvae_tests_")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# The first example of a property pays for compilation, which is no failure.
hypothesis.settings.register_profile(
    "jit", parent=hypothesis.settings(), deadline=None
)
hypothesis.settings.load_profile("jit")


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled_programs():
    """Frees what a file compiled: hardly any of it serves another file."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)  # glibc keeps what is freed


def pytest_collection_modifyitems(items):
    """Slow files come first, or one worker has them at the end, alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
