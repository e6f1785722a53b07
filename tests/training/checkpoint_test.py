# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: what is kept, what comes back, and what is refused."""

import collections

import numpy as np
import pytest

from mfcvae_jax.training import checkpoint
from tests.training import small_runs


@pytest.fixture(scope="module")
def made():
    return small_runs.some_state(small_runs.run())


@pytest.fixture(name="reopened")
def _reopened(tmp_path):
    def reopened(**overrides):
        run = small_runs.run(**overrides)
        return checkpoint.Checkpointer(tmp_path / "checkpoints", run)

    return reopened


def _save(saved, made, *steps_and_bounds):
    for step, bound in steps_and_bounds:
        saved.save(made._replace(step=np.int32(step)), bound)


def test_whole_state_comes_back_as_numpy(made, reopened):
    with reopened() as saved:
        _save(saved, made, (7, None))
    with reopened() as saved:
        (found,) = checkpoint.restore_latest([saved])
    small_runs.assert_equal_states(found, made._replace(step=np.int32(7)))
    assert isinstance(found.params["priors_0"]["means"], np.ndarray)


def test_state_of_version_0_1_with_two_counters_more_comes_back(made, reopened):
    before = collections.namedtuple(
        "TrainState", (*made._fields, "progressive")
    )(*made, {"stage": np.int32(1), "step_in_stage": np.int32(2)})
    with reopened() as saved:
        saved.save(before)
    with reopened() as saved:
        (found,) = checkpoint.restore_latest([saved])
    small_runs.assert_equal_states(found, made)


def test_last_ones_and_the_best_are_kept(made, reopened):
    with reopened(checkpoint={"keep": 2}) as saved:
        _save(
            saved, made, (1, None), (2, -5.0), (3, -4.0), (4, -6.0), (5, None)
        )
        saved.wait()
        assert saved.steps() == [3, 4, 5]
        assert saved.best_step() == 3
        _save(saved, made, (6, -3.0))
        saved.wait()
        assert saved.steps() == [5, 6]
    with reopened() as saved:
        assert saved.best_step() == 6


def test_without_a_bound_none_is_best(made, reopened):
    with reopened() as saved:
        _save(saved, made, (1, None), (2, None))
        assert saved.best_step() is None


def test_another_model_is_refused_with_the_difference(made, reopened):
    with reopened() as saved:
        _save(saved, made, (1, None))
    message = (
        r"(?s)another model.*n_components: \(6, 10\) != \(6, 11\).*seed: 0 != 3"
    )
    with (
        reopened(facets={"n_components": (6, 11)}, seed=3) as saved,
        pytest.raises(ValueError, match=message),
    ):
        checkpoint.restore_latest([saved])
