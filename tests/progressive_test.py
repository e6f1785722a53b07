# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Progressive training, against a plain transcription and golden tables."""

import functools
import math

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import strategies as st

from mfcvae_jax import progressive, settings
from mfcvae_jax.progressive import Phase, Transition
from mfcvae_jax.settings import Fade
from tests import fixtures

_FIELDS = ("alpha", "weight_z", "weight_c")


@st.composite
def _schedules(draw, max_facets=3):
    stages = draw(st.lists(st.integers(1, 9), min_size=1, max_size=max_facets))
    weights = st.sampled_from([0.0, 0.25, 0.7, 1.0])
    return progressive.Schedule(
        stage_steps=tuple(stages),
        fade_in_steps=draw(st.integers(1, 12)),
        fade_in=draw(st.sampled_from(Fade)),
        pretrain_weight_z=draw(weights),
        pretrain_weight_c=draw(weights),
        n_facets=draw(st.integers(len(stages), max_facets)),
    )


def _schedule(stages, fade_in_steps, fade_in=Fade.LINEAR, pre_z=0.0, pre_c=0.0):
    return progressive.Schedule(
        stages, fade_in_steps, fade_in, pre_z, pre_c, len(stages)
    )


def _stage_of(schedule, step):
    """Stage in force after a number of steps, and steps taken in it."""
    stage = 0
    while stage < len(schedule.stage_steps) - 1:
        if step < schedule.stage_steps[stage]:
            break
        step -= schedule.stage_steps[stage]
        stage += 1
    return stage, step


def _fade(schedule, taken):
    ratio = min(taken / schedule.fade_in_steps, 1.0)
    if schedule.fade_in is Fade.COSINE:
        return (1 + math.cos(math.pi * ratio + math.pi)) / 2
    return ratio


def _oracle(schedule, step):
    """Coefficients by the rules of the paper's App. D.3, facet by facet."""
    stage, taken = _stage_of(schedule, step)
    rows = []
    for facet in range(schedule.n_facets):
        # The stage that brings it in.
        comes_in = max(len(schedule.stage_steps) - 1 - facet, 0)
        if comes_in < stage or comes_in == stage == 0:
            rows.append((1.0, 1.0, 1.0))
        elif comes_in == stage:
            a = _fade(schedule, taken)
            pre = (schedule.pretrain_weight_z, schedule.pretrain_weight_c)
            rows.append((a, *(p + (1 - p) * a for p in pre)))
        else:
            rows.append(
                (0.0, schedule.pretrain_weight_z, schedule.pretrain_weight_c)
            )
    return np.array(rows).T


def _over_steps(schedule, n_steps):
    """States and coefficients after 0..n_steps steps, in one compiled call.

    Returns:
        States by ``state_at``, states by ``advance`` iterated, coefficients.
    """

    @jax.jit
    def run():
        steps = jnp.arange(n_steps + 1)
        at_once = jax.vmap(functools.partial(progressive.state_at, schedule))(
            steps
        )

        def one(state, _):
            return progressive.advance(schedule, state), state

        _, one_by_one = jax.lax.scan(
            one, progressive.initial_state(), length=n_steps + 1
        )
        found = jax.vmap(functools.partial(progressive.coefficients, schedule))(
            at_once
        )
        return at_once, one_by_one, found

    return run()


