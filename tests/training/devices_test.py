# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""One program: the same results on any devices, for any number of seeds.

50 steps with batch norm, a stage, its warm-up and price among them.
"""

import functools

import jax
import numpy as np
import pytest

from mfcvae_jax.datasets import batches
from mfcvae_jax.training import devices
from tests.training import device_cases


@pytest.fixture(scope="module", name="result")
def _result():
    """Gives a result from a process that sees eight devices."""
    with device_cases.pool(8) as pool:

        @functools.cache
        def result(net, **case):
            return pool.submit(device_cases.result, net, **case).result()

        yield result


def _assert_close(ours, theirs, rtol=1e-9, atol=1e-9):
    for left, right in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(left, right, rtol, atol)


@pytest.mark.slow
@pytest.mark.parametrize("net, n_devices", [("dense", 8), ("conv", 4)])
def test_any_number_of_devices_is_one(result, net, n_devices):
    _assert_close(*(result(net, n_devices=n)[0] for n in (n_devices, 1)))


@pytest.mark.slow
@pytest.mark.thorough
def test_in_single_precision_to_a_tenth_of_a_percent(result):
    """Of the root mean square of each array.

    Not of each entry: where a unit is just about to fire, rounding decides
    whether it does, so single entries are far off on one processor or another.
    There are few of them on any.
    """

    def rms(array):
        return np.sqrt(np.mean(np.square(np.float64(array))))

    one, several = (
        result("dense", n_devices=n, is_double=False)[0] for n in (1, 8)
    )
    for ours, theirs in zip(several, one, strict=True):
        assert rms(np.float64(ours) - theirs) < 1e-3 * (1 + rms(theirs))


@pytest.mark.slow
def test_large_data_fed_in_chunks_are_the_same(result):
    kwargs = {"net": "small", "n_devices": 1, "seeds": (0, 1, 2)}
    whole, fed = result(**kwargs), result(**kwargs, on_device_bytes=0)
    for ours, theirs in zip(fed, whole, strict=True):
        _assert_close(ours, theirs, 1e-12, 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("n_devices", [1, 2])
def test_each_of_several_seeds_is_the_single_run(result, n_devices):
    together = result("dense", n_devices=n_devices, seeds=(0, 1, 2))
    for seed in (0, 2):
        (alone,) = result("dense", n_devices=1, seeds=(seed,))
        _assert_close(together[seed], alone)


@pytest.mark.slow
def test_neighbours_do_not_matter(result):
    """To the last bit, as long as there are as many of them."""
    ours = result("dense", n_devices=1, seeds=(0, 1, 2))
    other = result("dense", n_devices=1, seeds=(7, 1, 5))
    _assert_close(ours[1], other[1], 0, 0)


@pytest.mark.slow
def test_two_processes_of_two_devices_are_one(result):
    cases = [
        # Two facets with views, a warm-up and a price.
        {"net": "dense"},
        # Each process gathers its share of every batch.
        {"net": "small", "on_device_bytes": 0},
        # Each process has seeds of its own.
        {"net": "small", "seeds": (0, 1, 2)},
    ]
    wanted = [result(**case, n_devices=1) for case in cases]
    for found in device_cases.of_two_processes(2, device_cases.results, cases):
        for ours, theirs in zip(found, wanted, strict=True):
            for seed, alone in zip(ours, theirs, strict=True):
                _assert_close(seed, alone)


@pytest.fixture(name="stepper", scope="module")
def _stepper():
    return device_cases.make_stepper("small")


def test_batch_that_cannot_be_split_names_both_numbers(stepper):
    with pytest.raises(ValueError, match="batch_size=10 .* 4 devices"):
        devices.Program(stepper, 10, devices=jax.devices()[:1] * 4)


@pytest.mark.slow
def test_several_steps_in_one_dispatch_equal_single_ones(stepper):
    with jax.enable_x64(True):
        program = devices.Program(stepper, 8, devices=jax.devices()[:1])
        at = device_cases.start(stepper, 0)
        images = device_cases.images()[:32]
        order = np.random.default_rng(0).permutation(32)
        before, placed = program.place([at]), program.place_images(images)
        after, (metrics,) = program.run(before, placed, order, 1, 3)
        # The state from before can still be used.
        again, _ = program.run(before, placed, order, 1, 3)
        jax.tree.map(np.testing.assert_array_equal, after, again)
        step = jax.jit(stepper.step)
        for i in range(3):
            rows = order[8 * (1 + i) : 8 * (2 + i)]
            at, wanted = step(at, batches.as_float(images[rows]))
            of_step = jax.tree.map(lambda a, i=i: a[i], metrics)
            _assert_close(of_step, wanted, 1e-9, 0)
        (found,) = program.members(after)
        leaves = (jax.tree.leaves(s.params) for s in (found, at))
        _assert_close(*leaves, 1e-9, 1e-12)


@pytest.mark.parametrize(
    "n_seeds, wanted",
    [
        # One seed: each device takes its part of every batch.
        (1, [[0, 1, 4, 5], [2, 3, 6, 7]]),
        # Three seeds on two devices: the last is run twice, the second time in
        # vain.
        (3, [[range(8), range(100, 108)], [range(200, 208)] * 2]),
    ],
)
def test_rows_and_seeds_are_spread_over_devices(stepper, n_seeds, wanted):
    program = devices.Program(stepper, 4, n_seeds, jax.devices()[:1] * 2)
    rows = np.arange(9) + 100 * np.arange(n_seeds)[:, None]
    np.testing.assert_array_equal(program.arrange(rows), wanted)
