# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""One program: the same results on any devices, for any number of seeds."""

import functools

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax.datasets import batches
from mfcvae_jax.training import devices, steps
from tests.training import device_cases


@functools.cache
def _result(n_visible, net, **kwargs):
    """A result from a process that sees so many devices."""
    job = device_cases.pool(n_visible).submit(
        device_cases.result, net, **kwargs
    )
    return job.result()


def tearDownModule():
    """Ends the process that sees eight devices, which holds a gigabyte."""
    device_cases.pool(8).shutdown()
    device_cases.pool.cache_clear()
    _result.cache_clear()


def _assert_close(ours, theirs, rtol, atol):
    assert len(ours) == len(theirs)
    for left, right in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(left, right, rtol, atol)


def _rms(array):
    return np.sqrt(np.mean(np.square(np.float64(array))))


@pytest.mark.slow
class DevicesTest(parameterized.TestCase):
    """50 steps with batch norm, a stage, its warm-up and price among them."""

    @parameterized.parameters(("dense", 8), ("conv", 4))
    def test_any_number_of_devices_is_one(self, net, n_devices):
        (one,) = _result(8, net, n_devices=1)
        (several,) = _result(8, net, n_devices=n_devices)
        _assert_close(several, one, 1e-9, 1e-9)

    @pytest.mark.thorough
    def test_in_single_precision_to_a_tenth_of_a_percent(self):
        """Of the root mean square of each array.

        Not of each entry: where a unit is just about to fire, rounding decides
        whether it does, so single entries are far off on one processor or
        another. There are few of them on any.
        """
        one, several = (
            _result(8, "dense", n_devices=n, is_double=False)[0] for n in (1, 8)
        )
        for ours, theirs in zip(several, one, strict=True):
            error = _rms(np.float64(ours) - theirs)
            self.assertLess(error, 1e-3 * (1 + _rms(theirs)))

    def test_large_data_fed_in_chunks_are_the_same(self):
        kwargs = {"net": "small", "n_devices": 1, "seeds": (0, 1, 2)}
        whole = _result(8, **kwargs)
        fed = _result(8, **kwargs, on_device_bytes=0)
        for ours, theirs in zip(fed, whole, strict=True):
            _assert_close(ours, theirs, 1e-12, 1e-12)


@pytest.mark.slow
class SeedsTest(parameterized.TestCase):
    @parameterized.parameters(("dense", 1), ("dense", 2))
    def test_each_of_several_seeds_is_the_single_run(self, net, n_devices):
        together = _result(8, net, n_devices=n_devices, seeds=(0, 1, 2))
        for seed in (0, 2):
            (alone,) = _result(8, net, n_devices=1, seeds=(seed,))
            _assert_close(together[seed], alone, 1e-9, 1e-9)

    def test_neighbours_do_not_matter(self):
        """To the last bit, as long as there are as many of them."""
        ours = _result(8, "dense", n_devices=1, seeds=(0, 1, 2))
        other = _result(8, "dense", n_devices=1, seeds=(7, 1, 5))
        for left, right in zip(ours[1], other[1], strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.slow
class ProcessesTest(absltest.TestCase):
    def test_two_processes_of_two_devices_are_one(self):
        cases = [
            # Two facets with views, a warm-up and a price.
            {"net": "dense"},
            # Each process gathers its share of every batch.
            {"net": "small", "on_device_bytes": 0},
            # Each process has seeds of its own.
            {"net": "small", "seeds": (0, 1, 2)},
        ]
        of_processes = device_cases.results_of_processes(2, 2, cases)
        self.assertLen(of_processes, 2)
        for i, case in enumerate(cases):
            one = _result(8, **case, n_devices=1)
            for found in of_processes:
                with self.subTest(case):
                    for ours, theirs in zip(found[i], one, strict=True):
                        _assert_close(ours, theirs, 1e-9, 1e-9)


class ProgramTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.stepper = device_cases.make_stepper("small")
        self.device = jax.devices()[0]

    def test_batch_that_cannot_be_split_names_both_numbers(self):
        with self.assertRaisesRegex(ValueError, "batch_size=10 .* 4 devices"):
            devices.Program(self.stepper, 10, devices=[self.device] * 4)

    @pytest.mark.slow
    def test_state_from_before_stays_usable(self):
        program = devices.Program(self.stepper, 8, devices=[self.device])
        start = program.place([device_cases.start(self.stepper, 0)])
        images = program.place_images(device_cases.images()[:16])
        order = program.place_order(np.arange(16))
        first, _ = program.run(start, images, order, 0, 2)
        again, _ = program.run(start, images, order, 0, 2)
        jax.tree.map(np.testing.assert_array_equal, first, again)

    @pytest.mark.slow
    def test_several_steps_in_one_dispatch_equal_single_ones(self):
        with jax.enable_x64(True):
            program = devices.Program(self.stepper, 8, devices=[self.device])
            at = device_cases.start(self.stepper, 0)
            images = device_cases.images()[:32]
            order = np.random.default_rng(0).permutation(32)
            after, metrics = program.run(
                program.place([at]),
                program.place_images(images),
                order,
                1,
                3,
            )
            step = jax.jit(self.stepper.step)
            for i in range(3):
                rows = order[8 * (1 + i) : 8 * (2 + i)]
                at, wanted = step(at, batches.as_float(images[rows]))
                for name in steps.Metrics._fields:
                    np.testing.assert_allclose(
                        getattr(metrics, name)[0, i],
                        getattr(wanted, name),
                        rtol=1e-9,
                    )
            (found,) = program.members(after)
            for ours, theirs in zip(
                jax.tree.leaves(found.params),
                jax.tree.leaves(at.params),
                strict=True,
            ):
                np.testing.assert_allclose(ours, theirs, 1e-9, 1e-12)

    @parameterized.parameters(
        # One seed: each device takes its part of every batch.
        (1, 2, [[0, 1, 4, 5], [2, 3, 6, 7]]),
        # Three seeds on two devices: the last is run twice, the second
        # time in vain.
        (3, 2, [[0, 1], [2, 2]]),
    )
    def test_rows_and_seeds_are_spread_over_devices(
        self, n_seeds, n_devices, wanted
    ):
        program = devices.Program(
            self.stepper, 4, n_seeds, [self.device] * n_devices
        )
        program._local = list(range(n_devices))
        rows = np.arange(9) + 100 * np.arange(n_seeds)[:, None]
        found = program.arrange(rows)
        if n_seeds == 1:
            np.testing.assert_array_equal(found, wanted)
        else:
            np.testing.assert_array_equal(found[..., 0] // 100, wanted)
            np.testing.assert_array_equal(found[0, 1], 100 + np.arange(8))
