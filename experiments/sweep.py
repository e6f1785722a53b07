# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains several seeds of several configs, and gathers the results.

    python experiments/sweep.py --workdir=runs/sweep --n_seeds=5 \
        --configs=experiments/configs/digits.py \
        --vary=train.learning_rate=1e-3,5e-4

Every config with every combination of the values that --vary names (it may be
repeated, once a setting) is an arm, trained as one program of all seeds. The
same command goes on where it was stopped, and trains no arm twice. In --workdir
come to lie: a folder per arm, results.csv with one number a line, and
results.md with a table of means, standard deviations and numbers of seeds.

--launcher=slurm makes each arm a job of Slurm, and waits for all of them;
--slurm=partition=gpu,gres=gpu:1,time=8:00:00 passes options to sbatch.
"""

import ast
import contextlib
import csv
import io
import itertools
import json
import pathlib
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import slurm_jobs
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
_LAUNCHER = flags.DEFINE_enum(
    "launcher",
    "local",
    ["local", "slurm"],
    "Whether arms are trained here, one after the other, or are jobs of Slurm.",
)
_SLURM = flags.DEFINE_list(
    "slurm", [], "Options of sbatch for every job: name=value,name=value,..."
)
_ARM = flags.DEFINE_string(
    "arm", None, "Trains the arm of this name alone, as its job does."
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
    arms = make_arms(_CONFIGS.value, _VARY.value, _N_SEEDS.value)
    if _ARM.value is not None:
        names = [arm.name for arm in arms]
        if _ARM.value not in names:
            raise ValueError(f"--arm={_ARM.value}: the arms are {names}")
        train(arms[names.index(_ARM.value)], folder)
        return 0
    launch = {"local": _one_by_one, "slurm": _as_jobs}[_LAUNCHER.value]
    rows: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in arms}
    is_whole = True
    for arm, is_trained in launch(arms, folder):
        is_whole &= is_trained
        rows[arm.name] = gather(arm, folder)
        write_results(list(itertools.chain(*rows.values())), folder)
    print((folder / "results.md").read_text())
    return 0 if is_whole else 2


def _one_by_one(
    arms: Sequence[Arm], folder: storage.Path
) -> Iterator[tuple[Arm, bool]]:
    for arm in arms:
        print(f"{arm.name}: {arm.settings.n_seeds} seeds", flush=True)
        train(arm, folder)
        yield arm, True  # or why not has been said


def _as_jobs(
    arms: Sequence[Arm], folder: storage.Path
) -> Iterator[tuple[Arm, bool]]:
    """Each arm as soon as its job has ended, and whether it has results."""
    if storage.is_bucket(folder):
        raise ValueError(
            "--launcher=slurm needs a folder that all machines share, got "
            f"--workdir={folder}: use --launcher=local, or such a folder"
        )
    by_name = {arm.name: arm for arm in arms}
    # A job is this very command, for one arm.
    command = [sys.executable, *sys.argv, "--launcher=local"]
    for name, log in slurm_jobs.run(
        {name: [*command, f"--arm={name}"] for name in by_name},
        pathlib.Path(folder, "slurm"),
        _SLURM.value,
        lambda name: _is_trained(workdir.Workdir(folder / name)),
    ):
        if log:
            print(f"{name} has no results: see {log}", flush=True)
        yield by_name[name], log is None


def _is_trained(home: workdir.Workdir) -> bool:
    """Whether an arm has results, maybe written by another machine."""
    for folder in map(pathlib.Path, (home.path.parent, home.path)):
        # Written to, though nothing changes, NFS does not answer from memory.
        with contextlib.suppress(OSError):
            folder.chmod(folder.stat().st_mode)
    return home.results.exists()


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


def train(arm: Arm, folder: storage.Path) -> None:
    """Trains what is left of an arm, and reports on it.

    An arm whose seeds all diverge has no results; the others go on.
    """
    home = workdir.Workdir(folder / arm.name)
    if home.results.exists():
        return
    run = runs.make_run(arm.settings)
    try:
        states, _ = loop.train(
            run, disk.InWorkdir(home, resume=home.config.exists())
        )
    except FloatingPointError as error:
        print(f"{arm.name} has no results: {error}", flush=True)
        return
    write.write_reports(run, states, home)


def gather(arm: Arm, folder: storage.Path) -> list[dict[str, Any]]:
    """Reads the results of an arm, if it has any: one number a row."""
    home = workdir.Workdir(folder / arm.name)
    if not home.results.exists():
        return []
    rows: list[tuple[Any, ...]] = []
    for seed, at in home.by_seed(arm.settings).items():
        if at.results.exists():  # else it diverged
            found = results.Results.from_json(
                json.loads(at.results.read_text())
            )
            rows += [
                (arm.name, seed)
                + (row.facet, row.labeling, row.measure.name, row.value)
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
    """Mean (standard deviation) and number of seeds, by measure and arm.

    Arms stand below each other, and what labels tell comes first.
    """
    groups: dict[tuple, list[float]] = {}
    place: dict[tuple, int] = {}
    for row in rows:
        key = tuple(row[c] for c in ("arm", "facet", "labeling", "measure"))
        groups.setdefault(key, []).append(row["value"])
        place.setdefault(key[1:], len(place))
    lines = []
    for key in sorted(groups, key=lambda k: (not k[2], place[k[1:]])):
        values = groups[key]
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
