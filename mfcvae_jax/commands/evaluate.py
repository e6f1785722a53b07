# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Prints the held-out scores of a run's last checkpoint. Nothing is written.

    mfcvae evaluate --workdir=runs/mnist

For pictures and a page as well: mfcvae report.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from mfcvae_jax.commands import finished

if TYPE_CHECKING:
    from mfcvae_jax.training.runs import Run
    from mfcvae_jax.training.state import TrainState

__all__ = ["define_flags", "main"]


def define_flags(values: flags.FlagValues, argv: Sequence[str]) -> None:
    """Defines the flags; see ``running.Command``."""
    finished.define_flags(values)


def main(values: flags.FlagValues) -> int:
    """Prints the scores of every seed."""
    run, states, _ = finished.restore(values)
    from mfcvae_jax.training import runs

    for seed, state in zip(runs.of_each_seed(run), states, strict=True):
        print(f"{run.dataset.spec.name}, seed {seed.settings.seed}", end="")
        print(": diverged" if state is None else f", {_scores(seed, state)}")
    return 0


def _scores(run: "Run", state: "TrainState") -> str:
    """The scores of one seed, as text for a terminal."""
    from mfcvae_jax.evaluation import accuracy
    from mfcvae_jax.training import runs

    scored = runs.score(run, state)
    terms = dict(scored.terms)
    if run.settings.evaluate.importance_samples:
        found = runs.log_marginal(run, state)
        terms["importance_log_p_x"] = float(np.mean(found.log_p_x))
    return "\n".join(
        [
            f"step {int(state.step)} of {run.stepper.schedule.n_steps}, "
            f"{len(run.dataset.test.images)} held-out examples",
            "",
            *(f"{name:<18} {x:10.4f} nats" for name, x in terms.items()),
            "",
            accuracy.format_matrix(scored.matrix),
            "",
        ]
    )
