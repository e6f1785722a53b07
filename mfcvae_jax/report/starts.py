# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What became of the starts of a run, of which one is kept.

All is read from their records of split "choice", see ``training.restarts``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mfcvae_jax.report.results import Table
from mfcvae_jax.workdir import Workdir

__all__ = ["of_one", "table"]


def of_one(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Says how a start fared beside the others; nothing of a single start."""
    choices = _choices(records)
    if not choices:
        return []
    fared = ", ".join(
        f"place {choice['rank']:.0f} of {choice['n_starts']:.0f} at step "
        f"{choice['step']} with {_bound(choice)}"
        for choice in choices
    )
    what = "kept" if choices[-1]["is_kept"] else "not kept"
    return [f"This start is {what} for its held-out mixture bound: {fared}."]


def table(folders: Mapping[int, Workdir]) -> Table:
    """Returns a table with a row for each start, given folders by seed."""
    fates = {seed: one.why_given_up() for seed, one in folders.items()}
    left = "is kept" if list(fates.values()).count("") == 1 else "goes on"
    rows = []
    for seed, folder in folders.items():
        last = _choices(folder.records())[-1:]
        cells = [(str(choice["step"]), _bound(choice)) for choice in last]
        rows.append(
            (f"seed {seed}", fates[seed] or left, *(*cells, ("", ""))[0])
        )
    return Table(
        f"{len(folders)} starts, compared by their held-out mixture bounds",
        ("start", "what became of it", "last compared at step", "bound then"),
        tuple(rows),
        2,
        "Nats per example; higher is better. Labels choose nothing.",
    )


def _choices(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [record for record in records if record["split"] == "choice"]


def _bound(choice: Mapping[str, Any]) -> str:
    value = choice["mixture_bound"]
    return "a bound that is not finite" if value is None else f"{value:.2f}"
