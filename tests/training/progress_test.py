# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is shown of a run, and its clock, with time that we set."""

import contextlib
import io
from unittest import mock

import pytest

from mfcvae_jax.training import progress


class _Clock(progress.Clock):
    now = 0.0

    def take(self, n, seconds):
        """Takes steps that last so long."""
        with self.steps(n):
            self.now += seconds


@pytest.fixture
def timed(monkeypatch):
    made = _Clock()
    monkeypatch.setattr(progress.time, "perf_counter", lambda: made.now)
    return made


def test_first_dispatch_of_a_length_is_told_apart(timed):
    timed.take(10, 7.0)  # 5 s of compilation, 2 s of steps
    timed.take(10, 2.0)
    timed.take(5, 4.0)  # 3 s and 1 s
    timed.take(10, 2.0)
    assert timed.read(batch_size=3, n_seeds=2) == {
        "steps_per_second": 5.0,
        "examples_per_second": 30.0,
        "compile_seconds": 8.0,
    }


def test_reading_starts_anew_but_what_is_compiled_stays_so(timed):
    timed.take(10, 7.0)
    assert timed.read(1, 1) == {"compile_seconds": 7.0}
    timed.take(10, 4.0)
    assert timed.read(1, 1) == {
        "steps_per_second": 2.5,
        "examples_per_second": 2.5,
    }


def test_memory_is_told_where_the_backend_knows_it(timed):
    device = mock.Mock(memory_stats=lambda: {"peak_bytes_in_use": 3e9})
    with mock.patch.object(progress.jax, "local_devices", lambda: [device]):
        assert timed.read(1, 1) == {"device_peak_gb": 3.0}


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
