# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A finished run: its facts, against the settings, the schedule and NumPy."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from mfcvae_jax import progressive
from mfcvae_jax.randomness import KeyUse
from tests import oracles, untrained
from tests.report.exhibits_test import run


@pytest.mark.slow
def test_stages_are_where_the_phases_change(tmp_path):
    overrides = untrained.facets(4, 5, 3)
    # Fewer stages than facets: the first brings in two.
    overrides["progressive"] = {"stage_epochs": (1, 2), "fade_in_steps": 4}
    finished = untrained.finished(tmp_path / "run", **overrides)
    schedule, n = finished.run.stepper.schedule, finished.run.steps_per_epoch
    steps = range(schedule.n_steps + 1)
    phases = [progressive.phases(schedule, step) for step in steps]
    wanted = []
    for facet, of_facet in enumerate(zip(*phases, strict=True)):
        waits = [phase == progressive.Phase.WAITING for phase in of_facet]
        is_in = of_facet.index(progressive.Phase.ACTIVE)
        wanted.append((waits.index(False) / n, facet, is_in / n))
    assert finished.stages == wanted


def test_images_are_the_held_out_ones_in_fractions():
    images = run(30, 4).images
    assert images.shape == (359, 8, 8, 1)
    assert (images.min(), images.max()) == (0, 1)


def test_score_that_is_known_is_not_computed_again():
    scored = run(30, 4).scored
    assert dataclasses.replace(run(30, 4), known=scored).scored is scored


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 359]], "examples 0 to 358, got 0 to 359"),
        ([[-1, 3]], "examples 0 to 358, got -1 to 3"),
        (np.empty((0, 2), int), "at least one pair"),
    ],
)
def test_bad_pairs_are_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(run(5), pairs=np.array(pairs))


def test_swap_of_a_facet_is_judged_by_the_model_itself():
    """By encoding what was drawn once more."""
    finished, pairs = run(30, 4), np.array([[0, 5], [9, 31], [7, 7]])
    clusters = finished.scored.predictions.assignments
    for facet in range(2):
        swapped, is_right = finished.try_swap(pairs, facet)
        again = finished.assign(swapped)
        for p, side, j in np.ndindex(3, 2, 2):
            of = pairs[p, 1 - side if j == facet else side]
            wanted = again[p, side, j] == clusters[of, j]
            assert is_right[p, side, j] == wanted


def test_diversity_of_samples_and_of_inputs():
    finished = run(30, 4)
    images = finished.images.reshape(359, -1).astype(np.float64)
    for j, found in enumerate(finished.diversity):
        clusters = finished.scored.predictions.assignments[:, j]
        within = sum(
            np.sum(images[clusters == k].var(axis=0)) * np.sum(clusters == k)
            for k in np.unique(clusters)
        )
        assert found["spread_of_inputs"] == pytest.approx(
            within / (359 * images.var(axis=0).sum()), abs=1e-6
        )
        samples = finished.sample_clusters(j, 50)
        told = finished.assign(samples)
        mixture = finished.trained.mixtures[j]
        log_weights = oracles.parts(mixture).log_weights
        weights = np.exp(log_weights.astype(np.float64))
        kept = [np.mean(of[:, j] == k) for k, of in enumerate(told)]
        assert found["kept"] == pytest.approx(weights @ kept, abs=1e-5)
        for i, k in enumerate((30, 4)):
            shares = np.stack(
                [np.bincount(of[:, i], minlength=k) / 50 for of in told]
            )
            log_reach = weights @ stats.entropy(shares, axis=1)
            log_reach -= stats.entropy(weights @ shares)
            assert found["reach"][i] == pytest.approx(
                np.exp(log_reach), abs=1e-5
            )


def test_no_two_draws_share_a_key():
    keys = {
        tuple(jax.random.key_data(run(5).key(use, i)).tolist())
        for use in (KeyUse.SAMPLES, KeyUse.PROBES)
        for i in range(6)
    }
    assert len(keys) == 12
