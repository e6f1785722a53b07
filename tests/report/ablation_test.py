# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Arms of a sweep: their names, what is missing, and NumPy's numbers."""

import json
from unittest import mock

import numpy as np
import pytest

from mfcvae_jax import figures
from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.report import ablation
from tests import examples

_NET = {"decoder": (32,), "activation": "relu", "batch_norm": False}
_SHARED = {"kind": "shared_encoder", "encoder": (32,), **_NET}
_SEPARATE = {"kind": "separate_encoders", "encoders": ((32,), (32,)), **_NET}
_AT_ONCE = {"stage_epochs": (4,)}
_SCORES = ("many_to_one", "one_to_one", "nmi")


@pytest.fixture
def arm(tmp_path):
    """Makes a folder as the loop leaves it, and gives its records by seed."""
    rng = np.random.default_rng(0)

    def make(name, *, epochs=(0, 1, 2), labelings=("digit",), **overrides):
        settings = examples.settings(**{"seed": 3, "n_seeds": 2} | overrides)
        home = workdir_lib.Workdir(tmp_path / name)
        with home.claim(settings, resume=False):
            pass
        keys = [
            f"{score}/{j}/{labeling}"
            for score in _SCORES
            for j in range(2)
            for labeling in labelings
        ]
        found = {}
        for seed, at in home.by_seed(settings).items():
            found[seed] = [
                {"split": "test", "epoch": epoch, "step": 2 * epoch}
                | {key: rng.random() for key in keys}
                | {f"clusters/{j}": int(rng.integers(1, 6)) for j in range(2)}
                for epoch in epochs
            ]
            lines = [{"split": "train", "epoch": 0.5, "step": 1}, *found[seed]]
            at.metrics.write_text("".join(json.dumps(r) + "\n" for r in lines))
        return found

    return make


class TestReadArms:
    def test_arms_of_the_paper_are_named_by_what_it_varies(self, arm, tmp_path):
        arm("a")
        arm("b", progressive=_AT_ONCE)
        arm("c", net=_SHARED)
        arm("d", net=_SEPARATE, progressive=_AT_ONCE)
        arms, missing = ablation.read_arms(tmp_path)
        assert [found.name for found in arms] == [
            "ladder, progressive",
            "ladder, all at once",
            "one encoder, progressive",
            "an encoder each, all at once",
        ]
        assert missing == ()

    def test_arms_that_differ_in_something_else_keep_their_folders_names(
        self, arm, tmp_path
    ):
        names = [f"digits,train.learning_rate=0.{rate}" for rate in (1, 2)]
        arm(names[0], train={"learning_rate": 0.1})
        arm(names[1], train={"learning_rate": 0.2})
        arm("digits_shared", net=_SHARED)
        arms, _ = ablation.read_arms(tmp_path)
        assert [found.name for found in arms] == [*names, "digits_shared"]

    def test_seeds_without_records_and_diverged_ones_are_named(
        self, arm, tmp_path
    ):
        written = arm("a", n_seeds=3)
        arm("b", epochs=(0,), n_seeds=1)  # before its first epoch ended
        (tmp_path / "a" / "seed_3" / "metrics.jsonl").unlink()
        (tmp_path / "a" / "seed_5" / "diverged.txt").write_text("nan\n")
        (found,), missing = ablation.read_arms(tmp_path)
        assert found.settings.seed == 3
        assert found.records == {4: written[4]}
        assert missing == (
            f"{tmp_path}/a/seed_3: nothing recorded yet",
            f"{tmp_path}/a/seed_5: diverged",
            f"{tmp_path}/b: nothing recorded yet",
        )

    def test_nothing_recorded_at_all_is_no_arm(self, arm, tmp_path):
        arm("a", epochs=())
        arms, missing = ablation.read_arms(tmp_path)
        assert (arms, len(missing)) == ((), 2)

    def test_folder_without_runs_is_refused(self, tmp_path):
        (tmp_path / "results.csv").write_text("")
        (tmp_path / "empty").mkdir()
        for folder in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(FileNotFoundError, match=f"no runs in {folder}"):
                ablation.read_arms(folder)

    def test_two_data_sets_are_refused(self, arm, tmp_path):
        arm("a")
        arm("b", data={"name": "digits_tinted"})
        with pytest.raises(
            ValueError, match="of one data set, found digits, digits_tinted"
        ):
            ablation.read_arms(tmp_path)

    def test_examples_without_labels_are_refused(self, arm, tmp_path):
        arm("a", labelings=())
        with pytest.raises(ValueError, match="have no labels"):
            ablation.read_arms(tmp_path)


