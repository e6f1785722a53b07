# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of a run, and of several seeds, beside the numbers of the paper."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from mfcvae_jax.evaluation import accuracy, probes
from mfcvae_jax.evaluation import diversity as diversity_lib
from mfcvae_jax.randomness import KeyUse
from mfcvae_jax.report import markdown, published
from mfcvae_jax.report.finished import Finished, NotDrawnError
from mfcvae_jax.report.summary import Summary
from mfcvae_jax.variational import prior, vade

__all__ = [
    "accuracies",
    "diversity",
    "format_diversity",
    "percent",
    "probe",
    "pruning",
    "swap_rates",
]

_N_PROBES = 3  # runs, as in the paper
_N_SAMPLES = 50  # of each cluster


def percent(values: Sequence[float]) -> str:
    """Writes fractions as mean (sample standard deviation) in %.

    Args:
        values: at least one; of one, the deviation is left out.

    Returns:
        Text such as '92.02 (3.18)'.
    """
    mean = f"{100 * statistics.mean(values):.2f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({100 * statistics.stdev(values):.2f})"


def probe(finished: Finished) -> str:
    """Trains probes on every facet and on all (Table 1).

    Args:
        finished: the run.

    Returns:
        A Markdown table: test accuracy in %, mean (standard deviation) over
        three runs, each with its own samples of q(z|x).

    Raises:
        NotDrawnError: if the examples have no labels.
    """
    run = finished.run
    spec, train, test = run.dataset.spec, run.dataset.train, run.dataset.test
    if not spec.labelings:
        raise NotDrawnError("these examples have no labels to tell")
    names = [f"z of facet {j}" for j in range(finished.n_facets)]
    if finished.n_facets > 1:
        names.append("z of all facets")
    found = np.empty((len(names), len(spec.labelings), _N_PROBES))
    for r in range(_N_PROBES):
        train_z, test_z = (
            finished.trained.sampled_latents(
                split.images, finished.key(KeyUse.PROBES, 2 * r + i)
            )
            for i, split in enumerate((train, test))
        )
        for i in range(len(names)):
            part = slice(i, i + 1) if i < finished.n_facets else slice(None)
            for m in range(len(spec.labelings)):
                found[i, m, r] = probes.probe_accuracy(
                    np.concatenate(train_z[part], axis=1),
                    train.labels[:, m],
                    np.concatenate(test_z[part], axis=1),
                    test.labels[:, m],
                    seed=r,
                )
    header, columns = ["inputs"], [names]
    for m, labeling in enumerate(spec.labelings):
        header.append(f"{labeling.name}, %")
        columns.append([percent(row) for row in found[:, m]])
        values = published.PROBES.get((spec.name, labeling.name), ())
        if len(values) == len(names):
            header.append(f"{labeling.name}, the paper")
            columns.append([_value(value) for value in values])
    return markdown.table(header, list(zip(*columns, strict=True)))


def swap_rates(finished: Finished) -> str:
    """Tells how often a swapped facet, and only it, changes sides (Fig. 5).

    Args:
        finished: the run.

    Returns:
        A Markdown table over the most confident pairs, both directions.

    Raises:
        NotDrawnError: of one facet, or without a pair to swap.
    """
    if finished.n_facets == 1:
        raise NotDrawnError("there is one facet, and a swap needs two")
    pairs = finished.confident_pairs
    if not len(pairs):
        raise NotDrawnError(
            "no two inputs are in different clusters of every facet"
        )
    rows = []
    for facet in range(finished.n_facets):
        _, is_right = finished.try_swap(pairs, facet)
        others = np.all(np.delete(is_right, facet, axis=2), axis=2)
        rows.append(
            (
                facet,
                _share(is_right[:, :, facet]),
                _share(others),
                _share(others & is_right[:, :, facet]),
                2 * len(pairs),
            )
        )
    return markdown.table(
        (
            "swapped facet",
            "takes the other's cluster, %",
            "keeps its own in the other facets, %",
            "both, %",
            "pictures",
        ),
        rows,
    )


def diversity(finished: Finished) -> list[dict[str, Any]]:
    """Measures the samples of each cluster; see ``evaluation.diversity``.

    Args:
        finished: the run.

    Returns:
        For each facet the measures by name, and ``spread_of_inputs``, the same
        of the held-out inputs by their clusters.
    """
    rows = []
    for facet in range(finished.n_facets):
        samples = finished.sample_clusters(facet, _N_SAMPLES)
        again = finished.predict(samples.reshape(-1, *samples.shape[2:]))
        found = diversity_lib.sample_diversity(
            samples,
            again.assignments.reshape(*samples.shape[:2], -1),
            np.exp(finished.trained.mixtures[facet].log_weights),
            facet,
        )
        of_inputs = diversity_lib.within_share(
            finished.images.reshape(len(finished.images), -1),
            finished.scored.predictions.assignments[:, facet],
        )
        rows.append(
            {
                "kept": found.kept,
                "spread": found.spread,
                "spread_of_inputs": of_inputs,
                "reach": found.reach.tolist(),
            }
        )
    return rows


