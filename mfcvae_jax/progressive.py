# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Progressive training as an explicit state machine.

MFCVAE (arXiv:2106.05241), Section 3.2 and App. D.3. Facets enter one by one,
deepest first: with a stage for each, stage s brings in facet J-1-s; with fewer
stages, the first brings in all that are left. Each facet goes through three
phases, waiting -> fading in -> active::

              decoder rung (alpha)    KL weights (gamma)
  waiting     0                       the pretraining weights
  fading in   fade                    pretraining + (1 - pretraining) * fade
  active      1                       1

where ``fade`` runs from 0 to 1 over the fade-in steps. The facets of stage 0
start active. The state is two counters, part of the training state, and
everything on the device is a pure function of it; phases and events are for
people and live on the host.
"""

import enum
from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np

from mfcvae_jax.settings import Fade, Progressive

__all__ = [
    "Coefficients",
    "Event",
    "Phase",
    "ProgressiveState",
    "Schedule",
    "Transition",
    "advance",
    "coefficients",
    "events",
    "full_coefficients",
    "initial_state",
    "make_schedule",
    "phases",
    "state_at",
]


class Schedule(NamedTuple):
    """The stages, counted in optimiser steps.

    Attributes:
        stage_steps: length of each of the S stages.
        fade_in_steps: length of a fade-in.
        fade_in: its shape.
        pretrain_weight_z: weight of KL_z of a waiting facet.
        pretrain_weight_c: weight of KL_c of a waiting facet.
        n_facets: J, at least S.
    """

    stage_steps: tuple[int, ...]
    fade_in_steps: int
    fade_in: Fade
    pretrain_weight_z: float
    pretrain_weight_c: float
    n_facets: int

    @property
    def n_steps(self) -> int:
        """Length of the whole run, in steps."""
        return sum(self.stage_steps)

    @property
    def stage_starts(self) -> tuple[int, ...]:
        """The step at which each stage starts."""
        return tuple(int(n) for n in np.cumsum((0, *self.stage_steps))[:-1])

    def stage_at(self, step: int) -> int:
        """The stage in force after a number of steps."""
        return sum(step >= start for start in self.stage_starts) - 1

    def entering(self, stage: int) -> tuple[int, ...]:
        """The facets that a stage brings in."""
        shallowest = len(self.stage_steps) - 1 - stage
        return tuple(
            range(shallowest, shallowest + 1 if stage else self.n_facets)
        )


class ProgressiveState(NamedTuple):
    """Where the machine stands.

    Attributes:
        stage: the stage in force, 0..S-1, int32, shape ().
        step_in_stage: optimiser steps taken in it, int32, shape ().
    """

    stage: chex.Array
    step_in_stage: chex.Array


class Coefficients(NamedTuple):
    """What the machine tells the next optimiser step.

    Attributes:
        alpha: factor on each decoder rung, in [0, 1], shape (J,).
        weight_z: weight of each facet's KL_z, in [0, 1], shape (J,).
        weight_c: weight of each facet's KL_c, in [0, 1], shape (J,).
    """

    alpha: chex.Array
    weight_z: chex.Array
    weight_c: chex.Array


class Phase(enum.Enum):
    """Phase of one facet."""

    WAITING = "waiting"
    FADING_IN = "fading in"
    ACTIVE = "active"


class Transition(enum.Enum):
    """What can happen to the machine."""

    STAGE_STARTED = "stage started"
    FADE_IN_DONE = "fade-in done"
    FINISHED = "finished"


class Event(NamedTuple):
    """A transition of the machine.

    Attributes:
        step: number of optimiser steps taken when it happened.
        transition: what happened.
        stage: the stage it happened in.
        facets: those that this stage brings in.
    """

    step: int
    transition: Transition
    stage: int
    facets: tuple[int, ...]


def make_schedule(
    settings: Progressive, n_facets: int, steps_per_epoch: int
) -> Schedule:
    """Turns the settings' epochs into steps.

    Args:
        settings: stages in epochs.
        n_facets: J.
        steps_per_epoch: optimiser steps in an epoch.

    Returns:
        The schedule.
    """
    return Schedule(
        stage_steps=tuple(n * steps_per_epoch for n in settings.stage_epochs),
        fade_in_steps=settings.fade_in_steps,
        fade_in=settings.fade_in,
        pretrain_weight_z=settings.pretrain_weight_z,
        pretrain_weight_c=settings.pretrain_weight_c,
        n_facets=n_facets,
    )


def initial_state() -> ProgressiveState:
    """Returns the state before the first step."""
    return ProgressiveState(jnp.int32(0), jnp.int32(0))


def advance(schedule: Schedule, state: ProgressiveState) -> ProgressiveState:
    """Returns the state after one more optimiser step. Pure, for jit.

    The last stage has no end of its own: a run that goes on stays in it.

    Args:
        schedule: the stages.
        state: the state before the step.

    Returns:
        The state after it.
    """
    taken = state.step_in_stage + 1
    length = jnp.asarray(schedule.stage_steps, jnp.int32)[state.stage]
    is_last = state.stage == len(schedule.stage_steps) - 1
    is_over = (taken >= length) & ~is_last
    return ProgressiveState(
        stage=jnp.where(is_over, state.stage + 1, state.stage),
        step_in_stage=jnp.where(is_over, 0, taken),
    )


def state_at(schedule: Schedule, step: chex.Array) -> ProgressiveState:
    """Returns the state after a number of steps, at once. Pure, for jit.

    Args:
        schedule: the stages.
        step: optimiser steps taken since the start of the run, shape ().

    Returns:
        What ``advance`` gives when applied ``step`` times to the initial state.
    """
    starts = jnp.asarray(schedule.stage_starts, jnp.int32)
    stage = jnp.sum(step >= starts, dtype=jnp.int32) - 1
    return ProgressiveState(stage, jnp.int32(step) - starts[stage])


def coefficients(schedule: Schedule, state: ProgressiveState) -> Coefficients:
    """Returns the coefficients in force. Pure, for jit.

    Args:
        schedule: the stages.
        state: where the machine stands.

    Returns:
        The coefficients of the next optimiser step, or of an evaluation now.
    """
    # In the default float type, so float64 where that is switched on.
    taken = jnp.asarray(state.step_in_stage, dtype=float)
    ratio = jnp.minimum(taken / schedule.fade_in_steps, 1.0)
    if schedule.fade_in is Fade.COSINE:
        ratio = 0.5 * (1.0 - jnp.cos(jnp.pi * ratio))
    ratio = jnp.where(state.stage == 0, 1.0, ratio)
    entering = len(schedule.stage_steps) - 1 - state.stage
    facet = jnp.arange(schedule.n_facets)
    alpha = jnp.where(
        facet > entering, 1.0, jnp.where(facet == entering, ratio, 0.0)
    )
    pre_z, pre_c = schedule.pretrain_weight_z, schedule.pretrain_weight_c
    return Coefficients(
        alpha=alpha,
        weight_z=pre_z + (1.0 - pre_z) * alpha,
        weight_c=pre_c + (1.0 - pre_c) * alpha,
    )


def full_coefficients(n_facets: int) -> Coefficients:
    """Returns the coefficients of a model in which every facet is active.

    Args:
        n_facets: J.

    Returns:
        Ones.
    """
    ones = jnp.ones(n_facets)
    return Coefficients(ones, ones, ones)


def phases(schedule: Schedule, step: int) -> tuple[Phase, ...]:
    """Returns the phase of each facet after a number of steps, on the host.

    Args:
        schedule: the stages.
        step: optimiser steps taken since the start of the run.

    Returns:
        One phase a facet, shallowest first.
    """
    stage = schedule.stage_at(step)
    taken = step - schedule.stage_starts[stage]
    is_fading = stage > 0 and taken < schedule.fade_in_steps
    found = [Phase.ACTIVE] * schedule.n_facets
    entering = schedule.entering(stage)
    found[: entering[0]] = [Phase.WAITING] * entering[0]
    if is_fading:
        found[entering[0]] = Phase.FADING_IN
    return tuple(found)


def events(schedule: Schedule, after: int, upto: int) -> tuple[Event, ...]:
    """Lists the transitions in a span of steps, on the host.

    A fade-in that its stage cuts short is done when the stage ends, since the
    facet is active from then on; it has no event of its own.

    Args:
        schedule: the stages.
        after: transitions up to and including this step are left out; -1 for
            the start of the run.
        upto: last step of the span.

    Returns:
        Events in the order in which they happen.
    """
    found = []
    for stage, start in enumerate(schedule.stage_starts):
        facets = schedule.entering(stage)
        found.append(Event(start, Transition.STAGE_STARTED, stage, facets))
        if 0 < stage and schedule.fade_in_steps < schedule.stage_steps[stage]:
            done = start + schedule.fade_in_steps
            found.append(Event(done, Transition.FADE_IN_DONE, stage, facets))
    last = len(schedule.stage_steps) - 1
    found.append(
        Event(
            schedule.n_steps,
            Transition.FINISHED,
            last,
            schedule.entering(last),
        )
    )
    return tuple(event for event in found if after < event.step <= upto)
