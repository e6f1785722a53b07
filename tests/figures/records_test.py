# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from absl.testing import absltest, parameterized

from mfcvae_jax.figures import records


def _record(epoch, split="test", **metrics):
    return {"epoch": epoch, "split": split, **metrics}


class SeriesTest(parameterized.TestCase):
    def test_is_sorted_and_of_one_split(self):
        found = records.series(
            [
                _record(2, mixture_bound=-5.0),
                _record(1, mixture_bound=-9.0),
                _record(1, "train", mixture_bound=-1.0),
            ],
            "test",
            "mixture_bound",
        )
        np.testing.assert_array_equal(found.epochs, [1, 2])
        np.testing.assert_array_equal(found.values, [-9, -5])

    def test_the_last_record_of_an_epoch_counts(self):
        found = records.series(
            [
                _record(1, mixture_bound=0.0),
                _record(2, mixture_bound=1.0),
                _record(1, mixture_bound=7.0),
            ],
            "test",
            "mixture_bound",
        )
        np.testing.assert_array_equal(found.values, [7, 1])

    def test_gaps_inside_are_kept_and_ends_trimmed(self):
        found = records.series(
            [
                _record(0, mixture_bound=None),
                _record(1, mixture_bound=1.0),
                _record(2),
                _record(3, mixture_bound=float("inf")),
                _record(4, mixture_bound=2.0),
                _record(5, mixture_bound=float("nan")),
            ],
            "test",
            "mixture_bound",
        )
        np.testing.assert_array_equal(found.epochs, [1, 2, 3, 4])
        np.testing.assert_array_equal(found.values, [1, np.nan, np.nan, 2])

    def test_adds_several_keys(self):
        found = records.series(
            [
                _record(0, **{"kl_z/0": 1.0, "kl_c/0": 0.5}),
                _record(1, **{"kl_z/0": 2.0}),
                _record(2, **{"kl_z/1": 2.0}),
            ],
            "test",
            ("kl_z/0", "kl_c/0"),
        )
        np.testing.assert_array_equal(found.values, [1.5, 2.0])

    def test_begins_at_start(self):
        found = records.series(
            [_record(e, mixture_bound=e) for e in range(5)],
            "test",
            "mixture_bound",
            start=3,
        )
        np.testing.assert_array_equal(found.epochs, [3, 4])

    def test_may_be_empty(self):
        self.assertEqual(
            records.series([], "test", "mixture_bound").values.size, 0
        )


class FindTest(absltest.TestCase):
    def test_facets_and_labelings(self):
        found = [
            _record(0, **{"kl_z/0": 1.0, "kl_z/10": 1.0, "kl_c/2": 0.0}),
            _record(1, **{"many_to_one/3/digit": 0.5, "kl_z/total": 4.0}),
            _record(2, **{"many_to_one/3/floor/hue": 0.5}),
            _record(2, **{"many_to_one/4/unused": None}),
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
        low, high = self._limits([-9000, -800] + list(range(-120, -80)))
        self.assertGreater(low, -130)
        self.assertBetween(high, -81, -75)

    def test_a_late_gain_is_never_cut(self):
        low, high = self._limits([-100.0] * 95 + [-50.0] * 5)
        self.assertLess(low, -100)
        self.assertGreater(high, -50)

    def test_a_late_crash_is_never_cut(self):
        low, _ = self._limits([-100.0] * 99 + [-5000.0])
        self.assertLess(low, -5000)

    def test_moderate_starts_are_kept(self):
        low, _ = self._limits(np.linspace(-200, -100, 50))
        self.assertLess(low, -200)

    def test_few_values_all_count(self):
        low, _ = self._limits([-1000.0, -100.0, -90.0, -80.0])
        self.assertLess(low, -1000)

    def test_a_facet_that_came_in_late_is_cut_by_its_own_start(self):
        late = records.Series(
            np.arange(95.0, 107.0), np.array([900.0] * 2 + [10.0] * 10)
        )
        _, high = records.value_limits([late], 106.0)
        self.assertLess(high, 20)

    def test_floor(self):
        self.assertEqual(self._limits([5, 6, 7], floor=0.0)[0], 0)
        self.assertLess(self._limits([-1, 6, 7], floor=0.0)[0], -1)

    @parameterized.parameters(0.0, -80.0, 5.0)
    def test_constant_values_get_a_range(self, value):
        low, high = self._limits([value] * 3)
        self.assertLess(low, value)
        self.assertGreater(high, value)
