# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""What training costs on a GPU: MNIST and SVHN, seeds, precisions, PyTorch.

    make bench-gpu
    python benchmarks/gpu.py --torch_python=/elsewhere/bin/python

Times the published settings, 1 and 10 seeds in one program, in each precision,
beside the same step in plain PyTorch on the same card, where a Python that has
it is named. The share of the roofline is the least time that the step's
operations and bytes would take on the card, as XLA counts them, over the time
that it takes; for cards that the table below knows. The hours are of 402
epochs. Without a GPU it runs on the CPU, to show that it works.
"""

import dataclasses
import pathlib
import statistics

import beside_torch
import jax
import numpy as np
import published_step
from absl import flags

from mfcvae_jax.commands import running
from mfcvae_jax.report import markdown
from mfcvae_jax.settings import Precision
from mfcvae_jax.training.steps import Stepper

_MODELS = flags.DEFINE_list("models", ["mnist", "svhn"], "Which.")
_SEEDS = flags.DEFINE_list("seeds", ["1", "10"], "Seeds in one program.")

# Of a model its batch and steps in 402 epochs.
_BATCH_SIZES = {"mnist": 512, "svhn": 150}
_N_STEPS = {"mnist": 402 * 117, "svhn": 402 * 488}
# TFLOP/s of dense products and TB/s, as the maker states them.
_CARDS: dict[str, tuple[dict[Precision, float], float]] = {
    name: (dict(zip(Precision, tflops, strict=True)), bandwidth)
    for name, tflops, bandwidth in (
        ("H200", (67.0, 494.0, 989.0), 4.8),
        ("H100", (67.0, 494.0, 989.0), 3.35),
        ("A100", (19.5, 156.0, 312.0), 1.555),
    )
}


def least_ms(stepper: Stepper, batch_size: int) -> float | None:
    """Returns the roofline time of a step; None for a card that is not known.

    Args:
        stepper: of one seed.
        batch_size: B.
    """
    kind = jax.devices()[0].device_kind
    card = next((card for name, card in _CARDS.items() if name in kind), None)
    if card is None:
        return None
    start = published_step.first_state(stepper)
    x = np.zeros((batch_size, *stepper.model.image_shape), np.float32)
    compiled = jax.jit(stepper.step).lower(start, x).compile()
    cost = compiled.cost_analysis() or {}
    tflops, terabytes = card[0][stepper.precision], card[1]
    return 1e-9 * max(
        cost["flops"] / tflops, cost["bytes accessed"] / terabytes
    )


def measure(model: str) -> list[tuple[str, ...]]:
    """Returns the rows of a model's table."""
    batch_size, rounds = _BATCH_SIZES[model], beside_torch.ROUNDS.value
    n_steps = beside_torch.STEPS.value
    plain = published_step.make_stepper(model)
    images = published_step.random_images(plain, n_steps * batch_size)

    def row(name: str, seeds: int, side, least: float | None):
        side.take_turn(n_steps)  # compiles
        turns = [side.take_turn(n_steps).wall for _ in range(rounds)]
        ms = statistics.median(turns)
        return (
            model,
            name,
            str(seeds),
            f"{ms:.2f} ({min(turns):.2f} to {max(turns):.2f})",
            f"{1000 * seeds / ms:.0f}",
            "" if least is None else f"{100 * seeds * least / ms:.0f} %",
            f"{ms * _N_STEPS[model] / 3.6e6:.2f}",
        )

    rows = []
    if beside_torch.TORCH_PYTHON.value:
        theirs = beside_torch.PyTorch(
            beside_torch.TORCH_PYTHON.value,
            pathlib.Path(__file__).with_name(f"{model}_step_torch.py"),
            batch_size,
            "cuda" if jax.default_backend() == "gpu" else "cpu",
        )
        rows.append(row("PyTorch, float32", 1, theirs, None))
        print(rows[-1], flush=True)
        theirs.close()
    for precision in Precision:
        stepper = dataclasses.replace(plain, precision=precision)
        least = least_ms(stepper, batch_size)
        for seeds in map(int, _SEEDS.value):
            side = beside_torch.Jax(stepper, batch_size, images, seeds)
            rows.append(row(precision.value, seeds, side, least))
            print(rows[-1], flush=True)
    return rows


def _benchmark() -> int:
    if jax.default_backend() == "gpu":
        # A GPU takes 50 steps in less than a CPU takes 5.
        flags.FLAGS.set_default("steps", 50)
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}")
    rows = [row for model in _MODELS.value for row in measure(model)]
    header = "model|precision|seeds|ms a step of all|steps/s of all seeds"
    header += "|share of roofline|hours for 402 epochs of all"
    print("\n" + markdown.table(header.split("|"), rows))
    return 0


if __name__ == "__main__":
    running.script(_benchmark)
