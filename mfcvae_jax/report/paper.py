# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of a run, beside the numbers of the paper (arXiv:2106.05241)."""

from typing import Any

import numpy as np

from mfcvae_jax.evaluation import accuracy, probes
from mfcvae_jax.randomness import KeyUse
from mfcvae_jax.report import published, results, seeds
from mfcvae_jax.report.finished import Finished, NotDrawnError
from mfcvae_jax.report.markdown import mean_std, percent, table
from mfcvae_jax.variational import vade

__all__ = [
    "accuracies",
    "diversity",
    "probe",
    "pruning",
    "swap_rates",
    "table_2",
]

_N_PROBES = 3  # runs, as in the paper


def probe(finished: Finished) -> str:
    """Trains probes on every facet and on all (Table 1).

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
    facets = range(finished.n_facets)
    parts = {f"z of facet {j}": slice(j, j + 1) for j in facets}
    if finished.n_facets > 1:
        parts["z of all facets"] = slice(None)
    found = np.empty((len(parts), len(spec.labelings), _N_PROBES))
    for r in range(_N_PROBES):
        splits = [
            finished.trained.sampled_latents(
                split.images, finished.key(KeyUse.PROBES, 2 * r + i)
            )
            for i, split in enumerate((train, test))
        ]
        for i, part in enumerate(parts.values()):
            train_z, test_z = (np.concatenate(z[part], axis=1) for z in splits)
            for m in range(len(spec.labelings)):
                found[i, m, r] = probes.probe_accuracy(
                    train_z,
                    train.labels[:, m],
                    test_z,
                    test.labels[:, m],
                    seed=r,
                )
    columns = {"inputs": list(parts)}
    for m, labeling in enumerate(spec.labelings):
        columns[f"{labeling.name}, %"] = list(map(percent, found[:, m]))
        values = published.PROBES.get((spec.name, labeling.name), ())
        if len(values) == len(parts):
            columns[f"{labeling.name}, the paper"] = [
                mean_std(*value) for value in values
            ]
    return table(list(columns), zip(*columns.values(), strict=True))


def swap_rates(finished: Finished) -> str:
    """Tells how often a swapped facet, and only it, changes sides (Fig. 5).

    Returns:
        A Markdown table over the most confident pairs, both directions.

    Raises:
        NotDrawnError: of one facet, or without a pair to swap.
    """
    pairs = finished.confident_pairs
    rows = []
    for facet in range(finished.n_facets):
        _, is_right = finished.try_swap(pairs, facet)
        takes = is_right[:, :, facet]
        keeps = np.all(np.delete(is_right, facet, axis=2), axis=2)
        shares = [
            f"{100 * x.mean():.1f}" for x in (takes, keeps, takes & keeps)
        ]
        rows.append((facet, *shares, 2 * len(pairs)))
    return table(
        (
            "swapped facet",
            "takes the other's cluster, %",
            "keeps its own in the other facets, %",
            "both, %",
            "pictures",
        ),
        rows,
    )


def diversity(finished: Finished) -> str:
    """Tells how diverse the samples of each cluster are (App. E.6).

    Returns:
        A Markdown table, in %; see ``evaluation.diversity``.
    """
    alone = results.Results(0, "", 0, {}, [], finished.diversity, {})
    (found,) = alone.tables()
    return table(found.header, found.rows)


def pruning(finished: Finished) -> str:
    """Tells how many clusters each facet needs, and what that makes of scores.

    Returns:
        A Markdown table; scores on the held-out split, before and after.
    """
    spec, test = finished.run.dataset.spec, finished.run.dataset.test
    predictions = finished.scored.predictions
    rows: list[tuple[Any, ...]] = []
    for j, (mixture, evidence) in enumerate(finished.pruned):
        family, z = mixture.components_distribution, predictions.latents[j]
        left = vade.sampled_assignments(
            [family.log_prob(z[None, :, None])],
            [mixture.mixture_distribution.logits],
        )
        after = np.argmax(left.facets[0].log_resp, axis=-1)
        n_before, n_after = predictions.resp[j].shape[-1], evidence.n_kept
        facet = (j, n_before, n_after)
        for m, labeling in enumerate(spec.labelings):
            labels, n = test.labels[:, m], labeling.n_classes
            first = predictions.assignments[:, j]
            old = accuracy.score(first, labels, n_before, n)
            new = accuracy.score(after, labels, n_after, n)
            cells = [
                f"{100 * getattr(old, name):.1f} to "
                f"{100 * getattr(new, name):.1f}"
                for name in ("many_to_one", "one_to_one", "nmi")
            ]
            rows.append((*facet, f"{labeling.name} ({n})", *cells))
        if not spec.labelings:
            rows.append((*facet, "", "", "", ""))
    scores = ("many-to-one, %", "one-to-one, %", "NMI, %")
    return table(("facet", "K", "kept", "labeling (classes)", *scores), rows)


def table_2(finished: Finished) -> str:
    """Puts the accuracies of all seeds beside the paper's (Table 2).

    Returns:
        See ``accuracies``; of the run that this seed is of.

    Raises:
        NotDrawnError: if no seed is at its end, the results are of an older
            version, or the examples have no labels.
    """
    whole = finished.whole or finished.workdir
    at_end = {
        seed: folder
        for seed, folder in whole.by_seed(whole.settings()).items()
        if folder.results.exists()  # else given up, or not at its end
    }
    if not at_end:
        raise NotDrawnError(
            "no seed has a results.json: train to the end, or give "
            "mfcvae report this --workdir"
        )
    try:
        found = seeds.read(at_end)
    except results.OldResultsError as error:
        raise NotDrawnError(str(error)) from error
    if not found.scores:
        raise NotDrawnError("these examples have no labels")
    return accuracies(finished.run.dataset.spec.name, found)


def accuracies(dataset: str, summary: seeds.Summary) -> str:
    """Puts our accuracies beside the paper's and its rivals'.

    Args:
        dataset: its name.
        summary: of the seeds.

    Returns:
        A Markdown table, many-to-one and one-to-one accuracy apart, in %,
        mean (standard deviation).
    """
    n = len(summary.seeds)
    of_n_seeds = f"{n} seed" + "s" * (n > 1)
    kinds = ("many_to_one", "one_to_one")
    rows: list[tuple[str, ...]] = []
    for labeling in dict.fromkeys(name for *_, name in summary.scores):
        for row in published.ACCURACIES.get((dataset, labeling), ()):
            text = mean_std(*row.value)
            cells = [text if row.kind == kind else "" for kind in kinds]
            rows.append((labeling, row.method, *cells))
        for (facet, k, name), scores in summary.scores.items():
            if name == labeling:
                method = f"ours, facet {facet}, K = {k}, {of_n_seeds}"
                ours = [scores[kind] for kind in kinds]
                cells = [mean_std(spread.mean, spread.std) for spread in ours]
                rows.append((labeling, method, *cells))
    return table(
        ("labeling", "method", "many-to-one, %", "one-to-one, %"), rows
    )