def format_diversity(rows: Sequence[dict[str, Any]]) -> str:
    """Writes what ``diversity`` found as a Markdown table, in %.

    Args:
        rows: one a facet.

    Returns:
        Lines of text.
    """
    n_facets = len(rows)
    return markdown.table(
        (
            "facet",
            "kept",
            "spread of samples",
            "spread of inputs",
            *(f"reach in facet {i}" for i in range(n_facets)),
        ),
        [
            (
                j,
                *(
                    f"{100 * row[name]:.1f}"
                    for name in ("kept", "spread", "spread_of_inputs")
                ),
                *(f"{100 * value:.1f}" for value in row["reach"]),
            )
            for j, row in enumerate(rows)
        ],
    )


def pruning(finished: Finished) -> str:
    """Tells how many clusters each facet needs, and what that makes of scores.

    Args:
        finished: the run.

    Returns:
        A Markdown table; scores on the held-out split, before and after.
    """
    spec, test = finished.run.dataset.spec, finished.run.dataset.test
    predictions = finished.scored.predictions
    rows = []
    for j, (mixture, evidence) in enumerate(finished.pruned):
        before = predictions.assignments[:, j]
        after = np.argmax(
            vade.log_posterior(
                prior.component_log_prob(mixture, predictions.latents[j]),
                mixture.log_weights,
            ),
            axis=-1,
        )
        for m, labeling in enumerate(spec.labelings):
            scores = [
                accuracy.score(
                    assignments, test.labels[:, m], k, labeling.n_classes
                )
                for assignments, k in (
                    (before, len(finished.trained.mixtures[j].means)),
                    (after, evidence.n_kept),
                )
            ]
            rows.append(
                (
                    j,
                    len(finished.trained.mixtures[j].means),
                    evidence.n_kept,
                    f"{labeling.name} ({labeling.n_classes})",
                    *(
                        f"{100 * getattr(scores[0], name):.1f} to "
                        f"{100 * getattr(scores[1], name):.1f}"
                        for name in ("many_to_one", "one_to_one", "nmi")
                    ),
                )
            )
        if not spec.labelings:
            rows.append(
                (j, len(finished.trained.mixtures[j].means), evidence.n_kept)
                + ("",) * 4
            )
    return markdown.table(
        (
            "facet",
            "K",
            "kept",
            "labeling (classes)",
            "many-to-one, %",
            "one-to-one, %",
            "NMI, %",
        ),
        rows,
    )


def accuracies(dataset: str, summary: Summary) -> str:
    """Puts our accuracies beside the paper's and its rivals' (Table 2).

    Args:
        dataset: its name.
        summary: of the seeds.

    Returns:
        A Markdown table, many-to-one and one-to-one accuracy apart, in %,
        mean (standard deviation).
    """
    n = len(summary.seeds)
    rows: list[tuple[str, ...]] = []
    for labeling in dict.fromkeys(where[2] for where in summary.scores):
        for row in published.ACCURACIES.get((dataset, labeling), ()):
            cells = {row.kind: _value(row.value)}
            rows.append(
                (
                    labeling,
                    row.method,
                    cells.get("many_to_one", ""),
                    cells.get("one_to_one", ""),
                )
            )
        for (facet, k, name), scores in summary.scores.items():
            if name == labeling:
                rows.append(
                    (
                        labeling,
                        f"ours, facet {facet}, K = {k}, {n} "
                        f"seed{'s' if n > 1 else ''}",
                        *(
                            f"{spread.mean:.2f}"
                            + (f" ({spread.std:.2f})" if n > 1 else "")
                            for spread in (
                                scores["many_to_one"],
                                scores["one_to_one"],
                            )
                        ),
                    )
                )
    return markdown.table(
        ("labeling", "method", "many-to-one, %", "one-to-one, %"), rows
    )


def _value(value: published.Value) -> str:
    mean, std = value
    return f"{mean:.2f}" if std is None else f"{mean:.2f} ({std:.2f})"


def _share(values: np.ndarray) -> str:
    return f"{100 * values.mean():.1f}"
