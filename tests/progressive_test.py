# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Progressive training, against a plain transcription and golden tables."""

import functools
import itertools
import math

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from mfcvae_jax import progressive
from mfcvae_jax.progressive import Phase
from mfcvae_jax.settings import Fade, Progressive
from tests import fixtures

_FIELDS = ("alpha", "weight_z", "weight_c", "noise")
_WAITING, _WARMING, _FADING, _ACTIVE = Phase
# More than any run below takes, its last fade-in included: one shape to trace.
_N_STEPS = 64


@st.composite
def _settings(draw):
    """Settings whose epochs are single steps, and a number of facets."""
    stages = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    weights = st.sampled_from([0.0, 0.25, 0.7, 1.0])
    warm_ups = st.tuples(*(st.integers(0, n - 1) for n in stages))
    chosen = Progressive(
        tuple(stages),
        draw(st.integers(1, 12)),
        draw(st.sampled_from(Fade)),
        draw(weights),
        draw(weights),
        draw(st.just(()) | warm_ups),
        draw(st.sampled_from([0.0, 30.0])),
    )
    return chosen, draw(st.integers(len(stages), 3))


def _schedule(stages, fade_in_steps, pre=(0.0, 0.0), n_facets=2, warm_ups=()):
    """Its epochs are single steps."""
    settings = Progressive(stages, fade_in_steps, Fade.LINEAR, *pre, warm_ups)
    return progressive.make_schedule(settings, n_facets, steps_per_epoch=1)


def _stage_of(stages, step):
    """Stage in force after a number of steps, and steps taken in it."""
    stage = 0
    while stage < len(stages) - 1 and step >= stages[stage]:
        step -= stages[stage]
        stage += 1
    return stage, step


def _oracle(chosen, n_facets, step):
    """Phases and coefficients by the rules of App. D.3, facet by facet.

    And of warm-ups, which are not in the paper.
    """
    stage, taken = _stage_of(chosen.stage_epochs, step)
    pre = np.array([0, chosen.pretrain_weight_z, chosen.pretrain_weight_c, 1])
    fade = min(taken / chosen.fade_in_steps, 1.0) if stage else 1.0
    warm_up = (chosen.warm_up_epochs or (0,) * 3)[stage]
    if chosen.fade_in is Fade.COSINE:
        fade = (1 + math.cos(math.pi * fade + math.pi)) / 2
    in_phase, rows = [], []
    for facet in range(n_facets):
        # The stage that brings it in.
        comes_in = max(len(chosen.stage_epochs) - 1 - facet, 0)
        if comes_in > stage:
            in_phase.append(_WAITING)
            rows.append(pre)
        elif comes_in == stage and taken < warm_up:
            in_phase.append(_WARMING)
            rows.append(np.array([fade, 0, 0, 0]))
        elif comes_in < stage or stage == 0 or taken >= chosen.fade_in_steps:
            in_phase.append(_ACTIVE)
            rows.append(np.ones(4))
        else:
            in_phase.append(_FADING)
            rows.append(pre + (1 - pre) * fade)
    return in_phase, np.array(rows).T


def _over_steps(schedule, n_steps=_N_STEPS):
    """Phases and coefficients after 0, ..., n_steps - 1 steps."""
    return [
        jax.vmap(functools.partial(function, schedule))(jnp.arange(n_steps))
        for function in (progressive.phases, progressive.coefficients)
    ]


