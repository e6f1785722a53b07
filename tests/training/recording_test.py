# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Training in memory: no disk is used."""

import os
import subprocess
import sys

import pytest

_FIT = """
import os, sys, threading
import numpy as np
from mfcvae_jax import Facet, MultiFacetClustering

seen = []
def hook(event, args):
    if event == "open":
        path, _, flags = args
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen.append((event, path))
    elif event in ("subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn",
                   "os.system", "os.mkdir", "os.rename", "os.remove"):
        seen.append((event, args[0] if args else None))

x = np.random.default_rng(0).normal(size=(60, 6))
sys.addaudithook(hook)
model = MultiFacetClustering([Facet(4, 2)], epochs=2, random_state=0).fit(x)
hidden = sorted({"orbax", "tensorboardX"} & set(sys.modules))
print(seen, hidden, model.labels_.shape, len(model.history_) > 0)
"""


@pytest.mark.slow
def test_fit_writes_no_file_and_starts_no_process():
    # scikit-learn would ask a program how many cores there are.
    own = {"TMPDIR": "/proc", "LOKY_MAX_CPU_COUNT": "1"}
    environment = os.environ | own
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-B", "-c", _FIT],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout == "[] [] (60, 1) True\n", done.stderr
