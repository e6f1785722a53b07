# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Mean and standard deviation of the scores of several finished runs.

    python experiments/summarise.py runs/digits_0 runs/digits_1 ...

The runs may differ in their seed only.
"""

import json
import statistics
import sys

from absl import app

from mfcvae_jax import settings as settings_lib
from mfcvae_jax import workdir

_SCORES = ("many_to_one", "one_to_one", "nmi", "ari")


def main(argv):
    if len(argv) < 3:
        raise app.UsageError("name at least two workdirs of finished runs")
    folders = [workdir.Workdir(path) for path in argv[1:]]
    try:
        runs = [folder.settings() for folder in folders]
        results = [json.loads(folder.results.read_text()) for folder in folders]
    except FileNotFoundError as error:
        print(f"error: not a finished run: {error}", file=sys.stderr)
        return 2
    for run in runs[1:]:
        changed = settings_lib.differences(runs[0], run)
        if any(not line.startswith("seed:") for line in changed):
            print(
                "error: the runs differ in more than their seed: "
                + "; ".join(changed),
                file=sys.stderr,
            )
            return 2
    print(
        f"{runs[0].data.name}, seeds {[run.seed for run in runs]}: "
        "mean (standard deviation) in %\n"
    )
    print("| facet | K | labeling | " + " | ".join(_SCORES) + " |")
    print("|---|---|---|" + "---|" * len(_SCORES))
    for i, row in enumerate(results[0]["scores"]):
        cells = [row["facet"], row["n_components"], row["labeling"]]
        for score in _SCORES:
            values = [100 * result["scores"][i][score] for result in results]
            cells.append(
                f"{statistics.mean(values):.1f} "
                f"({statistics.stdev(values):.1f})"
            )
        print("| " + " | ".join(str(cell) for cell in cells) + " |")
    if len(runs[0].facets) > 1:
        redundancy = [
            100 * result["normalised_mutual_information"][0][-1]
            for result in results
        ]
        print(
            "\nnormalised mutual information of the first and the last facet: "
            f"{statistics.mean(redundancy):.1f} "
            f"({statistics.stdev(redundancy):.1f})"
        )
    return 0


if __name__ == "__main__":
    app.run(main)