@pytest.mark.slow
@hypothesis.settings(max_examples=25)
@hypothesis.given(case=_settings())
def test_phases_and_coefficients_of_every_step(case):
    """Beyond the end too: a run that goes on stays in the last stage."""
    chosen, n_facets = case
    schedule = progressive.make_schedule(chosen, n_facets, 1)
    assert schedule.n_steps + chosen.fade_in_steps < _N_STEPS
    wanted = [_oracle(chosen, n_facets, n) for n in range(_N_STEPS)]
    traced, found = _over_steps(schedule)
    np.testing.assert_array_equal(traced, [row for row, _ in wanted])
    on_host = [progressive.phases(schedule, n) for n in range(_N_STEPS)]
    assert isinstance(on_host[0], np.ndarray)
    np.testing.assert_array_equal(traced, on_host)
    for n, (before, now) in enumerate(itertools.pairwise(on_host), 1):
        (fitted,) = np.nonzero((before == _WARMING) & (now > _WARMING))
        assert progressive.fitted_at(schedule, n) == tuple(fitted)
    for i, name in enumerate(_FIELDS):
        values = getattr(found, name)
        np.testing.assert_allclose(
            values, [table[i] for _, table in wanted], atol=2e-6
        )
        if name == "alpha" or not chosen.warm_up_epochs:
            assert np.all(np.diff(values, axis=0) >= 0), name
        np.testing.assert_array_equal(values[-1], np.ones(n_facets))
    for prices, (in_phase, _) in zip(found.price, wanted, strict=True):
        for j, i in np.ndindex(n_facets, n_facets):
            pays = in_phase[j] >= _WARMING and in_phase[i] >= _FADING
            is_due = chosen.redundancy_price * (pays and i > j)
            assert prices[j, i] == is_due
    stages = [_stage_of(chosen.stage_epochs, n)[0] for n in range(_N_STEPS)]
    assert [schedule.stage_at(n) for n in range(_N_STEPS)] == stages


def test_module_s_docstring_has_the_table_that_is_in_force():
    rows = {}
    for line in progressive.__doc__.splitlines():
        cells = [cell for cell in line.split("  ") if cell]
        if cells and cells[0].strip() in [p.label for p in Phase]:
            rows[cells[0].strip()] = cells[1:]
    assert list(rows) == [phase.label for phase in Phase]
    pre_z, pre_c = 0.25, 0.75
    schedule = _schedule((4, 8), 4, pre=(pre_z, pre_c), warm_ups=(0, 2))
    for phase, step in zip(Phase, (0, 5, 6, 8), strict=True):
        assert progressive.phases(schedule, step)[0] == phase
        alpha, weight, noise = rows[phase.label]
        names = {"fade": (step - 4) / 4}
        assert [c[0] for c in progressive.coefficients(schedule, step)[:4]] == [
            eval(alpha, names),
            eval(weight, names | {"pre": pre_z}),
            eval(weight, names | {"pre": pre_c}),
            eval(noise),
        ]


@pytest.mark.parametrize(
    ("stages", "warm_ups", "n_starts", "left_after"),
    [
        ((10,), (), 1, {}),
        ((10,), (), 4, {5: 2, 10: 1}),
        ((10,), (4,), 4, {7: 2, 10: 1}),
        ((10,), (), 2, {10: 1}),
        ((4, 20), (), 5, {14: 3, 19: 2, 24: 1}),
        ((4, 20, 5), (1, 10, 0), 9, {27: 5, 28: 3, 29: 1}),
        ((1, 1), (), 3, {2: 1}),
        ((1,), (), 7, {1: 1}),
    ],
)
def test_half_of_the_starts_go_and_half_of_the_rest(
    stages, warm_ups, n_starts, left_after
):
    settings = Progressive(stages, 1, Fade.LINEAR, 0.0, 0.0, warm_ups)
    assert progressive.choices(settings, n_starts) == left_after


@hypothesis.given(_settings(), st.integers(2, 12))
def test_starts_are_chosen_between_a_warm_up_and_the_end(case, n):
    settings, n_facets = case
    found = progressive.choices(settings, n)
    epochs = list(found)
    assert epochs == sorted(epochs)
    left = [n, *found.values()]
    assert left[-1] == 1
    assert left == sorted(set(left), reverse=True)
    schedule = progressive.make_schedule(settings, n_facets, 1)
    for epoch in epochs:
        assert epoch <= schedule.n_steps
        # No prior is fitted at that moment.
        assert progressive.fitted_at(schedule, epoch) == ()
        assert _WARMING not in progressive.phases(schedule, epoch - 1)


