# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Our estimator beside ClustPy's VaDE and ENRC and scikit-learn's mixtures.

All get the training split of scikit-learn's digits, grey and tinted, and the
same K; all are scored on the held-out split, by our functions. ClustPy is no
dependency, so it runs under a Python that has it (`rivals_clustpy.py`):

    python3 -m venv /elsewhere && /elsewhere/bin/pip install clustpy
    python benchmarks/rivals.py --out=runs/rivals \
        --clustpy_python=/elsewhere/bin/python

Methods take turns within a seed. A result that is in the folder already is not
computed again, so the command goes on where it was stopped, and several can
share the work (`taskset -c 0 ... --seed=0 --seed=2`, `taskset -c 1 ...`). It
ends with the tables of what is there; `--seed=-1` prints them alone.
"""

import pathlib
import re
import statistics
import subprocess
import time
from typing import Any, NamedTuple

import numpy as np
from absl import app, flags
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax.datasets import reader
from mfcvae_jax.evaluation import accuracy, redundancy
from mfcvae_jax.report import markdown

_OUT = flags.DEFINE_string("out", "runs/rivals", "Folder of the results.")
_CLUSTPY = flags.DEFINE_string(
    "clustpy_python", "", "Python that has ClustPy; without it, the others."
)
_SEEDS = flags.DEFINE_multi_integer("seed", list(range(5)), "May be repeated.")
_ONLY = flags.DEFINE_string(
    "only", "", "Regular expression: compute the results that it is found in."
)
_THREADS = flags.DEFINE_integer("threads", 2, "Threads of PyTorch.", 1)

_SCORES = ("many_to_one", "one_to_one", "nmi", "ari")


class Case(NamedTuple):
    """A data set, a method and K of each of its clusterings."""

    data: str
    method: str
    sizes: tuple[int, ...]

    def path(self, seed: int) -> pathlib.Path:
        """Where the result of a seed lies."""
        sizes = "_".join(map(str, self.sizes))
        name = f"{self.data}-{self.method}-{sizes}-{seed}.npz"
        return pathlib.Path(_OUT.value) / name


# Latent dimensions of our facets by the published schedule, by data set and K.
_LATENT_DIMS = {
    ("digits", (10,)): (5,),
    ("digits", (25,)): (5,),
    ("digits", (10, 25)): (8, 5),
    ("digits_tinted", (25,)): (5,),
    ("digits_tinted", (25, 10)): (5, 2),
}
# Epochs of these configs, where they differ much from the estimator's default.
_CONFIG_EPOCHS = {
    ("digits", (10,)): (400,),
    ("digits_tinted", (25, 10)): (30, 200),
}
# The published schedule. "recipe" is the estimator's defaults.
_PUBLISHED: dict[str, Any] = {
    "warm_up": 0,
    "redundancy_price": 0,
    "n_init": 1,
    "batch_size": 128,
}
_ONE = ("recipe", "ours", "vade", "gmm", "pca_gmm")
_CASES = [
    Case(data, method, sizes)
    for data, sizes in _LATENT_DIMS
    for method in (
        *(["ours_config"] if (data, sizes) in _CONFIG_EPOCHS else []),
        *(_ONE if len(sizes) == 1 else ("recipe", "ours", "enrc")),
    )
]


def fit_predict(case: Case, seed: int, train, test):
    """Fits one of the methods that live in this environment.

    Returns:
        Clusters of the held-out images, shape (N, J).
    """
    if case.method == "recipe":
        ours = MultiFacetClustering(
            [Facet(k) for k in case.sizes], random_state=100 * seed
        )
        return ours.fit(train).predict(test)
    if case.method in ("ours", "ours_config"):
        at = case.data, case.sizes
        facets = [
            Facet(k, d, "diagonal")
            for k, d in zip(case.sizes, _LATENT_DIMS[at], strict=True)
        ]
        epochs = "auto" if case.method == "ours" else _CONFIG_EPOCHS[at]
        ours = MultiFacetClustering(
            facets, epochs=epochs, random_state=seed, **_PUBLISHED
        )
        return ours.fit(train).predict(test)
    (k,) = case.sizes
    # In double precision: covariances of pixels that are always black.
    train, test = (x.reshape(len(x), -1).astype(float) for x in (train, test))
    model: Any = GaussianMixture(k, random_state=seed)
    if case.method == "pca_gmm":
        model = make_pipeline(
            PCA(20, random_state=seed),
            GaussianMixture(k, n_init=10, random_state=seed),
        )
    return model.fit(train).predict(test)[:, np.newaxis]


def compute(case: Case, seed: int) -> None:
    """Writes the result of a seed."""
    result = case.path(seed)
    data = result.with_name(f"{case.data}.npz")
    if case.method in ("vade", "enrc"):
        script = pathlib.Path(__file__).with_name("rivals_clustpy.py")
        numbers = map(str, (seed, _THREADS.value, *case.sizes))
        subprocess.run(
            [_CLUSTPY.value, script, case.method, data, result, *numbers],
            check=True,
            stderr=subprocess.DEVNULL,  # progress bars
        )
        return
    images = np.load(data)
    train, test = images["train"], images["test"]
    wall, cpu = time.perf_counter(), time.process_time()
    assignments = fit_predict(case, seed, train, test)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.savez(result, test=assignments, wall=wall, cpu=cpu)


def rows(case: Case, dataset) -> list[list[str]]:
    """Scores what is there of a case: a row per facet and labeling."""
    paths = [p for p in map(case.path, range(100)) if p.exists()]
    found = [dict(np.load(path)) for path in paths]
    if not found:
        return []
    matrices = [
        accuracy.score_matrix(
            each["test"],
            dataset.test.labels,
            case.sizes,
            dataset.spec.labelings,
        )
        for each in found
    ]
    shared = "-"
    if len(case.sizes) == 2:
        shared = markdown.percent(
            [
                redundancy.facet_redundancy(
                    each["test"], case.sizes
                ).normalised[0, 1]
                for each in found
            ]
        )
    seconds = [
        f"{statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f})"
        for times in (
            [float(each[c]) for each in found] for c in ("wall", "cpu")
        )
    ]
    groups = [
        (f"{same[0]['facet']}, K = {same[0]['n_components']}", same)
        for same in zip(*matrices, strict=True)
    ]
    if len(case.sizes) == 2 and len(dataset.spec.labelings) == 2:
        # Which facet finds what is chance in some methods.
        groups += [
            ("best by NMI", [max(m, key=lambda row: row["nmi"]) for m in some])
            for some in (
                [
                    [row for row in m if row["labeling"] == name]
                    for m in matrices
                ]
                for name in (each.name for each in dataset.spec.labelings)
            )
        ]
    lines: list[list[str]] = []
    for facet, same in groups:
        scores = [markdown.percent([row[s] for row in same]) for s in _SCORES]
        head = [f"`{case.method}`", facet, same[0]["labeling"]]
        about = (
            ["", "", "", ""] if lines else [shared, *seconds, str(len(found))]
        )
        lines.append([*head, *scores, *about])
    return lines


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    names = dict.fromkeys(case.data for case in _CASES)
    datasets = {name: reader.load(name) for name in names}
    for name, dataset in datasets.items():
        if not (out / f"{name}.npz").exists():
            np.savez(
                out / f"{name}.npz",
                train=dataset.train.images,
                test=dataset.test.images,
            )
    for seed in (seed for seed in _SEEDS.value if seed >= 0):
        for case in _CASES:
            path = case.path(seed)
            is_theirs = case.method in ("vade", "enrc")
            if is_theirs and not _CLUSTPY.value:
                continue
            if path.exists() or not re.search(_ONLY.value, path.name):
                continue
            start = time.perf_counter()
            compute(case, seed)
            took = time.perf_counter() - start
            print(f"{path.stem}: {took:.0f} s", flush=True)
    for name, dataset in datasets.items():
        print(f"\n{name}, {len(dataset.test.images)} held-out images\n")
        heads = "method|facet|labeling|many-to-one|one-to-one|NMI|ARI"
        heads += "|shared by facets|wall, s|CPU, s|seeds"
        lines = [
            line
            for case in _CASES
            if case.data == name
            for line in rows(case, dataset)
        ]
        print(markdown.table(heads.split("|"), lines))


if __name__ == "__main__":
    app.run(main)
