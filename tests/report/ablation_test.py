# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Arms of a sweep: their names, what is missing, and NumPy's numbers."""

import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

from mfcvae_jax import figures
from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.report import ablation
from tests import examples

_SHARED = {
    "kind": "shared_encoder",
    "encoder": (32,),
    "decoder": (32,),
    "activation": "relu",
    "batch_norm": False,
}
_SEPARATE = {
    "kind": "separate_encoders",
    "encoders": ((32,), (32,)),
    "decoder": (32,),
    "activation": "relu",
    "batch_norm": False,
}
_AT_ONCE = {"stage_epochs": (4,)}
_SCORES = ("many_to_one", "one_to_one", "nmi")


class _Sweep(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.rng = np.random.default_rng(0)

    def _arm(self, name, *, epochs=(0, 1, 2), labelings=("digit",), **kwargs):
        """A folder as the loop leaves it; returns its records by seed."""
        settings = examples.settings(**({"seed": 3, "n_seeds": 2} | kwargs))
        home = workdir_lib.Workdir(self.folder / name)
        with home.claim(settings, resume=False):
            pass
        found = {}
        for i, at in enumerate([*home.by_seed(settings).values()]):
            records = [self._record(e, settings, labelings) for e in epochs]
            others = [{"split": "train", "epoch": 0.5, "step": 1}]
            at.metrics.write_text(
                "".join(json.dumps(r) + "\n" for r in others + records)
            )
            found[settings.seed + i] = records
        return found

    def _record(self, epoch, settings, labelings):
        record = {"split": "test", "epoch": epoch, "step": 2 * epoch}
        for j in range(len(settings.facets)):
            for labeling in labelings:
                for name in _SCORES:
                    record[f"{name}/{j}/{labeling}"] = self.rng.random()
            if labelings:
                record[f"clusters/{j}"] = int(self.rng.integers(1, 6))
        return record


class ReadArmsTest(_Sweep):
    def test_arms_of_the_paper_are_named_by_what_it_varies(self):
        self._arm("a")
        self._arm("b", progressive=_AT_ONCE)
        self._arm("c", net=_SHARED)
        self._arm("d", net=_SEPARATE, progressive=_AT_ONCE)
        arms, missing = ablation.read_arms(self.folder)
        self.assertEqual(
            [arm.name for arm in arms],
            [
                "ladder, progressive",
                "ladder, all at once",
                "one encoder, progressive",
                "an encoder each, all at once",
            ],
        )
        self.assertEqual(missing, ())

    def test_arms_that_differ_in_something_else_keep_their_folders_names(self):
        self._arm("digits,train.learning_rate=0.1", train={"learning_rate": 1})
        self._arm("digits,train.learning_rate=0.2", train={"learning_rate": 2})
        self._arm("digits_shared", net=_SHARED)
        arms, _ = ablation.read_arms(self.folder)
        self.assertEqual(
            [arm.name for arm in arms],
            [
                "digits,train.learning_rate=0.1",
                "digits,train.learning_rate=0.2",
                "digits_shared",
            ],
        )

    def test_records_are_those_of_the_held_out_split_by_seed(self):
        written = self._arm("a")
        (arm,), _ = ablation.read_arms(self.folder)
        self.assertEqual(arm.records, written)
        self.assertEqual(arm.settings.seed, 3)

    def test_seeds_without_records_and_diverged_ones_are_named(self):
        self._arm("a", n_seeds=3)
        self._arm("b", epochs=(0,), n_seeds=1)  # before its first epoch ended
        (self.folder / "a" / "seed_3" / "metrics.jsonl").unlink()
        (self.folder / "a" / "seed_5" / "diverged.txt").write_text("nan\n")
        (arm,), missing = ablation.read_arms(self.folder)
        self.assertEqual(list(arm.records), [4])
        self.assertEqual(
            missing,
            (
                f"{self.folder}/a/seed_3: nothing recorded yet",
                f"{self.folder}/a/seed_5: diverged",
                f"{self.folder}/b: nothing recorded yet",
            ),
        )

    def test_nothing_recorded_at_all_is_no_arm(self):
        self._arm("a", epochs=())
        arms, missing = ablation.read_arms(self.folder)
        self.assertEqual(arms, ())
        self.assertLen(missing, 2)

    def test_folder_without_runs_is_refused(self):
        (self.folder / "results.csv").write_text("")
        (self.folder / "empty").mkdir()
        for folder in (self.folder, self.folder / "nowhere"):
            with self.assertRaisesRegex(
                FileNotFoundError, f"no runs in {folder}"
            ):
                ablation.read_arms(folder)

    def test_two_data_sets_are_refused(self):
        self._arm("a")
        self._arm("b", data={"name": "digits_tinted"})
        with self.assertRaisesRegex(
            ValueError, "of one data set, found digits, digits_tinted"
        ):
            ablation.read_arms(self.folder)

    def test_examples_without_labels_are_refused(self):
        self._arm("a", labelings=())
        with self.assertRaisesRegex(ValueError, "have no labels"):
            ablation.read_arms(self.folder)


class EndTableTest(_Sweep):
    def test_cells_are_numpys_mean_and_sample_deviation_of_the_ends(self):
        written = {
            "ladder, progressive": self._arm("a", n_seeds=3),
            "one encoder, progressive": self._arm("b", net=_SHARED, n_seeds=1),
        }
        arms, _ = ablation.read_arms(self.folder)
        head, _, *rows = ablation.end_table(arms).splitlines()
        self.assertEqual(head.count("|"), 9)
        wanted = []
        for name, records in written.items():
            ends = [of_seed[-1] for of_seed in records.values()]
            for facet, k in enumerate((6, 10)):
                cells = [name, f"{facet}, K = {k}", "digit"]
                for score in _SCORES:
                    values = [100 * r[f"{score}/{facet}/digit"] for r in ends]
                    cell = f"{np.mean(values):.2f}"
                    if len(ends) > 1:
                        cell += f" ({np.std(values, ddof=1):.2f})"
                    cells.append(cell)
                used = np.mean([r[f"clusters/{facet}"] for r in ends])
                wanted.append([*cells, f"{used:.1f}", str(len(ends))])
        self.assertEqual([row[2:-2].split(" | ") for row in rows], wanted)


class DrawAccuraciesTest(_Sweep):
    def _panels(self, folder):
        """What would be drawn, by name of the file."""
        drawn = {}

        def draw(panels, path, ylabel):
            drawn[path.name] = (panels, ylabel)

        arms, _ = ablation.read_arms(folder)
        with mock.patch.object(figures, "accuracy_over_training", draw):
            paths = ablation.draw_accuracies(arms, folder)
        self.assertEqual([path.name for path in paths], list(drawn))
        return drawn

    def test_every_seed_and_facet_has_its_curve(self):
        labelings = ("digit", "hue/of ink")
        written = self._arm("a", labelings=labelings, epochs=(0, 2, 4))
        at = self.folder / "a" / "seed_4" / "metrics.jsonl"
        lines = at.read_text().splitlines(keepends=True)
        at.write_text("".join(lines[:-1]))  # is an evaluation behind
        drawn = self._panels(self.folder)
        self.assertEqual(
            list(drawn), ["accuracy_digit.png", "accuracy_hue_of ink.png"]
        )
        for labeling, (panels, ylabel) in zip(
            labelings, drawn.values(), strict=True
        ):
            self.assertEqual(ylabel, f"many-to-one accuracy, {labeling}")
            self.assertLen(panels, 2)
            for facet, panel in enumerate(panels):
                self.assertEqual(
                    panel.name, f"ladder, progressive: facet {facet}"
                )
                np.testing.assert_array_equal(panel.epochs, [0, 2, 4])
                self.assertEqual(panel.enters, (2.0,))
                values = [
                    [r[f"many_to_one/{facet}/{labeling}"] for r in of_seed]
                    for of_seed in written.values()
                ]
                values[1][-1] = np.nan
                np.testing.assert_array_equal(panel.values, values)

    def test_more_arms_than_a_picture_holds_go_on_in_a_second(self):
        for i in range(5):
            self._arm(f"rate_{i}", train={"learning_rate": 1e-3 * (i + 1)})
        drawn = self._panels(self.folder)
        self.assertEqual(
            {name: len(panels) for name, (panels, _) in drawn.items()},
            {"accuracy_digit.png": 8, "accuracy_digit_2.png": 2},
        )

    def test_is_drawn(self):
        self._arm("a")
        arms, _ = ablation.read_arms(self.folder)
        (path,) = ablation.draw_accuracies(arms, self.folder)
        self.assertGreater(path.stat().st_size, 5000)