def test_full_coefficients_leave_every_facet_in():
    *factors, price = progressive.full_coefficients(3)
    for value in factors:
        np.testing.assert_array_equal(value, np.ones(3))
    np.testing.assert_array_equal(price, np.zeros((3, 3)))


def test_epochs_become_the_steps_of_each_facet():
    warm_ups = (0, 10, 2)
    chosen = Progressive(
        (201, 100, 7), 15_000, Fade.COSINE, 0.1, 0.2, warm_ups, 50.0
    )
    starts = (
        # The first fade-in is cut short, the last one is not: a run that goes
        # on goes on with it.
        (35_217, 35_451, 50_217),
        (23_517, 24_687, 35_217),
        *((0, 0, 0),) * 3,
    )
    found = progressive.make_schedule(chosen, 5, steps_per_epoch=117)
    assert found == (starts, 36_036, 15_000, Fade.COSINE, 0.1, 0.2, 50.0)


def test_events_of_a_whole_run_come_in_order():
    # The first fade-in is cut short, and ends as the next one begins.
    schedule = _schedule((4, 2, 5), 3, n_facets=4)
    assert progressive.events(schedule, -1, 15) == (
        (0, _ACTIVE, (2, 3)),
        (4, _FADING, (1,)),
        (6, _ACTIVE, (1,)),
        (6, _FADING, (0,)),
        (9, _ACTIVE, (0,)),
    )


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    case=_settings(),
    span=st.tuples(st.integers(-1, 50), st.integers(-1, 50)).map(sorted),
)
def test_events_are_the_changes_of_phase_in_any_span(case, span):
    chosen, n_facets = case
    after, upto = span
    # Before the run starts, every facet waits.
    at = {-1: [_WAITING] * n_facets}
    at |= {n: _oracle(chosen, n_facets, n)[0] for n in range(upto + 1)}
    wanted = []
    for step in range(after + 1, upto + 1):
        # A facet is active before the next one enters.
        for phase in (_ACTIVE, _FADING, _WARMING):
            entered = tuple(
                j
                for j in range(n_facets)
                if at[step - 1][j] != phase == at[step][j]
            )
            if entered:
                wanted.append((step, phase, entered))
    schedule = progressive.make_schedule(chosen, n_facets, 1)
    assert progressive.events(schedule, after, upto) == tuple(wanted)


@pytest.mark.parametrize("stages", [(3, 4), (2, 3, 4)])
@pytest.mark.parametrize("fade_in", [Fade.LINEAR, Fade.COSINE])
@pytest.mark.parametrize("pre", [(0.0, 0.0), (0.25, 0.5)])
def test_equals_the_official_coefficients(stages, fade_in, pre):
    fade = {Fade.LINEAR: "linear", Fade.COSINE: "cosine_annealing"}[fade_in]
    table = fixtures.load("F5").under(
        f"J{len(stages)}/{fade}/{'pre1' if any(pre) else 'pre0'}/"
    )
    chosen = Progressive(stages, 17, fade_in, *pre)
    schedule = progressive.make_schedule(chosen, len(stages), 10)
    with jax.enable_x64(True):
        _, found = _over_steps(schedule, schedule.n_steps)
    names = {
        "alpha": "alpha_dec",
        "weight_z": "gamma_kl_z",
        "weight_c": "gamma_kl_c",
    }
    for row, (ours, theirs) in enumerate(names.items(), 1):
        value = np.asarray(getattr(found, ours))
        np.testing.assert_allclose(
            value.reshape(sum(stages), 10, len(stages)),
            table[theirs],
            rtol=1e-9,
            atol=1e-12,
            err_msg=theirs,
        )
        # Epoch -1, where the prior is fitted, is before the first step.
        np.testing.assert_allclose(value[0], table["epoch_minus_1"][row])
