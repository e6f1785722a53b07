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
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import slurm_jobs
from absl import flags

from mfcvae_jax import config as config_lib
from mfcvae_jax import storage
from mfcvae_jax.commands import running
from mfcvae_jax.report import markdown, results, write
from mfcvae_jax.settings import Settings
from mfcvae_jax.training import disk, loop, runs
from mfcvae_jax.workdir import Workdir

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


def _sweep() -> int:
    folder = storage.locate(_WORKDIR.value)
    arms = make_arms(_CONFIGS.value, _VARY.value, _N_SEEDS.value)
    if _ARM.value is not None:
        if _ARM.value not in arms:
            raise ValueError(f"--arm={_ARM.value}: the arms are {list(arms)}")
        train(arms[_ARM.value], Workdir(folder / _ARM.value))
        return 0
    launch = {"local": _one_by_one, "slurm": _as_jobs}[_LAUNCHER.value]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    is_whole = True
    for name, is_trained in launch(arms, folder):
        is_whole &= is_trained
        rows[name] = gather(arms[name], Workdir(folder / name))
        write_results(list(itertools.chain(*rows.values())), folder)
    print((folder / "results.md").read_text())
    return 0 if is_whole else 2


def _one_by_one(
    arms: dict[str, Settings], folder: storage.Path
) -> Iterator[tuple[str, bool]]:
    for name, settings in arms.items():
        print(f"{name}: {settings.n_seeds} seeds", flush=True)
        train(settings, Workdir(folder / name))
        yield name, True  # or why not has been said


def _as_jobs(
    arms: Iterable[str], folder: storage.Path
) -> Iterator[tuple[str, bool]]:
    """Each arm as soon as its job has ended, and whether it has results."""
    if storage.is_bucket(folder):
        raise ValueError(
            "--launcher=slurm needs a folder that all machines share, got "
            f"--workdir={folder}: use --launcher=local, or such a folder"
        )
    # A job is this very command, for one arm.
    command = [sys.executable, *sys.argv, "--launcher=local"]
    for name, log in slurm_jobs.run(
        {name: [*command, f"--arm={name}"] for name in arms},
        pathlib.Path(folder, "slurm"),
        _SLURM.value,
        lambda name: _is_trained(Workdir(folder / name)),
    ):
        if log:
            print(f"{name} has no results: see {log}", flush=True)
        yield name, log is None


def _is_trained(home: Workdir) -> bool:
    """Whether an arm has results, maybe written by another machine."""
    for folder in map(pathlib.Path, (home.path.parent, home.path)):
        # Written to, though nothing changes, NFS does not answer from memory.
        with contextlib.suppress(OSError):
            folder.chmod(folder.stat().st_mode)
    return home.results.exists()


def make_arms(
    paths: list[str], vary: list[str], n_seeds: int
) -> dict[str, Settings]:
    """Lists every config with every combination of values.

    Args:
        paths: of config files.
        vary: ``section.setting=value,value,...`` each.
        n_seeds: of every arm.

    Returns:
        The settings of each arm, checked, by the name of its folder.

    Raises:
        FileNotFoundError: if a config is not there.
        ValueError: if a setting or value makes no sense, or two arms are of
            one name.
    """
    choices = [_choices(text) for text in vary]
    arms: dict[str, Settings] = {}
    for path in map(pathlib.Path, paths):
        base = config_lib.load(path).to_dict()
        for combination in itertools.product(*choices):
            name = path.stem
            for key, value in combination:
                name += f",{key}={value}".replace("/", "_").replace(" ", "")
            if name in arms:
                raise ValueError(
                    f"--configs and --vary name an arm twice: {name}"
                )
            changes = {"n_seeds": n_seeds, **dict(combination)}
            arms[name] = config_lib.from_config(
                config_lib.changed(base, changes)
            )
    return arms


def train(settings: Settings, home: Workdir) -> None:
    """Trains what is left of an arm, and reports on it.

    An arm whose seeds all diverge has no results; the others go on.
    """
    if home.results.exists():
        return
    run = runs.make_run(settings)
    try:
        states, _ = loop.train(
            run, disk.InWorkdir(home, resume=home.config.exists())
        )
    except FloatingPointError as error:
        print(f"{home.path.name} has no results: {error}", flush=True)
        return
    write.write_reports(run, states, home)


def gather(settings: Settings, home: Workdir) -> list[dict[str, Any]]:
    """Reads the results of an arm, if it has any: one number a row."""
    if not home.results.exists():
        return []
    arm = home.path.name
    rows: list[tuple[Any, ...]] = []
    for seed, at in home.by_seed(settings).items():
        if at.results.exists():  # else it diverged
            found = results.Results.from_json(
                json.loads(at.results.read_text())
            )
            rows += [
                (arm, seed, r.facet, r.labeling, r.measure.name, r.value)
                for r in found.rows()
            ]
    if settings.n_seeds > 1:
        of_all = json.loads(home.results.read_text())
        for j, value in enumerate(of_all["stability"]):
            rows.append((arm, "all", str(j), "", "stability", value))
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
        cell = markdown.summary(groups[key], 3)
        lines.append((*key, cell, len(groups[key])))
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
    running.script(_sweep, ": give the same command", is_quiet=True)
