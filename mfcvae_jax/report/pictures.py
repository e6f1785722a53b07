# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a run by name: where its model meets ``figures``."""

import pathlib
from collections.abc import Callable, Iterable

import numpy as np

from mfcvae_jax import figures
from mfcvae_jax.evaluation.contingency import contingency_table
from mfcvae_jax.report.finished import Finished, NotDrawnError

__all__ = ["PICTURES", "check_pairs", "draw", "draw_swaps"]

_N_COLUMNS = 10
_N_RECONSTRUCTIONS = 42  # three rows of 14
_N_GRID = 12  # clusters on each side
_N_PAIRS = 7
_TRAVERSAL = np.linspace(-2.0, 2.0, 9)  # standard deviations of p(z_j)


def draw(
    finished: Finished, folder: pathlib.Path, names: Iterable[str] | None = None
) -> tuple[dict[str, pathlib.Path], dict[str, str]]:
    """Draws pictures of a run, as far as it can have them.

    Args:
        finished: the run.
        folder: where to write; made if missing.
        names: of ``PICTURES``; None for all.

    Returns:
        The paths by name, and why not by name of each that was not drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn, reasons = {}, {}
    for name in PICTURES if names is None else names:
        path = folder / f"{name}.png"
        try:
            PICTURES[name](finished, path)
        except NotDrawnError as reason:
            reasons[name] = str(reason)
        else:
            drawn[name] = path
    return drawn, reasons


def draw_swaps(
    finished: Finished, path: pathlib.Path, pairs: np.ndarray | None = None
) -> None:
    """Draws inputs whose facets are swapped, and some swaps that fail (Fig. 5).

    Of two facets, swapping one is swapping the other, so one is shown.

    Args:
        finished: the run.
        path: where to write.
        pairs: indices of held-out examples, shape (P, 2); None to choose the
            most confident ones, see ``evaluation.swaps``.

    Raises:
        NotDrawnError: of one facet, or if there are no two inputs that are in
            different clusters of every facet.
        ValueError: see ``check_pairs``.
    """
    if finished.n_facets == 1:
        raise NotDrawnError("there is one facet, and a swap needs two")
    if pairs is None:
        tried = finished.confident_pairs
        shown = min(_N_PAIRS, len(tried))
        if not shown:
            raise NotDrawnError(
                "no two inputs are in different clusters of every facet"
            )
    else:
        tried = np.asarray(pairs)
        shown = len(tried)
        check_pairs(tried, len(finished.images))
    inputs = finished.images[tried]
    shape = inputs.shape
    mirrored = finished.trained.reconstruct(inputs.reshape(-1, *shape[2:]))
    mirrored = mirrored.reshape(shape)
    pages, failures = [], []
    for facet in range(1 if finished.n_facets == 2 else finished.n_facets):
        swapped, is_right = finished.try_swap(tried, facet)
        works = np.all(is_right, axis=(1, 2))
        pages.append(
            figures.SwapPage(
                f"Facet {facet} swapped",
                inputs[:shown],
                mirrored[:shown],
                swapped[:shown],
                tuple("" if ok else "fails" for ok in works[:shown]),
                facet,
            )
        )
        failures += [
            (turn, facet, inputs[i], mirrored[i], swapped[i])
            for turn, i in enumerate(np.flatnonzero(~works[shown:]) + shown)
        ]
    if failures:
        # In turns, so that every facet's are seen; the most confident first.
        in_turns = sorted(failures, key=lambda failure: failure[:2])
        some = sorted(in_turns[:_N_PAIRS], key=lambda failure: failure[1])
        pages.append(
            figures.SwapPage(
                "Swaps that fail",
                np.stack([failure[2] for failure in some]),
                np.stack([failure[3] for failure in some]),
                np.stack([failure[4] for failure in some]),
                tuple(
                    f"facet {failure[1]}" if finished.n_facets > 2 else ""
                    for failure in some
                ),
                -1,
            )
        )
    figures.swapped_pairs(pages, path)


def check_pairs(pairs: np.ndarray, n_examples: int) -> None:
    """Checks pairs that a user chose.

    Args:
        pairs: indices of examples, shape (P, 2).
        n_examples: that there are.

    Raises:
        ValueError: if there is no pair, or an index is out of range.
    """
    if not pairs.size:
        raise ValueError("expected at least one pair of examples, got none")
    if pairs.min() < 0 or pairs.max() >= n_examples:
        raise ValueError(
            f"pairs must name held-out examples 0 to {n_examples - 1}, got "
            f"{pairs.min()} to {pairs.max()}"
        )


def _clusters(n_rows: int | None) -> Callable[[Finished, pathlib.Path], None]:
    def picture(finished, path):
        figures.cluster_examples(
            finished.images,
            finished.scored.predictions.resp,
            path,
            n_rows=n_rows,
            n_columns=_N_COLUMNS,
        )

    return picture


def _samples(n_rows: int | None) -> Callable[[Finished, pathlib.Path], None]:
    def picture(finished, path):
        figures.cluster_samples(
            [
                finished.sample_clusters(facet, _N_COLUMNS)
                for facet in range(finished.n_facets)
            ],
            path,
            orders=[order.components.tolist() for order in _orders(finished)],
            n_rows=n_rows,
        )

    return picture


def _grid(finished: Finished, path: pathlib.Path) -> None:
    """Samples of every pair of clusters of the first and the last facet."""
    if finished.n_facets == 1:
        raise NotDrawnError("there is one facet, and a grid needs two")
    orders = _orders(finished)
    last = finished.n_facets - 1
    rows = orders[0].components[:_N_GRID]
    columns = orders[last].components[:_N_GRID]
    components = np.zeros((len(rows), len(columns), finished.n_facets), int)
    for j, order in enumerate(orders):  # those between stay at their first
        components[:, :, j] = order.components[0]
    components[:, :, 0] = rows[:, None]
    components[:, :, last] = columns
    images = finished.sample_combinations(
        components.reshape(-1, finished.n_facets), 1, 0.0
    )
    figures.facet_grid(
        images.reshape(len(rows), len(columns), *images.shape[2:]),
        [str(k) for k in rows],
        [str(k) for k in columns],
        path,
        row_title="Facet 0",
        column_title=f"Facet {last}",
    )


def _traversals(finished: Finished, path: pathlib.Path) -> None:
    """From the most confident held-out example on."""
    confidence = np.min(
        [r.max(axis=1) for r in finished.scored.predictions.resp], axis=0
    )
    image = finished.images[np.argmax(confidence)]
    figures.latent_traversals(
        [
            finished.trained.traverse(image, _TRAVERSAL, facet)
            for facet in range(finished.n_facets)
        ],
        _TRAVERSAL,
        path,
    )


def _pruning(finished: Finished, path: pathlib.Path) -> None:
    figures.evidence_curves(
        [
            figures.EvidenceCurve(
                evidence.n_components,
                evidence.log_p_z,
                evidence.criterion,
                evidence.n_kept,
            )
            for _, evidence in finished.pruned
        ],
        path,
    )


def _reconstructions(finished: Finished, path: pathlib.Path) -> None:
    shown = finished.images[:_N_RECONSTRUCTIONS]
    figures.reconstruction_pairs(
        shown, finished.trained.reconstruct(shown), path
    )


def _confusion(finished: Finished, path: pathlib.Path) -> None:
    labelings = finished.run.dataset.spec.labelings
    if not labelings:
        raise NotDrawnError("these examples have no labels")
    assignments = finished.scored.predictions.assignments
    figures.confusion_matrices(
        [
            [
                contingency_table(
                    assignments[:, j],
                    finished.run.dataset.test.labels[:, m],
                    n_components,
                    labeling.n_classes,
                )
                for m, labeling in enumerate(labelings)
            ]
            for j, n_components in enumerate(
                finished.run.settings.facets.n_components
            )
        ],
        path,
        labelings=[labeling.name for labeling in labelings],
    )


def _learning_curves(finished: Finished, path: pathlib.Path) -> None:
    records = [r for r in finished.workdir.records() if r["split"] != "speed"]
    if not records:  # weights that were imported, not trained here
        raise NotDrawnError("nothing was recorded: it was not trained here")
    figures.learning_curves(records, path, stages=finished.stages)


def _orders(finished: Finished) -> list[figures.ClusterOrder]:
    return [
        figures.order_clusters(resp)
        for resp in finished.scored.predictions.resp
    ]


# In the order in which a reader wants to see them.
PICTURES: dict[str, Callable[[Finished, pathlib.Path], None]] = {
    "clusters": _clusters(10),
    "samples": _samples(10),
    "grid": _grid,
    "swaps": draw_swaps,
    "traversals": _traversals,
    "reconstructions": _reconstructions,
    "confusion": _confusion,
    "learning_curves": _learning_curves,
    "pruning": _pruning,
    "all_clusters": _clusters(None),
    "all_samples": _samples(None),
}
