# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Time and memory of `fit` with its defaults, by the size of the data.

    python benchmarks/fit.py

Each case is a process of its own: drawn data with two groupings that know
nothing of each other, of ten and of six groups, and two facets of 15 clusters.
Prints the seconds of `fit`, compilation included, the largest resident memory
of the process, the data included, and the NMI of each grouping with the facet
that is closer to it.
"""

import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from absl import flags
from sklearn.metrics import normalized_mutual_info_score

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax.commands import running
from mfcvae_jax.report import markdown

_CASES = flags.DEFINE_list(
    "cases",
    [
        *("2000x6", "200000x768"),
        *("300x8x8", "2000x20x20", "5000x32x32x3", "2000x64x64x3"),
        "60000x28x28",
    ],
    "Shapes of X: N x D for a table, else images.",
)
_N_GROUPS = (10, 6)


def draw(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Draws data of two groupings.

    Of a table, each grouping moves half of the columns, before all columns are
    mixed; of an image, one draws a pattern on the left and one on the right.

    Returns:
        X, float32 or, for images, uint8; and the groups, shape (N, 2).
    """
    rng = np.random.default_rng(0)
    groups = np.stack([rng.integers(0, k, shape[0]) for k in _N_GROUPS], 1)
    if len(shape) == 2:
        half = min(shape[1] // 2, 20)
        z = np.concatenate(
            [
                6 * rng.normal(size=(k, half))[column]
                for k, column in zip(_N_GROUPS, groups.T, strict=True)
            ],
            axis=1,
        ) + rng.normal(size=(shape[0], 2 * half))
        mixing = np.linalg.qr(rng.normal(size=(shape[1], 2 * half)))[0].T
        x = z.astype(np.float32) @ mixing.astype(np.float32)
        return x + 0.1 * rng.standard_normal(shape, np.float32), groups
    height, width, *channels = shape[1:]
    sides = [
        rng.integers(0, 256, (k, 4, 2, *channels))
        .repeat(-(-height // 4), axis=1)[:, :height]
        .repeat(-(-width // 4), axis=2)[:, :, : width // 2]
        for k in _N_GROUPS
    ]
    x = np.concatenate(
        [side[column] for side, column in zip(sides, groups.T, strict=True)],
        axis=2,
        dtype=np.float32,
        casting="unsafe",
    )
    x += rng.normal(0, 40, x.shape).astype(np.float32)
    return np.clip(x, 0, 255).astype(np.uint8), groups


def measure(case: str) -> tuple[str, ...]:
    """Fits a case; returns a row of the table."""
    x, groups = draw(tuple(map(int, case.split("x"))))
    wall, cpu = time.perf_counter(), time.process_time()
    facets = [Facet(15), Facet(15)]
    labels = MultiFacetClustering(facets, random_state=0).fit(x).labels_
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    nmi = [
        max(normalized_mutual_info_score(g, found) for found in labels.T)
        for g in groups.T
    ]
    size = case.replace("x", " x ")
    scores = (f"{100 * value:.1f}" for value in nmi)
    return size, f"{wall:.0f}", f"{cpu:.0f}", f"{gib:.1f}", *scores


def _benchmark() -> int:
    # A new process for each: the memory of one is not that of the next.
    context = multiprocessing.get_context("spawn")
    rows = []
    for case in _CASES.value:
        with ProcessPoolExecutor(1, context) as pool:
            rows.append(pool.submit(measure, case).result())
        print(rows[-1], flush=True)
    header = "X|wall, s|CPU, s|memory, GiB|NMI, ten groups|NMI, six groups"
    print("\n" + markdown.table(header.split("|"), rows))
    return 0


if __name__ == "__main__":
    running.script(_benchmark)
