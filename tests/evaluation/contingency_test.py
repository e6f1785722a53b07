# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of contingency tables and of information, by its definition."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mfcvae_jax.evaluation import contingency


def test_counts_by_hand():
    a, b = np.array([0, 0, 2, 2, 2]), np.array([1, 1, 0, 1, 0])
    np.testing.assert_array_equal(
        contingency.contingency_table(a, b, 4, 3),
        [[0, 2, 0], [0, 0, 0], [2, 1, 0], [0, 0, 0]],
    )


def test_counts_of_small_integer_types_and_jax_arrays():
    # 200 * 3 + 2 does not fit into 8 bits.
    table = contingency.contingency_table(
        np.array([199, 199], np.uint8), jnp.array([2, 2]), 200, 3
    )
    assert (table[199, 2], table.sum()) == (2, 2)


@pytest.mark.parametrize(
    ("assignments", "labels", "message"),
    [
        (np.zeros(0, int), [], "assignments are empty"),
        ([0, 1], [0], "same examples, got 2 and 1"),
        (
            [0, 4],
            [0, 0],
            r"assignments must lie in \[0, 3\], found values from 0 to 4",
        ),
        (
            [0, 3],
            [-1, 2],
            r"labels must lie in \[0, 2\], found values from -1 to 2",
        ),
        ([0.5, 0.5], [0, 0], r"float64.*argmax"),
        ([[0], [1]], [0, 0], r"shape \(2, 1\)"),
    ],
)
def test_faults_of_a_table(assignments, labels, message):
    with pytest.raises(ValueError, match=message):
        contingency.contingency_table(assignments, labels, 4, 3)


def _entropy(counts):
    p = counts[counts > 0] / counts.sum()
    return -np.sum(p * np.log(p))


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_information_by_its_definition(seed):
    rng = np.random.default_rng(seed)
    # Cluster 0 and class 4 stay empty.
    a = rng.integers(1, 6, size=80)
    b = np.where(rng.random(80) < 0.5, a % 4, rng.integers(0, 4, size=80))
    table = contingency.contingency_table(a, b, 6, 5)
    joint, of_a, of_b = map(_entropy, (table, table.sum(1), table.sum(0)))
    assert contingency.entropy(table) == pytest.approx(joint, abs=1e-12)
    shared = contingency.mutual_information(table)
    assert shared == pytest.approx(of_a + of_b - joint, abs=1e-12)


@pytest.mark.parametrize(
    ("table", "shared"),
    [
        (np.outer([1, 2, 0, 7], [3, 5, 2]), 0.0),
        (
            [[0, 7, 0], [3, 0, 0], [0, 0, 5], [0, 0, 0]],
            stats.entropy([7, 3, 5]),
        ),
        ([[2, 3]], 0.0),
        ([[2], [3]], 0.0),
        ([[5]], 0.0),
        ([[0, 0], [0, 5]], 0.0),
    ],
)
def test_information_of_special_tables(table, shared):
    found = contingency.mutual_information(np.array(table))
    np.testing.assert_allclose(found, shared, atol=1e-12)
    assert found >= 0.0


def test_independent_draws_show_the_stated_bias():
    tables = np.random.default_rng(0).multinomial(500, np.full(25, 0.04), 400)
    found = map(contingency.mutual_information, tables.reshape(-1, 5, 5))
    expected = (5 - 1) * (5 - 1) / (2 * 500)
    np.testing.assert_allclose(np.mean(list(found)), expected, rtol=0.15)