class AgainstTheRulesTest(parameterized.TestCase):
    @hypothesis.settings(max_examples=20)
    @hypothesis.given(schedule=_schedules())
    def test_state_and_coefficients_of_every_step(self, schedule):
        # Beyond the end too: a run that goes on stays in the last stage.
        n = schedule.n_steps + 15
        at_once, one_by_one, found = _over_steps(schedule, n)
        stages = [_stage_of(schedule, step) for step in range(n + 1)]
        for states in (at_once, one_by_one):
            np.testing.assert_array_equal(
                np.stack([states.stage, states.step_in_stage], -1), stages
            )
            self.assertEqual(states.stage.dtype, jnp.int32)
            self.assertEqual(states.step_in_stage.dtype, jnp.int32)
        wanted = np.stack([_oracle(schedule, step) for step in range(n + 1)])
        for i, name in enumerate(_FIELDS):
            np.testing.assert_allclose(
                getattr(found, name), wanted[:, i], atol=2e-6, err_msg=name
            )

    @hypothesis.settings(max_examples=12)
    @hypothesis.given(schedule=_schedules())
    def test_fades_rise_from_0_to_1_and_never_fall(self, schedule):
        n = schedule.n_steps + schedule.fade_in_steps
        _, _, found = _over_steps(schedule, n)
        n_facets = schedule.n_facets
        n_waiting = len(schedule.stage_steps) - 1
        pre = (0, schedule.pretrain_weight_z, schedule.pretrain_weight_c)
        for name, low in zip(_FIELDS, pre, strict=True):
            value = np.asarray(getattr(found, name))
            self.assertTrue(np.all(np.diff(value, axis=0) >= 0), name)
            self.assertGreaterEqual(np.min(value), np.float32(low) - 1e-6)
            np.testing.assert_array_equal(value[-1], np.ones(n_facets))
            np.testing.assert_allclose(
                value[0],
                [low] * n_waiting + [1] * (n_facets - n_waiting),
                atol=1e-6,
            )
        # Each facet but the first to come is still out as its stage begins.
        for stage, start in enumerate(schedule.stage_starts):
            if stage > 0:
                self.assertEqual(found.alpha[start, n_waiting - stage], 0)

    def test_one_facet_is_active_from_first_to_last(self):
        schedule = _schedule((4,), 100, pre_z=0.3, pre_c=0.0)
        states, _, found = _over_steps(schedule, 10)
        np.testing.assert_array_equal(states.stage, np.zeros(11))
        for name in _FIELDS:
            np.testing.assert_array_equal(
                getattr(found, name), np.ones((11, 1))
            )

    def test_one_stage_for_all_facets_has_them_all_in_from_the_start(self):
        schedule = _schedule((4,), 3)._replace(n_facets=3)
        _, _, found = _over_steps(schedule, 6)
        np.testing.assert_array_equal(found.alpha, np.ones((7, 3)))

    def test_fade_in_that_outlasts_its_stage_is_complete_in_the_next(self):
        schedule = _schedule((2, 3, 4), 10)
        _, _, found = _over_steps(schedule, 9)
        np.testing.assert_allclose(
            found.alpha,
            [
                *([0, 0, 1.0],) * 2,
                *([0, n / 10, 1] for n in range(3)),
                *([n / 10, 1, 1] for n in range(5)),
            ],
            atol=1e-6,
        )

    def test_cosine_starts_and_ends_flat_and_passes_one_half_midway(self):
        schedule = _schedule((1, 50), 40, Fade.COSINE)
        _, _, found = _over_steps(schedule, 51)
        alpha = np.asarray(found.alpha)[1:, 0]
        np.testing.assert_allclose(
            alpha[:41], np.sin(np.pi * np.arange(41) / 80) ** 2, atol=1e-6
        )
        np.testing.assert_allclose(alpha[20], 0.5, atol=1e-6)
        np.testing.assert_array_equal(alpha[40:], 1)
        slope = np.diff(alpha[:41])
        self.assertIn(np.argmax(slope), (19, 20))
        self.assertLess(max(slope[0], slope[-1]), np.max(slope) / 10)

    def test_waiting_facets_have_each_their_pretraining_weight(self):
        schedule = _schedule((3, 8), 4, pre_z=0.25, pre_c=0.5)
        _, _, found = _over_steps(schedule, 7)
        np.testing.assert_array_equal(found.weight_z[:4, 0], [0.25] * 4)
        np.testing.assert_array_equal(found.weight_c[:4, 0], [0.5] * 4)
        np.testing.assert_array_equal(found.weight_z[4, 0], 0.25 + 0.75 / 4)
        np.testing.assert_array_equal(found.weight_c[4, 0], 0.5 + 0.5 / 4)

    def test_full_coefficients_leave_every_facet_in(self):
        for value in progressive.full_coefficients(3):
            np.testing.assert_array_equal(value, np.ones(3))


class PhasesTest(parameterized.TestCase):
    @hypothesis.settings(max_examples=15)
    @hypothesis.given(schedule=_schedules())
    def test_each_facet_waits_then_fades_in_then_is_active(self, schedule):
        order = [Phase.WAITING, Phase.FADING_IN, Phase.ACTIVE]
        n_facets = schedule.n_facets
        last = schedule.n_steps + schedule.fade_in_steps
        seen = [progressive.phases(schedule, step) for step in range(last + 1)]
        for facet in range(n_facets):
            ranks = [order.index(row[facet]) for row in seen]
            self.assertEqual(ranks, sorted(ranks))
            self.assertEqual(seen[-1][facet], Phase.ACTIVE)
        for step, row in enumerate(seen):
            # Deepest first: at no time is a facet ahead of the one below.
            ranks = [order.index(phase) for phase in row]
            self.assertEqual(ranks, sorted(ranks))
            self.assertLessEqual(row.count(Phase.FADING_IN), 1)
            stage, taken = _stage_of(schedule, step)
            self.assertEqual(row[n_facets - 1], Phase.ACTIVE)
            if stage > 0:
                is_fading = taken < schedule.fade_in_steps
                (entering,) = schedule.entering(stage)
                self.assertEqual(
                    row[entering],
                    Phase.FADING_IN if is_fading else Phase.ACTIVE,
                )

    def test_phases_of_a_run_of_three_facets_are_these(self):
        schedule = _schedule((2, 3, 4), 2)
        waiting, fading, active = Phase
        wanted = {
            0: (waiting, waiting, active),
            2: (waiting, fading, active),
            3: (waiting, fading, active),
            4: (waiting, active, active),
            5: (fading, active, active),
            7: (active, active, active),
            99: (active, active, active),
        }
        for step, row in wanted.items():
            self.assertEqual(progressive.phases(schedule, step), row, step)


