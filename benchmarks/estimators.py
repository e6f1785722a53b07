# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of each estimator of a facet's terms, as ratios.

python benchmarks/estimators.py

One facet's terms of a batch and their gradient in q(z|x) and the mixture,
compiled apart from any net; then a whole training step of the published MNIST
model, in the compiled scan that training uses. Rounds are interleaved: each
times every estimator once, and a figure is the median over the rounds of the
time over that of ``five_terms`` in the same round.
"""

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import published_step
from absl import flags

from mfcvae_jax import model
from mfcvae_jax.commands import running
from mfcvae_jax.training import devices
from mfcvae_jax.variational import elbo, posterior
from mfcvae_jax.variational.elliptical import Gaussians

_BATCH_SIZE = flags.DEFINE_integer("batch_size", 512, "Examples.", 1)
_N_ROUNDS = flags.DEFINE_integer("n_rounds", 30, "Interleaved rounds.", 3)


class Case(NamedTuple):
    """Sizes of a facet."""

    n_components: int = 25
    latent_dim: int = 5
    n_samples: int = 1


_CASES = (
    Case(),
    Case(n_components=10),
    Case(n_components=100),
    Case(n_components=200),
    Case(latent_dim=2),
    Case(latent_dim=22),
    Case(n_samples=8),
    Case(n_samples=32),
    Case(n_components=200, latent_dim=22),
)


def _arguments(case: Case, is_full: bool) -> tuple:
    rng = np.random.default_rng(0)
    k, d, n = case.n_components, case.latent_dim, _BATCH_SIZE.value
    scale = rng.uniform(0.5, 1.5, (k, d))
    if is_full:
        diagonal = scale
        scale = 0.1 * np.tril(rng.normal(size=(k, d, d)), -1)
        scale[:, range(d), range(d)] = diagonal
    of_mixture = (np.zeros(k), rng.normal(size=(k, d)), scale)
    of_q = (rng.normal(size=(n, d)), -np.ones((n, d)))
    noise = rng.normal(size=(case.n_samples, n, d))
    return tuple(map(jnp.float32, (*of_mixture, *of_q, noise)))


def _compiled(estimator: elbo.Estimator, arguments: tuple):
    @functools.partial(jax.value_and_grad, argnums=(0, 1, 2, 3, 4))
    def gradient(logits, means, scale, q_mean, q_log_var, noise):
        mixture = distrax.MixtureSameFamily(
            distrax.Categorical(logits=logits), Gaussians(means, scale)
        )
        q = posterior.Posterior(q_mean, q_log_var)
        z = posterior.sample(q, noise)
        terms = estimator(model.densities(q, mixture, z))
        return jnp.sum(terms.kl_z + terms.kl_c)

    return jax.jit(gradient).lower(*arguments).compile()


def _seconds(run, arguments: tuple, n_calls: int) -> float:
    start = time.perf_counter()
    for _ in range(n_calls):
        jax.block_until_ready(run(*arguments))
    return (time.perf_counter() - start) / n_calls


def _training_steps(n_steps: int) -> dict[str, Callable[[], Any]]:
    """Calls that take so many training steps with each estimator."""
    plain = published_step.make_stepper("mnist")
    images = published_step.random_images(plain, n_steps * _BATCH_SIZE.value)
    order = np.arange(len(images))
    calls: dict[str, Callable[[], Any]] = {}
    for name, estimate in elbo.ESTIMATORS.items():
        stepper = dataclasses.replace(plain, estimate=estimate)
        start = published_step.first_state(stepper)
        program = devices.Program(stepper, _BATCH_SIZE.value)
        calls[name] = functools.partial(
            program.run,
            program.place([start]),
            program.place_images(images),
            program.place_order(order),
            0,
            n_steps,
        )
        calls[name]()
    return calls


def _benchmark() -> int:
    device = jax.devices()[0].device_kind
    print(f"{device}, jax {jax.__version__}, batch {_BATCH_SIZE.value}\n")
    names = list(elbo.ESTIMATORS)
    others = names[1:]
    print(
        "| covariance | K | D | L | `five_terms`, ms | MB | "
        + " | ".join(f"`{n}`, time" for n in others)
        + " | "
        + " | ".join(f"`{n}`, memory" for n in others)
        + " |"
    )
    print("|---" * (6 + 2 * len(others)) + "|")
    for is_full in (False, True):
        for case in _CASES:
            arguments = _arguments(case, is_full)
            runs = [
                _compiled(estimate, arguments)
                for estimate in elbo.ESTIMATORS.values()
            ]
            # Calls of a round take a few milliseconds at least.
            n_calls = max(1, int(5e-3 / _seconds(runs[0], arguments, 3)))
            rounds = [
                [_seconds(run, arguments, n_calls) for run in runs]
                for _ in range(_N_ROUNDS.value)
            ]
            memory = [run.memory_analysis().temp_size_in_bytes for run in runs]
            ratios = [
                statistics.median(times[i] / times[0] for times in rounds)
                for i in range(1, len(runs))
            ]
            first = statistics.median(times[0] for times in rounds)
            cells = [
                "full" if is_full else "diagonal",
                *case,
                f"{1e3 * first:.2f}",
                f"{memory[0] / 1e6:.1f}",
                *(f"{ratio:.2f}" for ratio in ratios),
                *(f"{m / memory[0]:.2f}" for m in memory[1:]),
            ]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)

    n_steps = 5
    calls = _training_steps(n_steps)
    rounds = [
        [_seconds(call, (), 1) / n_steps for call in calls.values()]
        for _ in range(_N_ROUNDS.value)
    ]
    first = statistics.median(times[0] for times in rounds)
    print(f"\na whole MNIST step: `five_terms` {1e3 * first:.0f} ms", end="")
    for i, name in enumerate(others, start=1):
        ratio = statistics.median(times[i] / times[0] for times in rounds)
        print(f", `{name}` {ratio:.3f}", end="")
    print()
    return 0


if __name__ == "__main__":
    running.script(_benchmark)