def test_accuracies_are_the_records_of_each_seed_facet_and_labeling(
    arm, tmp_path
):
    labelings = ("digit", "hue")
    written = arm("a", labelings=labelings, epochs=(0, 1))
    rows = list(ablation.accuracies(ablation.read_arms(tmp_path)[0]))
    assert len(rows) == 2 * 2 * 2 * 2
    assert [row["epoch"] for row in rows] == 2 * (4 * [0] + 4 * [1])
    records = [record for of_seed in written.values() for record in of_seed]
    for row, i in zip(rows, np.repeat(range(4), 4), strict=True):
        at = f"{row['facet']}/{row['labeling']}"
        assert row["arm"] == "ladder, progressive"
        for score in _SCORES:
            assert row[score] == round(records[i][f"{score}/{at}"], 4)
    assert [row["seed"] for row in rows] == 8 * [3] + 8 * [4]
    assert len({tuple(row.values()) for row in rows}) == len(rows)


def test_cells_are_numpys_mean_and_sample_deviation_of_the_ends(arm, tmp_path):
    written = {
        "ladder, progressive": arm("a", n_seeds=3),
        "one encoder, progressive": arm("b", net=_SHARED, n_seeds=1),
    }
    arms, _ = ablation.read_arms(tmp_path)
    head, _, *rows = ablation.end_table(arms).splitlines()
    assert head.count("|") == 9
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
    assert [row[2:-2].split(" | ") for row in rows] == wanted


class TestDrawAccuracies:
    def _panels(self, folder):
        """What would be drawn, by name of the file."""
        arms, _ = ablation.read_arms(folder)
        with mock.patch.object(figures, "accuracy_over_training") as draw:
            paths = ablation.draw_accuracies(arms, folder)
        drawn = {
            call.args[1].name: (call.args[0], call.kwargs["ylabel"])
            for call in draw.call_args_list
        }
        assert [path.name for path in paths] == list(drawn)
        return drawn

    def test_every_seed_and_facet_has_its_curve(self, arm, tmp_path):
        labelings = ("digit", "hue/of ink")
        written = arm("a", labelings=labelings, epochs=(0, 2, 4))
        at = tmp_path / "a" / "seed_4" / "metrics.jsonl"
        lines = at.read_text().splitlines(keepends=True)
        at.write_text("".join(lines[:-1]))  # is an evaluation behind
        drawn = self._panels(tmp_path)
        assert list(drawn) == ["accuracy_digit.png", "accuracy_hue_of ink.png"]
        for labeling, (panels, ylabel) in zip(
            labelings, drawn.values(), strict=True
        ):
            assert ylabel == f"many-to-one accuracy, {labeling}"
            assert len(panels) == 2
            for facet, panel in enumerate(panels):
                assert panel.name == f"ladder, progressive: facet {facet}"
                np.testing.assert_array_equal(panel.epochs, [0, 2, 4])
                assert panel.enters == (2.0,)
                values = [
                    [r[f"many_to_one/{facet}/{labeling}"] for r in of_seed]
                    for of_seed in written.values()
                ]
                values[1][-1] = np.nan
                np.testing.assert_array_equal(panel.values, values)

    def test_more_arms_than_a_picture_holds_go_on_in_a_second(
        self, arm, tmp_path
    ):
        for i in range(5):
            arm(f"rate_{i}", train={"learning_rate": 1e-3 * (i + 1)})
        drawn = self._panels(tmp_path)
        assert {name: len(panels) for name, (panels, _) in drawn.items()} == {
            "accuracy_digit.png": 8,
            "accuracy_digit_2.png": 2,
        }
