# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.figures import records


def _records(*epochs_and_bounds):
    return [
        {"epoch": epoch, "split": "test", "mixture_bound": bound}
        for epoch, bound in epochs_and_bounds
    ]


class SeriesTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("sorted", [(2, -5.0), (1, -9.0)], [(1, -9), (2, -5)]),
        # The run was taken up again.
        ("last_counts", [(1, 0.0), (2, 1.0), (1, 7.0)], [(1, 7), (2, 1)]),
        (
            "gaps_inside_are_kept_and_ends_trimmed",
            [
                (0, None),
                (1, 1.0),
                (2, None),
                (3, float("inf")),
                (4, 2.0),
                (5, float("nan")),
            ],
            [(1, 1), (2, np.nan), (3, np.nan), (4, 2)],
        ),
        ("empty", [], np.empty((0, 2))),
    )
    def test_of_one_split(self, given, expected):
        train = {"epoch": 1, "split": "train", "mixture_bound": -1.0}
        found = records.series(
            [*_records(*given), train], "test", "mixture_bound"
        )
        np.testing.assert_array_equal(np.stack(found, axis=-1), expected)

    def test_adds_several_keys(self):
        parts = (
            {"kl_z/0": 1.0, "kl_c/0": 0.5},
            {"kl_z/0": 2.0},
            {"kl_z/1": 2.0},
        )
        found = records.series(
            [
                {"epoch": e, "split": "test"} | part
                for e, part in enumerate(parts)
            ],
            "test",
            ("kl_z/0", "kl_c/0"),
        )
        np.testing.assert_array_equal(found.values, [1.5, 2.0])

    def test_begins_at_start(self):
        given = _records(*((e, e) for e in range(5)))
        found = records.series(given, "test", "mixture_bound", start=3)
        np.testing.assert_array_equal(found.epochs, [3, 4])


class FindTest(absltest.TestCase):
    def test_facets_and_labelings(self):
        found = [
            {"kl_z/0": 1.0, "kl_z/10": 1.0, "kl_c/2": 0.0},
            {"many_to_one/3/digit": 0.5, "kl_z/total": 4.0},
            {"many_to_one/3/floor/hue": 0.5},
            {"many_to_one/4/unused": None},
        ]
        self.assertEqual(records.find_facets(found), (0, 2, 3, 10))
        self.assertEqual(records.find_labelings(found), ("digit", "floor/hue"))


class LimitsTest(parameterized.TestCase):
    def _limits(self, values, **settings):
        epochs = np.arange(len(values), dtype=float)
        return records.value_limits(
            [records.Series(epochs, np.asarray(values, float))],
            epochs[-1],
            **settings,
        )

    def test_first_epochs_do_not_ruin_them(self):
        low, high = self._limits([-9000, -800, *range(-120, -80)])
        self.assertGreater(low, -130)
        self.assertBetween(high, -81, -75)

    @parameterized.named_parameters(
        ("late_gain", [-100.0] * 95 + [-50.0] * 5),
        ("late_crash", [-100.0] * 99 + [-5000.0]),
        ("moderate_start", np.linspace(-200, -100, 50)),
        ("few_values", [-1000.0, -100.0, -90.0, -80.0]),
        ("constant_zero", [0.0] * 3),
        ("constant", [-80.0] * 3),
    )
    def test_all_values_are_within(self, values):
        low, high = self._limits(values)
        self.assertLess(low, np.min(values))
        self.assertGreater(high, np.max(values))

    def test_a_facet_that_came_in_late_is_cut_by_its_own_start(self):
        late = records.Series(
            np.arange(95.0, 107.0), np.array([900.0] * 2 + [10.0] * 10)
        )
        _, high = records.value_limits([late], 106.0)
        self.assertLess(high, 20)

    def test_floor(self):
        self.assertEqual(self._limits([5, 6, 7], floor=0.0)[0], 0)
        self.assertLess(self._limits([-1, 6, 7], floor=0.0)[0], -1)
