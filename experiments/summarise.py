# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Mean, standard deviation, best and worst of several finished runs.

    python experiments/summarise.py runs/digits_0 runs/digits_1 ...

The runs may differ in their seed only. Best and worst are told by the held-out
bound.
"""

from absl import app

from mfcvae_jax import config as config_lib
from mfcvae_jax import workdir
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import fingerprint
from mfcvae_jax.report import markdown, paper, seeds


def main(argv):
    if len(argv) < 3:
        raise app.UsageError("name at least two workdirs of finished runs")
    return running.exit_code(lambda: _summarise(argv[1:]))


def _summarise(paths):
    folders = [workdir.Workdir(path) for path in paths]
    try:
        runs = [folder.settings() for folder in folders]
        for run in runs[1:]:
            changed = config_lib.differences(runs[0], run)
            if any(not line.startswith("seed:") for line in changed):
                raise ValueError(
                    "the runs differ in more than their seed: "
                    + "; ".join(changed)
                )
        data = [
            of_run
            for folder in folders
            if (of_run := folder.data_fingerprint()) is not None
        ]
        for other in data[1:]:
            changed = fingerprint.differences(data[0], other)
            if changed:
                raise ValueError(
                    "the runs were trained on different data: "
                    + "; ".join(changed)
                )
        found = seeds.read(
            {
                run.seed: folder
                for run, folder in zip(runs, folders, strict=True)
            }
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"not a finished run: {error}") from error
    print(f"{runs[0].data.name}, seeds {sorted(found.seeds)}\n")
    for table in seeds.tables(found):
        print(table.caption, end="\n\n")
        print(markdown.table(table.header, table.rows), end="\n\n")
    if found.scores:
        print(paper.accuracies(runs[0].data.name, found))
    return 0


if __name__ == "__main__":
    app.run(main)
