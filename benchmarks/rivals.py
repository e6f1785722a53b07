# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Our estimator beside ClustPy's methods and scikit-learn's mixtures.

All get the same training images and numbers of clusters, and are scored on the
test images, which they never saw, by our functions.

    python benchmarks/rivals.py --data=digits --data=digits_tinted
    python benchmarks/rivals.py --data=nrletters --path=nrletters.npz
    python benchmarks/rivals.py --data=sprites --path=sprites_stills.npz
    python benchmarks/rivals.py --data=mnist --n_seeds=10
    python benchmarks/rivals.py --data=shapes3d_rendered_floor

A seed adds its rows to --csv, and what is there already is not computed again.
The command ends with the table of the file; with --n_seeds=0 it does nothing
else.

ClustPy is no dependency, so it runs under a Python that has it
(``rivals_clustpy.py``), and its methods are left out if none is named:

    python3 -m venv /elsewhere && /elsewhere/bin/pip install clustpy
    python benchmarks/rivals.py --clustpy_python=/elsewhere/bin/python
"""

import pathlib
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mfcvae_jax import Facet, MultiFacetClustering
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import batches, reader
from mfcvae_jax.datasets.spec import Dataset
from mfcvae_jax.evaluation import accuracy, redundancy
from mfcvae_jax.report import csv_rows, study

# Of each data set, the numbers of clusters that are asked for. Of several,
# ours come shallowest facet first.
SIZES: dict[str, tuple[tuple[int, ...], ...]] = {
    "digits": ((10,), (25,), (10, 25)),
    "digits_tinted": ((25,), (25, 10)),
    "nrletters": ((10, 10, 10), (3, 4, 6)),
    "mnist": ((10,), (25,)),
    "shapes3d_rendered_floor": ((60, 20), (15,) * 4, (15,) * 6),
    "shapes3d_rendered_wall": ((60, 20),),
    "sprites": ((25,) * 3, (25,) * 6),
}
# Dimensions of our facets by the published schedule, where they are not 5.
_PUBLISHED_DIMS: dict[tuple[int, ...], tuple[int, ...]] = {
    (10, 25): (8, 5),
    (25, 10): (5, 2),
}
# Epochs of published/digits_vade.py and published/digits_tinted.py.
_CONFIG_EPOCHS: dict[tuple[int, ...], tuple[int, ...]] = {
    (10,): (400,),
    (25, 10): (30, 200),
}
_CLUSTPY = ("ae_kmeans", "vade", "enrc", "nrkmeans", "autonr")
_IN_FILES = ("nrletters", "sprites")

_DATA = flags.DEFINE_multi_enum("data", ["digits"], list(SIZES), "Which.")
_PATH = flags.DEFINE_string("path", "", "The file of nrletters or sprites.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Where TFDS data lie.")
_CSV = flags.DEFINE_string("csv", "runs/rivals.csv", "Where results go.")
_PYTHON = flags.DEFINE_string("clustpy_python", "", "Python with ClustPy.")
_N_SEEDS = flags.DEFINE_integer("n_seeds", 5, "Seeds per method.", 0)
_ONLY = flags.DEFINE_string(
    "only", "", "Regular expression: methods that it is found in."
)
_THREADS = flags.DEFINE_integer("threads", 2, "Threads of PyTorch.", 1)


class Found(NamedTuple):
    """What a method made of the test images.

    Attributes:
        test: clusters of the N images in J clusterings, shape (N, J).
        wall: seconds of fit and predict.
        cpu: CPU seconds of them.
    """

    test: np.ndarray
    wall: float
    cpu: float


def _recipe(sizes: tuple[int, ...], seed: int) -> MultiFacetClustering:
    """Our defaults."""
    facets = [Facet(k) for k in sizes]
    return MultiFacetClustering(facets, random_state=100 * seed)


def _on_components(sizes: tuple[int, ...], seed: int) -> Pipeline:
    """Ours, on the principal components that NrKmeans sees of large images.

    They are turned at random: the columns of a table are standardised, which
    would make the last component count as much as the first. Two dimensions
    were better than one for facets that come first, four no better.
    """
    facets = [Facet(k, 2 if j else 16) for j, k in enumerate(sizes)]
    turn = stats.ortho_group.rvs(100, random_state=seed)
    return make_pipeline(
        PCA(100, random_state=seed),
        FunctionTransformer(np.dot, kw_args={"b": turn}),
        MultiFacetClustering(facets, random_state=100 * seed),
    )


def _published(
    sizes: tuple[int, ...], seed: int, epochs: Any = "auto"
) -> MultiFacetClustering:
    """The published schedule: no warm-up, no price, one start."""
    dims = _PUBLISHED_DIMS.get(sizes, (5,) * len(sizes))
    return MultiFacetClustering(
        [Facet(k, d, "diagonal") for k, d in zip(sizes, dims, strict=True)],
        epochs=epochs,
        random_state=seed,
        warm_up=0,
        redundancy_price=0,
        n_init=1,
        batch_size=128,
    )


def _published_config(
    sizes: tuple[int, ...], seed: int
) -> MultiFacetClustering:
    """The same with the epochs of a published config."""
    return _published(sizes, seed, _CONFIG_EPOCHS[sizes])


def _one(make: Callable[[int, int], Any]) -> Callable[..., Any]:
    """A method of scikit-learn, which finds one clustering."""
    return lambda sizes, seed: make(sizes[0], seed)


_HERE: dict[str, Callable[..., Any]] = {
    "recipe": _recipe,
    "recipe_components": _on_components,
    "ours": _published,
    "ours_config": _published_config,
    "kmeans": _one(lambda k, s: KMeans(k, n_init=10, random_state=s)),
    "gmm": _one(lambda k, s: GaussianMixture(k, random_state=s)),
    "pca_gmm": _one(
        lambda k, s: make_pipeline(
            PCA(20, random_state=s),
            GaussianMixture(k, n_init=10, random_state=s),
        )
    ),
}
# A mixture with full covariances of all pixels takes as many images.
_SMALL = ("digits", "digits_tinted", "nrletters")
_LARGE = ("shapes3d_rendered_floor", "shapes3d_rendered_wall", "sprites")


def methods(data: str, sizes: tuple[int, ...]) -> list[str]:
    """Returns the names of the methods that are compared."""
    found = ["recipe"]
    if data in ("digits", "digits_tinted"):
        found.append("ours")
        if sizes in _CONFIG_EPOCHS:
            found.append("ours_config")
    if data in _LARGE:
        found.append("recipe_components")
    if len(sizes) > 1:
        return [*found, "enrc", "nrkmeans", "autonr"]
    mixture = ["gmm"] if data in _SMALL else []
    return [*found, "kmeans", *mixture, "pca_gmm", "ae_kmeans", "vade"]


def fit_predict(
    method: str, sizes: tuple[int, ...], seed: int, dataset: Dataset
) -> Found:
    """Fits a method to the training images and clusters the test images."""
    train, test = (
        np.asarray(batches.as_float(split.images))
        for split in (dataset.train, dataset.test)
    )
    if method in _CLUSTPY:
        with tempfile.TemporaryDirectory() as folder:
            data, result = (f"{folder}/{name}.npz" for name in "dr")
            np.savez(data, train=train, test=test)
            script = pathlib.Path(__file__).with_name("rivals_clustpy.py")
            numbers = map(str, (seed, _THREADS.value, *sizes))
            subprocess.run(
                [_PYTHON.value, script, method, data, result, *numbers],
                check=True,
                stdout=subprocess.DEVNULL,  # progress bars
                stderr=subprocess.DEVNULL,
            )
            return Found(**np.load(result))
    model = _HERE[method](sizes, seed)
    if not isinstance(model, MultiFacetClustering):
        # In double precision: covariances of pixels that are always black.
        train, test = (
            x.reshape(len(x), -1).astype(float) for x in (train, test)
        )
    wall, cpu = time.perf_counter(), time.process_time()
    found = model.fit(train).predict(test)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Found(found.reshape(len(test), -1), wall, cpu)


def rows(found: Found, dataset: Dataset) -> list[dict[str, Any]]:
    """Scores what a method found, against every labeling."""
    sizes = tuple(int(n) for n in found.test.max(axis=0) + 1)
    return study.rows(
        accuracy.score_matrix(
            found.test, dataset.test.labels, sizes, dataset.spec.labelings
        ),
        redundancy.facet_redundancy(found.test, sizes).normalised,
        cpu_seconds=float(found.cpu),
        wall_seconds=float(found.wall),
    )


def _benchmark() -> int:
    path = pathlib.Path(_CSV.value)
    for data in _DATA.value if _N_SEEDS.value else ():
        name = "npz" if data in _IN_FILES else data
        dataset = reader.load(name, _DATA_DIR.value, _PATH.value)
        for seed in range(_N_SEEDS.value):
            for sizes in SIZES[data]:
                for method in methods(data, sizes):
                    if method in _CLUSTPY and not _PYTHON.value:
                        continue
                    if not re.search(_ONLY.value, method):
                        continue
                    ks = ", ".join(map(str, sizes))
                    what = {"data": data, "arm": f"{method}, K = {ks}"}
                    what |= {"images": "test", "seed": str(seed)}
                    what["device"] = jax.devices()[0].device_kind
                    if not study.has(path, what):
                        found = fit_predict(method, sizes, seed, dataset)
                        study.append(path, what, rows(found, dataset))
                        print(what, f"{found.wall:.0f} s", flush=True)
    print(study.table(csv_rows.read(path)))
    return 0


if __name__ == "__main__":
    running.script(_benchmark)
