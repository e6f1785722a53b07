# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The clock: compilation apart from steps, with time that we set."""

from unittest import mock

from absl.testing import absltest

from mfcvae_jax.training import clock


class ClockTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.enterContext(
            mock.patch.object(clock.time, "perf_counter", lambda: self.now)
        )
        self.clock = clock.Clock()

    def _steps(self, n, seconds):
        with self.clock.steps(n):
            self.now += seconds

    def test_first_dispatch_of_a_length_is_told_apart(self):
        self._steps(10, 7.0)  # 5 s of compilation, 2 s of steps
        self._steps(10, 2.0)
        self._steps(5, 4.0)  # 3 s and 1 s
        self._steps(10, 2.0)
        found = self.clock.read(batch_size=3, n_seeds=2)
        self.assertEqual(
            found,
            {
                "steps_per_second": 5.0,
                "examples_per_second": 30.0,
                "compile_seconds": 8.0,
            },
        )

    def test_reading_starts_anew_but_what_is_compiled_stays_so(self):
        self._steps(10, 7.0)
        self.assertEqual(self.clock.read(1, 1), {"compile_seconds": 7.0})
        self._steps(10, 4.0)
        found = self.clock.read(1, 1)
        self.assertEqual(found["steps_per_second"], 2.5)
        self.assertNotIn("compile_seconds", found)

    def test_memory_is_told_where_the_backend_knows_it(self):
        device = mock.Mock(memory_stats=lambda: {"peak_bytes_in_use": 3e9})
        with mock.patch.object(clock.jax, "local_devices", lambda: [device]):
            self.assertEqual(self.clock.read(1, 1), {"device_peak_gb": 3.0})