class EventsTest(parameterized.TestCase):
    def test_events_of_a_whole_run_come_in_order(self):
        schedule = _schedule((4, 6, 5), 3)
        started, faded, finished = Transition
        self.assertEqual(
            progressive.events(schedule, -1, schedule.n_steps),
            (
                (0, started, 0, (2,)),
                (4, started, 1, (1,)),
                (7, faded, 1, (1,)),
                (10, started, 2, (0,)),
                (13, faded, 2, (0,)),
                (15, finished, 2, (0,)),
            ),
        )

    def test_fade_in_cut_short_by_its_stage_has_no_event(self):
        schedule = _schedule((4, 6, 5), 6)
        kinds = {e.transition for e in progressive.events(schedule, -1, 15)}
        self.assertEqual(kinds, {Transition.STAGE_STARTED, Transition.FINISHED})

    def test_one_facet_starts_and_finishes(self):
        found = progressive.events(_schedule((5,), 2), -1, 100)
        self.assertEqual(
            found,
            (
                (0, Transition.STAGE_STARTED, 0, (0,)),
                (5, Transition.FINISHED, 0, (0,)),
            ),
        )

    @hypothesis.given(
        schedule=_schedules(max_facets=5),
        cuts=st.lists(st.integers(-1, 50), min_size=3, max_size=3).map(sorted),
    )
    def test_events_of_adjoining_spans_compose(self, schedule, cuts):
        a, b, c = cuts
        self.assertEqual(
            progressive.events(schedule, a, b)
            + progressive.events(schedule, b, c),
            progressive.events(schedule, a, c),
        )

    @hypothesis.given(schedule=_schedules(max_facets=5))
    def test_events_happen_where_the_plain_rules_change(self, schedule):
        found = progressive.events(schedule, -1, schedule.n_steps)
        steps = [event.step for event in found]
        self.assertEqual(steps, sorted(steps))
        for event in found:
            stage, taken = _stage_of(schedule, event.step)
            self.assertEqual(event.facets, schedule.entering(event.stage))
            if event.transition is Transition.STAGE_STARTED:
                self.assertEqual((event.stage, 0), (stage, taken))
            elif event.transition is Transition.FADE_IN_DONE:
                self.assertEqual(event.stage, stage)
                self.assertEqual(taken, schedule.fade_in_steps)
            else:
                self.assertEqual(event.step, sum(schedule.stage_steps))
        counts = [event.transition for event in found]
        self.assertEqual(
            counts.count(Transition.STAGE_STARTED), len(schedule.stage_steps)
        )
        self.assertEqual(counts.count(Transition.FINISHED), 1)


class ScheduleTest(absltest.TestCase):
    def test_epochs_become_steps(self):
        chosen = settings.Progressive(
            (201, 100, 7), 15_000, Fade.COSINE, 0.1, 0.2
        )
        schedule = progressive.make_schedule(chosen, 5, steps_per_epoch=117)
        self.assertEqual(schedule.stage_steps, (23_517, 11_700, 819))
        self.assertEqual(schedule[1:], (15_000, Fade.COSINE, 0.1, 0.2, 5))
        self.assertEqual(schedule.n_steps, 36_036)
        self.assertEqual(schedule.stage_starts, (0, 23_517, 35_217))
        self.assertEqual(
            [schedule.entering(s) for s in range(3)], [(2, 3, 4), (1,), (0,)]
        )

    def test_state_starts_at_zero_and_is_data(self):
        state = progressive.initial_state()
        self.assertEqual([int(n) for n in state], [0, 0])
        self.assertLen(jax.tree.leaves(state), 2)


@fixtures.needs_fixtures
class OfficialTableTest(parameterized.TestCase):
    @parameterized.product(
        stages=((3, 4), (2, 3, 4)), fade_in=tuple(Fade), pre=("pre0", "pre1")
    )
    def test_equals_the_official_coefficients(self, stages, fade_in, pre):
        shape = {Fade.LINEAR: "linear", Fade.COSINE: "cosine_annealing"}
        table = fixtures.load("F5").under(
            f"J{len(stages)}/{shape[fade_in]}/{pre}/"
        )
        pre_z, pre_c = {"pre0": (0.0, 0.0), "pre1": (0.25, 0.5)}[pre]
        chosen = settings.Progressive(stages, 17, fade_in, pre_z, pre_c)
        schedule = progressive.make_schedule(
            chosen, len(stages), steps_per_epoch=10
        )
        with jax.enable_x64(True):
            _, _, found = _over_steps(schedule, schedule.n_steps - 1)
        names = ("alpha_dec", "gamma_kl_z", "gamma_kl_c")
        for ours, theirs in zip(_FIELDS, names, strict=True):
            value = np.asarray(getattr(found, ours))
            np.testing.assert_allclose(
                value.reshape(sum(stages), 10, len(stages)),
                table[theirs],
                rtol=1e-9,
                atol=1e-12,
                err_msg=theirs,
            )
            # Epoch -1, where the prior is fitted, is before the first step.
            row = 1 + names.index(theirs)
            np.testing.assert_allclose(value[0], table["epoch_minus_1"][row])


if __name__ == "__main__":
    absltest.main()
