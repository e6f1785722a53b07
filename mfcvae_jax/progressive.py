# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Progressive training as an explicit state machine.

MFCVAE (arXiv:2106.05241), Section 3.2 and App. D.3. Facets enter one by one,
deepest first: with a stage for each, stage s brings in facet J-1-s; with fewer
stages, the first brings in all that are left. Every facet goes through the
phases in this order. A phase says how the facet is trained::

  phase        decoder rung (alpha)   KL weights (gamma_z, gamma_c)   noise
  waiting      0                      pre                             1
  warming up   fade                   0                               0
  fading in    fade                   pre + (1 - pre) * fade          1
  active       1                      1                               1

``pre`` is the pretraining weight of KL_z or KL_c. ``fade`` runs from 0 to 1
over the fade-in steps, from when the facet enters; in the first stage it is 1
from the start. ``noise`` is the factor on the noise of q(z|x): a facet that is
warming up is an autoencoder, z being the mean. A fade-in that is longer than
its stage is cut short: the facet is active as soon as the next one enters.

The published schedule has no warm-up, and its first facets start active. A
warm-up (it is not in the paper) ends with a fit of the facet's prior to what
the facet then encodes, between two steps: see ``training.prior_fit``.

A facet may have to pay for what the facets before it tell already: once it has
entered, ``price`` nats for each deeper facet that is past its own warm-up, see
``variational.shared_variance``.

