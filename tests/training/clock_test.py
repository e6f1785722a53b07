# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The clock: compilation apart from steps, with time that we set."""

from unittest import mock

import pytest

from mfcvae_jax.training import clock


class _Clock(clock.Clock):
    now = 0.0

    def take(self, n, seconds):
        """Takes steps that last so long."""
        with self.steps(n):
            self.now += seconds


@pytest.fixture
def timed(monkeypatch):
    made = _Clock()
    monkeypatch.setattr(clock.time, "perf_counter", lambda: made.now)
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
    with mock.patch.object(clock.jax, "local_devices", lambda: [device]):
        assert timed.read(1, 1) == {"device_peak_gb": 3.0}
