# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The one table of all pictures and tables of a run.

``EXHIBITS`` says of each how it is made, what ``mfcvae paper`` calls it, and
with which words it is on the page of a run. (Fig. 1 and App. E.1 are of no
single run: see experiments/figure_1.py and ablation.py.)
"""

import io
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from mfcvae_jax import figures, storage
from mfcvae_jax.evaluation.contingency import contingency_table
from mfcvae_jax.figures.records import BOUNDS
from mfcvae_jax.report import paper
from mfcvae_jax.report.finished import Finished, NotDrawnError

__all__ = ["EXHIBITS", "Exhibit", "Made", "draw", "facts", "of_paper", "png"]

_N_COLUMNS = 10
_N_RECONSTRUCTIONS = 42  # three rows of 14
_N_GRID = 12  # clusters on each side
_N_PAIRS = 7
_TRAVERSAL = np.linspace(-2.0, 2.0, 9)  # standard deviations of p(z_j)


class Exhibit(NamedTuple):
    """A picture or a table of a run.

    ``make`` raises NotDrawnError if a run cannot have it.
    """

    name: str  # of its file, which ends in .png or .md
    make: Callable[[Finished], bytes | str]
    paper: str = ""  # what `mfcvae paper --make` calls it, maybe with others
    title: str = ""  # its caption on the page; "" if it is not there
    alt: str = ""  # what it shows, in words; `facts` fill what is in braces


class Made(NamedTuple):
    """What came of an exhibit."""

    exhibit: Exhibit
    path: storage.Path
    content: bytes | str  # of the file; empty if it was not drawn
    reason: str  # why it was not drawn; "" if it was


def draw(
    finished: Finished, folder: storage.Path, exhibits: Iterable[Exhibit]
) -> list[Made]:
    """Makes exhibits of a run, as far as it can have them.

    They are written to the folder, which is made if it is missing.
    """
    storage.make_folder(folder)
    made = []
    for exhibit in exhibits:
        path = folder / exhibit.name
        try:
            content = exhibit.make(finished)
        except NotDrawnError as reason:
            made.append(Made(exhibit, path, "", str(reason)))
            continue
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            storage.write(path, f"{content}\n")
        made.append(Made(exhibit, path, content, ""))
    return made


def facts(finished: Finished) -> dict[str, str]:
    """Returns what the words for pictures say of a run, by name."""
    terms = finished.scored.terms
    try:
        needed = ", ".join(str(e.n_kept) for _, e in finished.pruned)
    except NotDrawnError:
        needed = "none"
    return {
        "bounds": " and ".join(
            f"{terms[name]:.1f}" for name in BOUNDS if name in terms
        ),
        "facets": "; ".join(
            f"facet {j} has {len(order.components)} of {order.n_components} "
            "clusters in use, the most confident of them cluster "
            f"{order.components[0]}"
            for j, order in enumerate(_orders(finished, None))
        ),
        "needed": needed,
        "labelings": ", ".join(
            labeling.name for labeling in finished.run.dataset.spec.labelings
        ),
    }


def of_paper() -> dict[str, list[Exhibit]]:
    """Returns what ``mfcvae paper --make`` can make, by its name for it."""
    names = dict.fromkeys(exhibit.paper for exhibit in EXHIBITS)
    return {
        name: [exhibit for exhibit in EXHIBITS if exhibit.paper == name]
        for name in names
        if name
    }


def png(figure: Callable[..., None], *args: Any, **kwargs: Any) -> bytes:
    """Draws a figure, which takes where to write last, and returns its PNG."""
    file = io.BytesIO()
    figure(*args, file, **kwargs)
    return file.getvalue()


def _orders(
    finished: Finished, n_rows: int | None
) -> list[figures.ClusterOrder]:
    return [
        figures.order_clusters(resp).largest(n_rows)
        for resp in finished.scored.predictions.resp
    ]


def _clusters(n_rows: int | None) -> Callable[[Finished], bytes]:
    return lambda finished: png(
        figures.cluster_examples,
        finished.images,
        finished.scored.predictions.resp,
        n_rows=n_rows,
        n_columns=_N_COLUMNS,
    )


def _samples(n_rows: int | None) -> Callable[[Finished], bytes]:
    return lambda finished: png(
        figures.cluster_samples,
        [
            finished.sample_clusters(facet, _N_COLUMNS)
            for facet in range(finished.n_facets)
        ],
        orders=[order.components for order in _orders(finished, n_rows)],
    )


def _swaps(finished: Finished) -> bytes:
    """Inputs whose facets are swapped, and some swaps that fail (Fig. 5).

    Of two facets, swapping one is swapping the other, so one is shown.
    """
    n_facets = finished.n_facets
    if finished.pairs is None or n_facets == 1:
        tried = finished.confident_pairs
        n_shown = min(_N_PAIRS, len(tried))
    else:
        tried = finished.pairs
        n_shown = len(tried)
    inputs = finished.images[tried]
    mirrored = finished.trained.reconstruct(
        inputs.reshape(-1, *inputs.shape[2:])
    ).reshape(inputs.shape)
    facets = range(1 if n_facets == 2 else n_facets)
    outcomes = [finished.try_swap(tried, facet) for facet in facets]
    swapped, is_right = map(np.stack, zip(*outcomes, strict=True))
    fails = np.any(~is_right, axis=(2, 3))  # (facets, P)
    pages = [
        figures.SwapPage(
            f"Facet {facet} swapped",
            inputs[:n_shown],
            mirrored[:n_shown],
            swapped[facet, :n_shown],
            tuple("fails" if x else "" for x in fails[facet, :n_shown]),
            facet,
        )
        for facet in facets
    ]
    # In turns, so that every facet's are seen; the most confident first.
    fails[:, :n_shown] = False
    where = np.argwhere(fails)
    in_turns = np.lexsort((where[:, 0], np.cumsum(fails, axis=1)[fails]))
    facet, place = where[np.sort(in_turns[:_N_PAIRS])].T
    if facet.size:
        pages.append(
            figures.SwapPage(
                "Swaps that fail",
                inputs[place],
                mirrored[place],
                swapped[facet, place],
                tuple(f"facet {j}" if n_facets > 2 else "" for j in facet),
                -1,
            )
        )
    return png(figures.swapped_pairs, pages)


def _grid(finished: Finished) -> bytes:
    """Samples of every pair of clusters of the first and the last facet."""
    if finished.n_facets == 1:
        raise NotDrawnError("there is one facet, and a grid needs two")
    orders = [order.components for order in _orders(finished, _N_GRID)]
    rows, columns = orders[0], orders[-1]
    components = np.empty((len(rows), len(columns), len(orders)), int)
    components[:] = [order[0] for order in orders]  # also of those between
    components[:, :, 0] = rows[:, None]
    components[:, :, -1] = columns
    images = finished.sample_combinations(
        components.reshape(-1, finished.n_facets), 1, 0.0
    )
    return png(
        figures.facet_grid,
        images.reshape(len(rows), len(columns), *images.shape[2:]),
        [str(k) for k in rows],
        [str(k) for k in columns],
        row_title="Facet 0",
        column_title=f"Facet {len(orders) - 1}",
    )


def _traversals(finished: Finished) -> bytes:
    """From the most confident held-out example on."""
    confidence = np.min(
        [r.max(axis=1) for r in finished.scored.predictions.resp], axis=0
    )
    image = finished.images[np.argmax(confidence)]
    moved = [
        finished.trained.traverse(image, _TRAVERSAL, facet)
        for facet in range(finished.n_facets)
    ]
    return png(figures.latent_traversals, moved, _TRAVERSAL)


def _pruning(finished: Finished) -> bytes:
    curves = [evidence for _, evidence in finished.pruned]
    return png(figures.evidence_curves, curves)


def _reconstructions(finished: Finished) -> bytes:
    shown = finished.images[:_N_RECONSTRUCTIONS]
    mirrored = finished.trained.reconstruct(shown)
    return png(figures.reconstruction_pairs, shown, mirrored)


def _confusion(finished: Finished) -> bytes:
    labelings = finished.run.dataset.spec.labelings
    if not labelings:
        raise NotDrawnError("these examples have no labels")
    tables = [
        [
            contingency_table(clusters, classes, k, labeling.n_classes)
            for classes, labeling in zip(
                finished.run.dataset.test.labels.T, labelings, strict=True
            )
        ]
        for clusters, k in zip(
            finished.scored.predictions.assignments.T,
            finished.run.settings.facets.n_components,
            strict=True,
        )
    ]
    names = [labeling.name for labeling in labelings]
    return png(figures.confusion_matrices, tables, labelings=names)


def _learning_curves(finished: Finished) -> bytes:
    records = [r for r in finished.records if r["split"] != "speed"]
    if not records:  # weights that were imported, not trained here
        raise NotDrawnError("nothing was recorded: it was not trained here")
    return png(figures.learning_curves, records, stages=finished.stages)


# In the order in which a reader wants to see them. A new figure or table is a
# function of a finished run, and a row here.
EXHIBITS = [
    Exhibit(
        "learning_curves.png",
        _learning_curves,
        title="Learning curves",
        alt="Curves over the epochs: the bounds M and F, which end at {bounds} "
        "nats per held-out example, the KL of each facet and, given labels, "
        "accuracies.",
    ),
    Exhibit(
        "clusters.png",
        _clusters(10),
        "figure_4",
        "Held-out inputs of each cluster",
        "One panel per facet, one row per cluster, the most confident inputs "
        "first: {facets}.",
    ),
    Exhibit("all_clusters.png", _clusters(None), "figure_4"),
    Exhibit("table_1.md", paper.probe, "table_1"),
    Exhibit(
        "swaps.png",
        _swaps,
        "figure_5",
        "Swaps",
        "Pairs of held-out inputs, their reconstructions, and both with one "
        "facet exchanged; then swaps that failed, if any did.",
    ),
    Exhibit("swaps.md", paper.swap_rates, "figure_5"),
    Exhibit("table_2.md", paper.table_2, "table_2"),
    Exhibit(
        "samples.png",
        _samples(10),
        "figure_6",
        "Samples of each cluster",
        "One panel per facet, one row per cluster in the same order: generated "
        "images, all other facets drawn at random.",
    ),
    Exhibit("all_samples.png", _samples(None), "figure_6"),
    Exhibit(
        "grid.png",
        _grid,
        "grid",
        "Every combination",
        "A grid of generated images: rows are clusters of the first facet, "
        "columns those of the last.",
    ),
    Exhibit(
        "traversals.png",
        _traversals,
        "traversals",
        "Traversals",
        "One panel per facet, one row per latent dimension: the most confident "
        "held-out input as that dimension moves.",
    ),
    Exhibit("diversity.md", paper.diversity, "diversity"),
    Exhibit(
        "pruning.png",
        _pruning,
        "pruning",
        "How many clusters",
        "One panel per facet: what each number of clusters is worth, in nats "
        "per example, and the number with the best criterion: {needed}.",
    ),
    Exhibit("pruning.md", paper.pruning, "pruning"),
    Exhibit(
        "reconstructions.png",
        _reconstructions,
        title="Reconstructions",
        alt="Rows of held-out inputs, each above its reconstruction.",
    ),
    Exhibit(
        "confusion.png",
        _confusion,
        title="Clusters against classes",
        alt="One matrix for each facet and labeling ({labelings}): how many "
        "inputs of each class are in each cluster.",
    ),
]