The state of the machine is the number of optimiser steps taken, no more. The
schedule says at which step each facet enters each phase. ``phases`` follows
from these two, on the host as in a compiled step. All else follows from the
phases: coefficients, events, what is logged and recorded. A further phase is
one more value of ``Phase``, one more start of each facet and one more row of
the table.
"""

import enum
import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from mfcvae_jax.settings import Fade, Progressive

__all__ = [
    "Coefficients",
    "Event",
    "Phase",
    "Schedule",
    "choices",
    "coefficients",
    "events",
    "fitted_at",
    "full_coefficients",
    "make_schedule",
    "phases",
]


class Phase(enum.IntEnum):
    """Phase of one facet; the numbers are their order."""

    WAITING = 0
    WARMING_UP = 1
    FADING_IN = 2
    ACTIVE = 3

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.lower().replace("_", " ")


class Schedule(NamedTuple):
    """When each facet enters each phase, counted in optimiser steps.

    Attributes:
        starts: for each of the J facets, the step at which it enters each phase
            after the first: (warming up, fading in, active). They never fall; a
            phase whose successor starts at the same step is skipped.
        n_steps: length of the whole run.
        fade_in_steps: length of a fade-in that is not cut short.
        fade_in: its shape.
        pretrain_weight_z: weight of KL_z of a waiting facet, in [0, 1].
        pretrain_weight_c: weight of KL_c of a waiting facet, in [0, 1].
        price: on what deeper facets tell of a facet, in nats.
    """

    starts: tuple[tuple[int, ...], ...]
    n_steps: int
    fade_in_steps: int
    fade_in: Fade = Fade.LINEAR
    pretrain_weight_z: float = 0.0
    pretrain_weight_c: float = 0.0
    price: float = 0.0

    def stage_at(self, step: int) -> int:
        """The stage in force after a number of steps: 0, 1, ..."""
        return len({row[0] for row in self.starts if row[0] <= step}) - 1


class Coefficients(NamedTuple):
    """What the machine tells the next optimiser step.

    Attributes:
        alpha: factor on each decoder rung, in [0, 1], shape (J,).
        weight_z: weight of each facet's KL_z, in [0, 1], shape (J,).
        weight_c: weight of each facet's KL_c, in [0, 1], shape (J,).
        noise: factor on the noise of each facet's q(z|x), 0 or 1, shape (J,).
        price: what facet j pays for the share of it that facet i tells, in
            nats, shape (J, J); 0 unless i is deeper.
    """

    alpha: chex.Array
    weight_z: chex.Array
    weight_c: chex.Array
    noise: chex.Array
    price: chex.Array


class Event(NamedTuple):
    """When ``step`` steps had been taken, some facets entered a phase."""

    step: int
    phase: Phase
    facets: tuple[int, ...]


def make_schedule(
    settings: Progressive, n_facets: int, steps_per_epoch: int
) -> Schedule:
    """Turns the settings' stages, in epochs, into the steps of each facet.

    Args:
        settings: at most one stage for each of the facets.
        n_facets: J.
        steps_per_epoch: optimiser steps in an epoch.
    """
    ends = [int(n) * steps_per_epoch for n in np.cumsum(settings.stage_epochs)]
    last = len(ends) - 1

    def of_stage(stage):
        start = ends[stage - 1] if stage else 0
        warm = start + settings.warm_ups[stage] * steps_per_epoch
        full = start + settings.fade_in_steps if stage else 0
        # A run that goes on after its end goes on with its last fade-in.
        if stage < last:
            full = min(full, ends[stage])
        return (start, warm, max(warm, full))

    return Schedule(
        starts=tuple(of_stage(max(last - j, 0)) for j in range(n_facets)),
        n_steps=ends[-1],
        fade_in_steps=settings.fade_in_steps,
        fade_in=settings.fade_in,
        pretrain_weight_z=settings.pretrain_weight_z,
        pretrain_weight_c=settings.pretrain_weight_c,
        price=settings.redundancy_price,
    )


def phases(schedule: Schedule, step: chex.Numeric) -> chex.Array:
    """Returns the phase of each facet after a number of steps.

    Args:
        schedule: when they begin.
        step: optimiser steps taken, shape (). A Python number gives a NumPy
            array, and nothing is sent to a device.

    Returns:
        Values of ``Phase``, integers, shape (J,).
    """
    return (step >= np.asarray(schedule.starts)).sum(axis=-1)


@functools.partial(jax.jit, static_argnames="schedule", inline=True)
def coefficients(schedule: Schedule, step: chex.Numeric) -> Coefficients:
    """Returns the coefficients after ``step`` optimiser steps, shape ()."""
    fade = _fade(schedule, step)
    pre_z, pre_c = schedule.pretrain_weight_z, schedule.pretrain_weight_c
    fade_z, fade_c = (pre + (1.0 - pre) * fade for pre in (pre_z, pre_c))
    # The table of the module's docstring: (alpha, gamma_z, gamma_c, noise).
    of_phase = {
        Phase.WAITING: (0.0, pre_z, pre_c, 1.0),
        Phase.WARMING_UP: (fade, 0.0, 0.0, 0.0),
        Phase.FADING_IN: (fade, fade_z, fade_c, 1.0),
        Phase.ACTIVE: (1.0, 1.0, 1.0, 1.0),
    }
    now = phases(schedule, step)
    columns = zip(*of_phase.values(), strict=True)
    pays = (now > Phase.WAITING)[:, None] & (now > Phase.WARMING_UP)
    factors = [jnp.select([now == p for p in of_phase], c) for c in columns]
    price = schedule.price * jnp.triu(jnp.asarray(pays, dtype=float), 1)
    return Coefficients._make([*factors, price])


def _fade(schedule: Schedule, step: chex.Numeric) -> chex.Array:
    """How far the fade-in of each facet would be if uncut, shape (J,)."""
    entered = np.asarray(schedule.starts)[:, 0]
    # In the default float type, so float64 where that is switched on.
    taken = jnp.asarray(step - entered, dtype=float)
    ratio = jnp.clip(taken / schedule.fade_in_steps, 0.0, 1.0)
    ratio = jnp.where(entered == 0, 1.0, ratio)
    if schedule.fade_in is Fade.COSINE:
        return 0.5 * (1.0 - jnp.cos(jnp.pi * ratio))
    return ratio


def full_coefficients(n_facets: int) -> Coefficients:
    """Returns ones: those of a model in which all J facets are active."""
    ones = jnp.ones(n_facets)
    return Coefficients(ones, ones, ones, ones, jnp.zeros((n_facets,) * 2))


def fitted_at(schedule: Schedule, step: int) -> tuple[int, ...]:
    """Returns the facets whose warm-up ends and whose priors are fitted now."""
    return tuple(
        j
        for j, (entered, warm, _) in enumerate(schedule.starts)
        if entered < warm == step
    )


def choices(settings: Progressive, n_starts: int) -> dict[int, int]:
    """Says when a run gives up some of its starts, and how many it keeps.

    Half of them go at the middle of the epochs for which no facet warms up any
    more, and half of those that are left after three quarters; at the end of
    the run, all but one. None goes earlier: a facet that takes two ways of
    sorting at once has the better bound until others have come in
    (docs/recipe.md).

    Returns:
        How many starts go on after an epoch, by the number of epochs taken;
        empty for a single start.
    """
    if n_starts == 1:
        return {}
    end = sum(settings.stage_epochs)
    n_active = settings.stage_epochs[-1] - settings.warm_ups[-1]
    # Never at the end of the warm-up itself, when the prior is fitted.
    found = {
        end - n_active // 2: -(-n_starts // 2),
        end - n_active // 4: -(-n_starts // 4),
    }
    return {epoch: n for epoch, n in found.items() if n > 1 and epoch < end} | {
        end: 1
    }


def events(schedule: Schedule, after: int, upto: int) -> tuple[Event, ...]:
    """Lists, in order, the phases that facets enter in a span of steps.

    What happened up to and including the step ``after`` is left out; it is -1
    for the start of the run.
    """
    steps = {start for row in schedule.starts for start in row}
    found = []
    for step in sorted(s for s in steps if after < s <= upto):
        now, before = phases(schedule, step), phases(schedule, step - 1)
        # A facet is active before the next one enters.
        for phase in reversed(Phase):
            entered = np.flatnonzero((now == phase) & (before != phase))
            if len(entered):
                found.append(Event(step, phase, tuple(entered.tolist())))
    return tuple(found)
