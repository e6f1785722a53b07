# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains several seeds of several configs, and gathers the results.

    python experiments/sweep.py --workdir=runs/sweep --n_seeds=5 \
        --configs=digits.py,digits_vade.py \
        --vary=train.learning_rate=1e-3,5e-4

Every config with every combination of the values that --vary names (it may be
repeated, once a setting) is an arm, trained as one program of all seeds. The
same command goes on where it was stopped, and trains no arm twice. In --workdir
come to lie: a folder per arm, results.csv with one number a line, and
results.md with a table of means, standard deviations and numbers of seeds.
"""

import ast
import csv
import io
import itertools
import json
import pathlib
import statistics
from typing import Any, NamedTuple

from absl import app, flags, logging

from mfcvae_jax import config as config_lib
from mfcvae_jax import settings as settings_lib
from mfcvae_jax import storage, workdir
from mfcvae_jax.commands import running
from mfcvae_jax.report import markdown, results, write
from mfcvae_jax.training import disk, loop, runs

_CONFIGS = flags.DEFINE_list(
    "configs", None, "Files with settings, separated by commas.", required=True
)
_VARY = flags.DEFINE_multi_string(
    "vary", [], "section.setting=value,value,... ; may be repeated."
)
_N_SEEDS = flags.DEFINE_integer("n_seeds", 5, "Seeds per arm.", 1)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of all arms.", required=True
)

_COLUMNS = ("arm", "seed", "facet", "labeling", "measure", "value")


class Arm(NamedTuple):
    """One config with one combination of values.

    Attributes:
        name: of its folder.
        settings: of all its seeds.
    """

    name: str
    settings: settings_lib.Settings


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    return running.exit_code(_sweep, advice=": give the same command")


def _sweep():
    folder = storage.locate(_WORKDIR.value)
    rows = []
    for arm in make_arms(_CONFIGS.value, _VARY.value, _N_SEEDS.value):
        print(f"{arm.name}: {arm.settings.n_seeds} seeds", flush=True)
        rows += train(arm, folder)
        write_results(rows, folder)
    print((folder / "results.md").read_text())
    return 0


def make_arms(
    paths: list[str], vary: list[str], n_seeds: int
) -> tuple[Arm, ...]:
    """Lists every config with every combination of values.

    Args:
        paths: of config files.
        vary: ``section.setting=value,value,...`` each.
        n_seeds: of every arm.

    Returns:
        The arms, all settings checked before any is trained.

    Raises:
        FileNotFoundError: if a config is not there.
        ValueError: if a setting or value makes no sense, or two arms are of
            one name.
    """
    choices = [_choices(text) for text in vary]
    arms = []
    for path in map(pathlib.Path, paths):
        base = config_lib.load(path).to_dict()
        for combination in itertools.product(*choices):
            changes = {"n_seeds": n_seeds, **dict(combination)}
            config = config_lib.changed(base, changes)
            name = path.stem
            for key, value in combination:
                name += f",{key}={value}".replace("/", "_").replace(" ", "")
            arms.append(Arm(name, config_lib.from_config(config)))
    names = [arm.name for arm in arms]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(
            f"--configs and --vary name an arm twice: {sorted(repeated)}"
        )
    return tuple(arms)


def train(arm: Arm, folder: storage.Path) -> list[dict[str, Any]]:
    """Trains what is left of an arm; returns its results, one number a row.

    An arm whose seeds all diverge has none; the others go on.
    """
    run = runs.make_run(arm.settings)
    home = workdir.Workdir(folder / arm.name)
    if not home.results.exists():
        try:
            states, _ = loop.train(
                run, disk.InWorkdir(home, resume=home.config.exists())
            )
        except FloatingPointError as error:
            print(f"{arm.name} has no results: {error}", flush=True)
            return []
        write.write_reports(run, states, home)
    rows: list[tuple[Any, ...]] = []
    for seed, at in zip(
        runs.of_each_seed(run), home.of_each_seed(arm.settings), strict=True
    ):
        if at.results.exists():  # else it diverged
            found = results.Results.from_json(
                json.loads(at.results.read_text())
            )
            where = (arm.name, seed.settings.seed)
            rows += [
                (*where, row.facet, row.labeling, row.measure.name, row.value)
                for row in found.rows()
            ]
    if arm.settings.n_seeds > 1:
        of_all = json.loads(home.results.read_text())
        for j, value in enumerate(of_all["stability"]):
            rows.append((arm.name, "all", str(j), "", "stability", value))
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def write_results(rows: list[dict[str, Any]], folder: storage.Path) -> None:
    """Writes results.csv and results.md, each in full or not at all."""
    file = io.StringIO()
    writer = csv.DictWriter(file, _COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    storage.write(folder / "results.csv", file.getvalue())
    storage.write(folder / "results.md", means(rows) + "\n")


def means(rows: list[dict[str, Any]]) -> str:
    """A row per arm and measure: mean (standard deviation), number of seeds."""
    groups: dict[tuple, list[float]] = {}
    for row in rows:
        key = tuple(row[c] for c in ("arm", "facet", "labeling", "measure"))
        groups.setdefault(key, []).append(row["value"])
    lines = []
    for key, values in groups.items():
        std = statistics.stdev(values) if len(values) > 1 else None
        mean = markdown.mean_std(statistics.mean(values), std, 3)
        lines.append((*key, mean, len(values)))
    return markdown.table(
        ("arm", "facet", "labeling", "measure", "mean (std)", "n"), lines
    )


def _choices(text: str) -> list[tuple[str, Any]]:
    """The values that a --vary names, with their setting."""
    key, is_there, values = text.partition("=")
    if not (is_there and values):
        raise ValueError(
            f"--vary={text}: expected section.setting=value,value,..."
        )
    try:
        # A tuple of one is no tuple to Python without its comma.
        found = ast.literal_eval(f"({values},)")
    except (SyntaxError, ValueError):
        found = tuple(values.split(","))  # words
    return [(key, value) for value in found]


if __name__ == "__main__":
    app.run(main)
