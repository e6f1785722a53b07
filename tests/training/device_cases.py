# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs whose results must not depend on the devices, in processes of their own.

The number of devices is fixed once a process has used JAX, so every layout of
devices is tried in a fresh one.
"""

import dataclasses
import multiprocessing
import os
import socket
from collections.abc import Callable
from concurrent import futures
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mfcvae_jax import progressive
from mfcvae_jax.training import devices, feeding, processes, runs, state, steps
from tests import examples

BATCH_SIZE = 8
N_STEPS = 50
_PER_DISPATCH = 10

_LAYERS = {
    "encoder_backbone": ((16,), (12,)),
    "encoder_rungs": ((8,), ()),
    "decoder_rungs": ((8,), (12,)),
    "decoder_backbone": ((16,), (8,)),
}
_DENSE = examples.config()["net"] | {"activation": "elu", "batch_norm": True}
_NETS = {
    "dense": _DENSE | _LAYERS,
    "small": _DENSE | {name: sizes[:1] for name, sizes in _LAYERS.items()},
    "conv": {
        "kind": "conv_ladder",
        "activation": "elu",
        "weight_norm": True,
        "output_norm": True,
        "official_init": False,
    },
}
# Two facets see different things, both drawn.
_VIEWS = (
    ({"kind": "noise", "std": 0.1},),
    (
        {"kind": "affine", "rotation": 20, "shift": 0.1},
        {"kind": "masked", "share": 0.1},
    ),
)


def make_stepper(net: str) -> steps.Stepper:
    """A model with batch norm.

    "dense" has two facets, with views, full and diagonal covariances, fixed and
    learnt weights, a warm-up and a price. Others have one facet, with a full
    covariance and fixed weights.
    """
    n_facets = 2 if net == "dense" else 1
    chosen = examples.settings(
        net=_NETS[net],
        facets={
            "view": _VIEWS if n_facets == 2 else (),
            "n_components": (6, 10)[:n_facets],
            "latent_dim": (2, 3)[:n_facets],
            "covariance": ("full", "diagonal")[:n_facets],
            "learn_weights": (False, True)[:n_facets],
        },
        likelihood={"kind": "gaussian", "std": 0.5, "output": "sigmoid"},
        progressive={"stage_epochs": (1,) * n_facets},
    )
    return dataclasses.replace(
        runs.make_stepper(chosen, (8, 8, 1), steps_per_epoch=1),
        # Some gradients are 0 but for rounding, such as that of a bias whose
        # unit always fires, before batch norm. With Adam's usual epsilon they
        # would move a parameter as far as any other gradient, at random.
        optimiser=optax.adam(2e-4, eps=1e-3),
        # The first of two facets warms up from step 20 on, has faded in at 35,
        # and pays for what the other tells.
        schedule=progressive.Schedule(
            ((20, 28, 35), (0, 0, 0))[-n_facets:], 60, 15, price=20.0
        ),
    )


def images() -> np.ndarray:
    """Digits: bytes, or doubles where these are in force."""
    whole = np.round(255 * examples.images(10 * BATCH_SIZE))
    return np.float64(whole) / 255 if _is_double() else whole.astype(np.uint8)


def start(stepper: steps.Stepper, seed: int) -> state.TrainState:
    """The state before the first step of a seed."""
    key = jax.random.key(seed)
    with jax.enable_x64(False):
        variables = state.initial_variables(stepper.model, key)
    for name, part in variables["params"].items():
        if name.startswith("priors_"):
            part["means"] = jax.random.normal(key, part["means"].shape)
    if _is_double():
        variables = jax.tree.map(np.float64, variables)
    return state.make_state(variables, stepper.optimiser, key)


def _is_double() -> bool:
    return jnp.zeros(()).dtype == np.float64


def result(
    net: str,
    n_devices: int | None = None,
    seeds: tuple[int, ...] = (0,),
    on_device_bytes: float = 1e9,
    is_double: bool = True,
) -> list[list[np.ndarray]]:
    """The final leaves of every seed, and the metrics of each step."""
    with jax.enable_x64(is_double):
        stepper, data = make_stepper(net), images()
        program = devices.Program(
            stepper, BATCH_SIZE, len(seeds), jax.devices()[:n_devices]
        )

        def permutations(epoch):
            # Every seed has its own order.
            rngs = [np.random.default_rng((epoch, seed)) for seed in seeds]
            return np.stack([rng.permutation(len(data)) for rng in rngs])

        plan = [
            feeding.Dispatch(
                *divmod(step, len(data) // BATCH_SIZE), _PER_DISPATCH
            )
            for step in range(0, N_STEPS, _PER_DISPATCH)
        ]
        at = program.place([start(stepper, seed) for seed in seeds])
        metrics = []
        for fed in feeding.feed(
            program, data, permutations, plan, on_device_bytes
        ):
            at, found = program.run(at, *fed)
            metrics.append(found)
        joined = jax.tree.map(lambda *m: np.concatenate(m), *metrics)
        return [
            list(map(np.asarray, jax.tree.leaves(seed)))
            for seed in zip(program.members(at), joined, strict=True)
        ]


def results(cases: list[dict[str, Any]]) -> list[list[list[np.ndarray]]]:
    """Several results."""
    return [result(**case) for case in cases]


def with_devices(n_devices: int) -> str:
    """Returns the flags of XLA that are in force, and so many devices."""
    flag = f"--xla_force_host_platform_device_count={n_devices}"
    return f"{os.environ.get('XLA_FLAGS', '')} {flag}"


def _prepare(n_devices: int) -> None:
    # JAX reads it when it is first used, which it has not been here.
    os.environ["XLA_FLAGS"] = with_devices(n_devices)


def pool(n_devices: int, n_processes: int = 1) -> futures.ProcessPoolExecutor:
    """Processes that see so many devices each."""
    return futures.ProcessPoolExecutor(
        n_processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(n_devices,),
    )


def free_port() -> int:
    """Returns a port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _joined(port: int, process_id: int, work: Callable, *args: Any) -> Any:
    processes.start(f"127.0.0.1:{port}", 2, process_id)
    return work(*args)


def of_two_processes(n_devices: int, work: Callable, *args: Any) -> list[Any]:
    """What each of two processes of one run, of so many devices, returns."""
    port = free_port()
    with pool(n_devices, 2) as workers:
        jobs = [workers.submit(_joined, port, i, work, *args) for i in range(2)]
        return [job.result() for job in jobs]
