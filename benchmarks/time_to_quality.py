# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""NMI over the wall time on MNIST, K = 10, ours beside others.

    python benchmarks/time_to_quality.py --data_dir=... \
        --clustpy_python=/elsewhere/bin/python \
        --csv=docs/results/time_to_quality.csv

Each method is a process of its own, and its clock starts before the process
does: imports, data and compilation count. Ours is scored on the test images
after every epoch of a config, once with an empty cache of compiled programs,
once with the cache of the first; others when they are done. What is in --csv
already is not measured again. Prints a table, and --picture draws it.
"""

import itertools
import multiprocessing
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import rivals
from absl import flags
from matplotlib.figure import Figure

from mfcvae_jax import config as config_lib
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import reader
from mfcvae_jax.report import csv_rows, markdown
from mfcvae_jax.training import loop, recording, runs

_CONFIGS = pathlib.Path(__file__).parents[1] / "experiments" / "configs"
_OURS: dict[str, tuple[str, tuple[int, ...]]] = {
    "one facet": ("mnist_vade.py", (10,)),
    "two facets, a view": ("mnist.py", (25, 10)),
}
_CACHES = ("no cache", "cached")
_OTHERS = ("kmeans", "pca_gmm", "ae_kmeans", "vade")
_COLUMNS = ("method", "cache", "epoch", "seconds", "nmi")
# Of the table: when a method is within this of its last NMI for good.
_CLOSE = 2.0

_PICTURE = flags.DEFINE_string("picture", "", "PNG or SVG to draw.")


class _Timed(recording.Recorder):
    """Notes when the deepest facet was scored, and its NMI with the digit."""

    def __init__(self, name: str):
        self.found: list[dict[str, Any]] = []
        self._name = name

    def record(self, seed: int, record: dict[str, Any]) -> None:
        if record["split"] == "test":
            point = {"epoch": record["epoch"], "nmi": record[self._name]}
            self.found.append(point | {"seconds": time.time()})


def measure(method: str, argv: list[str]) -> list[dict[str, Any]]:
    """Trains a method; returns its points, with the time of the clock."""
    flags.FLAGS(argv)
    data_dir = flags.FLAGS.data_dir
    if method in _OURS:
        config, sizes = _OURS[method]
        changes: dict[str, Any] = {"evaluate.every_epochs": 1}
        changes["facets.n_components"] = sizes
        changes["data.data_dir"] = data_dir
        settings = config_lib.from_config(
            config_lib.changed(
                config_lib.load(_CONFIGS / config).to_dict(), changes
            )
        )
        timed = _Timed(f"nmi/{len(sizes) - 1}/digit")
        loop.train(runs.make_run(settings), timed)
        return timed.found
    dataset = reader.load("mnist", data_dir, "")
    found = rivals.fit_predict(method, (10,), 0, dataset)
    seconds = time.time()
    (row,) = rivals.rows(found, dataset)
    return [{"seconds": seconds, "nmi": row["nmi"]}]


def _timed(what: dict[str, str]) -> list[dict[str, Any]]:
    """Measures in a new process; seconds are since before it started."""
    context = multiprocessing.get_context("spawn")
    start = time.time()
    with ProcessPoolExecutor(1, context) as pool:
        found = pool.submit(measure, what["method"], sys.argv).result()
    return [
        what | row | {"seconds": round(row["seconds"] - start, 1)}
        for row in found
    ]


def curves(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Takes the rows of the file apart, into those of each method and cache."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["method"], row["cache"]), []).append(row)
    return list(found.values())


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Says in Markdown when each method was near its last NMI for good."""
    lines = []
    for curve in curves(rows):
        nmi = np.array([100 * float(row["nmi"]) for row in curve])
        seconds = [float(row["seconds"]) for row in curve]
        far = np.flatnonzero(abs(nmi - nmi[-1]) > _CLOSE)
        reached = seconds[far[-1] + 1 if far.size else 0]
        names = (curve[0]["method"], curve[0]["cache"], f"{nmi[-1]:.1f}")
        lines.append((*names, f"{reached:.0f}", f"{seconds[-1]:.0f}"))
    header = "method|cache|NMI, %|seconds until within 2 of it|seconds in all"
    return markdown.table(header.split("|"), lines)


def draw(rows: Iterable[dict[str, Any]]) -> Figure:
    """Draws NMI over the seconds; a single point is a method when it ends."""
    figure = Figure((6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for i, curve in enumerate(curves(rows)):
        seconds = [float(row["seconds"]) for row in curve]
        nmi = [100 * float(row["nmi"]) for row in curve]
        marker = "osD^v<>"[i % 7] if len(curve) == 1 else ""
        label = ", ".join(filter(None, (curve[0]["method"], curve[0]["cache"])))
        axes.plot(seconds, nmi, marker=marker, label=label)
    axes.set(xlabel="seconds since the start", ylabel="NMI with the digit, %")
    axes.legend(fontsize="small")
    return figure


def _benchmark() -> int:
    path = pathlib.Path(flags.FLAGS.csv)
    for method in (*_OURS, *_OTHERS):
        if any(row["method"] == method for row in csv_rows.read(path)):
            continue
        # Both in turn, or the second would find nothing in the cache.
        caches = _CACHES if method in _OURS else ("",)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
            found = [_timed({"method": method, "cache": c}) for c in caches]
        csv_rows.append(path, _COLUMNS, itertools.chain(*found))
        print(method, flush=True)
    print(table(csv_rows.read(path)))
    if _PICTURE.value:
        draw(csv_rows.read(path)).savefig(_PICTURE.value)
    return 0


if __name__ == "__main__":
    running.script(_benchmark)
