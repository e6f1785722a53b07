# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a report says of the starts of a run, from their records."""

import json

from mfcvae_jax import workdir
from mfcvae_jax.report import starts


def _choice(step, rank, n_starts, bound):
    return {
        "step": step,
        "epoch": step / 10,
        "split": "choice",
        "mixture_bound": bound,
        "rank": float(rank),
        "n_starts": float(n_starts),
        "is_kept": float(rank <= n_starts // 2),
    }


_RECORDS = {
    3: [_choice(50, 2, 4, -31.0), _choice(90, 1, 2, -29.0)],
    4: [_choice(50, 4, 4, None)],
    5: [_choice(50, 1, 4, -30.5), _choice(90, 2, 2, -29.25)],
    6: [],
}


def _table(path, *, is_over):
    folders = {seed: workdir.Workdir(path / f"{seed}") for seed in _RECORDS}
    for seed, folder in folders.items():
        folder.path.mkdir()
        lines = [{"step": 50, "epoch": 5.0, "split": "test"}]
        lines += [r for r in _RECORDS[seed] if is_over or r["step"] < 90]
        folder.metrics.write_text("\n".join(map(json.dumps, lines)) + "\n")
    folders[4].not_kept.write_text("at step 50\n")
    folders[6].diverged.write_text("at step 3\n")
    if is_over:
        folders[5].not_kept.write_text("at step 90\n")
    return starts.table(folders)


def test_each_start_has_a_row(tmp_path):
    table = _table(tmp_path, is_over=True)
    assert table.caption.startswith("4 starts")
    assert table.rows == (
        ("seed 3", "is kept", "90", "-29.00"),
        ("seed 4", "was not kept", "50", "a bound that is not finite"),
        ("seed 5", "was not kept", "90", "-29.25"),
        ("seed 6", "diverged", "", ""),
    )


def test_before_the_end_several_go_on(tmp_path):
    fates = [row[1] for row in _table(tmp_path, is_over=False).rows]
    assert fates == ["goes on", "was not kept", "goes on", "diverged"]


def test_each_start_says_how_it_fared():
    assert starts.of_one(_RECORDS[3]) == [
        "This start is kept for its held-out mixture bound: place 2 of 4 at "
        "step 50 with -31.00, place 1 of 2 at step 90 with -29.00."
    ]
    assert starts.of_one(_RECORDS[4])[0].startswith("This start is not kept")
    assert starts.of_one([{"split": "test", "step": 3}]) == []
