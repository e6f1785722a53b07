# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The figures and tables of the paper, made of a run, by name.

Each is a function of a ``Request`` that writes files and returns a text that
names them, or raises ``NotDrawnError``. (Fig. 1 and App. E.1 are of no single
run: see experiments/figure_1.py and ablation.py.)
"""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mfcvae_jax.report import pictures, summary, tables
from mfcvae_jax.report.finished import Finished, NotDrawnError
from mfcvae_jax.workdir import Workdir

__all__ = ["EXHIBITS", "Request"]


class Request(NamedTuple):
    """What is to be drawn, and where.

    Attributes:
        finished: the run of one seed.
        folder: where to write.
        whole: folder of all seeds, or of the one.
        pairs: examples to swap, (P, 2); None to choose them.
    """

    finished: Finished
    folder: pathlib.Path
    whole: Workdir
    pairs: np.ndarray | None


def _pictures(*names: str) -> Callable[[Request], str]:
    def make(request):
        paths, reasons = pictures.draw(request.finished, request.folder, names)
        lines = [str(path) for path in paths.values()]
        lines += [f"{name}: not drawn: {why}" for name, why in reasons.items()]
        return "\n".join(lines)

    return make


def _table_1(request: Request) -> str:
    return _written(request, "table_1", tables.probe(request.finished))


def _figure_5(request: Request) -> str:
    path = request.folder / "swaps.png"
    pictures.draw_swaps(request.finished, path, request.pairs)
    try:
        rates = _written(request, "swaps", tables.swap_rates(request.finished))
    except NotDrawnError as reason:  # but --pairs could be swapped
        rates = f"no rates: {reason}"
    return f"{path}\n{rates}"


def _table_2(request: Request) -> str:
    settings = request.whole.settings()
    finished = {
        settings.seed + i: folder
        for i, folder in enumerate(request.whole.of_each_seed(settings))
        if folder.results.exists()  # else it diverged, or is not at its end
    }
    if not finished:
        raise NotDrawnError(
            "no seed has a results.json: train to the end, or give "
            "experiments/evaluate.py this --workdir"
        )
    try:
        found = summary.summarise(*summary.read(finished))
    except summary.OldResultsError as error:
        raise NotDrawnError(str(error)) from error
    if not found.scores:
        raise NotDrawnError("these examples have no labels")
    dataset = request.finished.run.dataset.spec.name
    return _written(request, "table_2", tables.accuracies(dataset, found))


def _diversity(request: Request) -> str:
    rows = tables.diversity(request.finished)
    return _written(request, "diversity", tables.format_diversity(rows))


def _pruning(request: Request) -> str:
    picture = _pictures("pruning")(request)
    table = _written(request, "pruning", tables.pruning(request.finished))
    return f"{picture}\n{table}"


def _written(request: Request, name: str, table: str) -> str:
    path = request.folder / f"{name}.md"
    path.write_text(f"{table}\n")
    return f"{path}\n{table}"


# In the order of the paper.
EXHIBITS: dict[str, Callable[[Request], str]] = {
    "figure_4": _pictures("clusters", "all_clusters"),
    "table_1": _table_1,
    "figure_5": _figure_5,
    "table_2": _table_2,
    "figure_6": _pictures("samples", "all_samples"),
    "grid": _pictures("grid"),
    "traversals": _pictures("traversals"),
    "diversity": _diversity,
    "pruning": _pruning,
}
