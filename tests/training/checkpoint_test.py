# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: what is kept, what comes back, and what is refused."""

import collections
import pathlib
import tempfile

import jax
import numpy as np
from absl.testing import absltest

from mfcvae_jax import workdir
from mfcvae_jax.training import checkpoint, disk, runs, state
from tests import examples


class CheckpointTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_ = runs.make_run(examples.settings())
        rng = np.random.default_rng(0)
        cls.template = runs.blank_state(cls.run_)
        shapes = jax.eval_shape(state.with_key_data, cls.template)
        cls.state = state.with_typed_key(
            jax.tree.map(
                lambda s: rng.integers(0, 100, s.shape).astype(s.dtype), shapes
            )
        )

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder) / "checkpoints"

    def _open(self, **overrides):
        return checkpoint.Checkpointer(
            self.folder, examples.settings(**overrides)
        )

    def _save(self, saved, *steps_and_bounds):
        for step, bound in steps_and_bounds:
            saved.save(self.state._replace(step=np.int32(step)), bound)

    def _restored(self, saved):
        return checkpoint.restore_latest([saved], lambda: [self.template])

    def test_whole_state_comes_back_as_numpy_with_a_typed_key(self):
        with self._open() as saved:
            self._save(saved, (7, None))
        with self._open() as saved:
            (found,) = self._restored(saved)
        wanted = self.state._replace(step=np.int32(7))
        for ours, theirs in zip(
            jax.tree.leaves(state.with_key_data(found)),
            jax.tree.leaves(state.with_key_data(wanted)),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
            self.assertEqual(ours.dtype, theirs.dtype)
        self.assertIsInstance(found.params["priors_0"]["means"], np.ndarray)
        jax.random.normal(found.key)

    def test_state_of_version_0_1_with_two_counters_more_comes_back(self):
        before = collections.namedtuple(
            "TrainState", (*self.state._fields, "progressive")
        )(*self.state, {"stage": np.int32(1), "step_in_stage": np.int32(2)})
        with self._open() as saved:
            saved.save(before)
        with self._open() as saved:
            (found,) = self._restored(saved)
        self.assertIsInstance(found, state.TrainState)
        jax.tree.map(
            np.testing.assert_array_equal,
            state.with_key_data(found),
            jax.device_get(state.with_key_data(self.state)),
        )

    def test_last_ones_and_the_best_are_kept(self):
        with self._open(checkpoint={"keep": 2}) as saved:
            self._save(
                saved, (1, None), (2, -5.0), (3, -4.0), (4, -6.0), (5, None)
            )
            saved.wait()
            self.assertEqual(saved.steps(), [3, 4, 5])
            self.assertEqual(saved.best_step(), 3)
            self._save(saved, (6, -3.0))
            saved.wait()
            self.assertEqual(saved.steps(), [5, 6])
        with self._open() as saved:
            self.assertEqual(saved.best_step(), 6)

    def test_without_a_bound_none_is_best(self):
        with self._open() as saved:
            self._save(saved, (1, None), (2, None))
            self.assertIsNone(saved.best_step())

    def test_another_model_is_refused_with_the_difference(self):
        with self._open() as saved:
            self._save(saved, (1, None))
        with (
            self._open(facets={"n_components": (6, 11)}, seed=3) as saved,
            self.assertRaisesRegex(
                ValueError,
                r"(?s)another model.*n_components: \(6, 10\) != \(6, 11\)"
                r".*seed: 0 != 3",
            ),
        ):
            self._restored(saved)

    def test_folder_without_a_checkpoint(self):
        with self._open() as saved:
            self.assertIsNone(self._restored(saved))
        with self.assertRaisesRegex(FileNotFoundError, "no checkpoint in"):
            disk.restore(self.run_, workdir.Workdir(self.folder.parent))
