# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Training in memory: what is kept, what is shown, and that no disk is used."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from mfcvae_jax.training import progress

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
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "JAX_COMPILATION_CACHE_DIR"
    }
    done = subprocess.run(
        [sys.executable, "-B", "-c", _FIT],
        capture_output=True,
        text=True,
        # scikit-learn would ask a program how many cores there are.
        env={**environment, "TMPDIR": "/proc", "LOKY_MAX_CPU_COUNT": "1"},
    )
    assert done.stdout == "[] [] (60, 1) True\n", done.stderr


class _Stream(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


def _shown(is_shown, is_terminal):
    """What is shown of 20 steps in five dispatches, the first compiled."""
    stream = _Stream(is_terminal)
    with (
        contextlib.redirect_stderr(stream),
        progress.Progress(20, 0, is_shown) as shown,
    ):
        for i in range(5):
            shown.take(4, f"part {i}", is_compiled=i > 0)
    return stream.getvalue()


@pytest.mark.parametrize(
    "is_shown, is_terminal, text",
    [
        (
            True,
            False,
            "step 8 of 20 | part 1\nstep 12 of 20 | part 2\n"
            "step 16 of 20 | part 3\nstep 20 of 20 | part 4\n",
        ),
        (None, False, ""),
        (False, False, ""),
        (False, True, ""),
    ],
)
def test_few_lines_if_asked_where_there_is_no_terminal(
    is_shown, is_terminal, text
):
    assert _shown(is_shown, is_terminal) == text


@pytest.mark.parametrize("is_shown", [None, True])
def test_bar_in_a_terminal_does_not_count_compilation(is_shown):
    text = _shown(is_shown, is_terminal=True)
    first = next(line for line in text.split("\r") if " 4/20 " in line)
    # No step was timed yet, so no time is foretold.
    assert "<?" in first
    assert "20/20" in text
