# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that stand at their end, but for the training: quick to have.

Nets are random and priors fitted to what they encode, so that there are
clusters, and swaps that work and that fail.
"""

import pathlib
from typing import Any

import jax.numpy as jnp

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.report.finished import Finished
from mfcvae_jax.training import runs
from tests import examples


def facets(*n_components: int) -> dict[str, Any]:
    """Overrides of ``examples.config``: facets of so many components."""
    n = len(n_components)
    widths = ((32,), (24,), (16,))[:n]
    return {
        "facets": {
            "n_components": n_components,
            "latent_dim": (3,) * n,
            "covariance": ("diagonal",) * n,
            "learn_weights": (True,) * n,
        },
        "net": {
            **examples.config()["net"],
            "encoder_backbone": widths,
            "encoder_rungs": ((),) * n,
            "decoder_rungs": widths,
            "decoder_backbone": widths,
            "merge": "concatenate",
        },
        "progressive": {"stage_epochs": (1,) * n},
    }


def finished(folder: str | pathlib.Path, **overrides: Any) -> Finished:
    """A run of one seed at its last step.

    Args:
        folder: of the run, which is made.
        **overrides: see ``examples.config``.

    Returns:
        The run.
    """
    run = runs.make_run(examples.settings(**overrides))
    state = runs.first_state(run)._replace(
        step=jnp.int32(run.stepper.schedule.n_steps)
    )
    home = workdir_lib.Workdir(folder)
    with home.claim(run.settings, resume=False):
        pass
    return Finished(run, state, home)
