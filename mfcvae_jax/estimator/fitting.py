# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How the estimator trains: quietly, and in memory unless told otherwise."""

import contextlib
import dataclasses
import itertools
import numbers
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from absl import logging
from sklearn.utils import check_random_state

from mfcvae_jax import storage
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Split
from mfcvae_jax.estimator.defaults import make_settings, n_held_back
from mfcvae_jax.estimator.facet import Facet
from mfcvae_jax.estimator.fitted import Fitted
from mfcvae_jax.estimator.layout import Layout, layout_of
from mfcvae_jax.evaluation import pruning
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.settings import Settings
from mfcvae_jax.training import loop, processes, runs
from mfcvae_jax.training.recording import InMemory
from mfcvae_jax.training.runs import Run
from mfcvae_jax.training.stopping import Stopped
from mfcvae_jax.variational import prior
from mfcvae_jax.workdir import Workdir

__all__ = ["fit", "random_seed"]

# So many training examples are scored for the records.
_N_SCORED = 5000

_lock = threading.Lock()
_verbosities: list[int] = []  # that the fits under way have found


def fit(
    params: dict[str, Any], x: np.ndarray, feature_names: np.ndarray | None
) -> Fitted:
    """Trains a model, and sorts the examples that it was trained on.

    See ``MultiFacetClustering`` for its parameters, whose facets have passed
    ``check_facets``, the examples x, which must be finite, and the errors.
    """
    facets, seed = params["facets"], params["random_state"]
    layout = layout_of(x)
    images = layout.to_model(x)
    if not isinstance(seed, numbers.Integral):
        seed = random_seed(seed)
    settings = make_settings(
        params,
        layout,
        len(images),
        n_devices=processes.n_devices(),
        seed=int(seed),
    )
    run = runs.run_on(settings, _dataset(images, layout, settings))
    variables, records = _train(
        run, params["workdir"], is_shown=bool(params["verbose"])
    )
    fitted = Fitted(
        params,
        settings,
        layout,
        variables,
        records,
        evidence=[None] * len(facets),
        feature_names=feature_names,
        labels=np.zeros((0, len(facets)), int),
    )
    if any(facet.is_auto for facet in facets):
        fitted = _pruned(fitted, facets, images)
    labels = fitted.predict(images).assignments
    for j, (column, facet) in enumerate(zip(labels.T, facets, strict=True)):
        if np.ptp(column) == 0 and facet.n_components != 1:
            warnings.warn(
                f"all examples are in one cluster of facet {j}, so that it "
                "sorts nothing: try another random_state, more epochs, "
                "fewer dimensions in the facets after it, which are "
                "trained first, or fewer facets",
                stacklevel=3,
            )
    return dataclasses.replace(fitted, labels=labels)


def random_seed(random_state: Any) -> int:
    """Draws a seed from what scikit-learn takes as ``random_state``."""
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)


def _dataset(images: np.ndarray, layout: Layout, settings: Settings) -> Dataset:
    """Makes the data set of a run.

    Its test split is of training examples, unless it has to choose among
    starts: then it is held back from training. The order is random, since the
    data-dependent initialisation looks at the first examples, and in an ordered
    set those are all alike.
    """
    order = np.random.RandomState(settings.seed).permutation(len(images))
    n_held = n_held_back(settings.n_init, len(images))

    def split(members):
        return Split(images[members], np.zeros((len(members), 0), np.int32))

    return Dataset(
        DatasetSpec("in_memory", layout.image_shape, ()),
        train=split(order[n_held:]),
        test=split(order[: n_held or _N_SCORED]),
    )


def _train(
    run: Run, workdir: str | os.PathLike[str] | None, *, is_shown: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns variables in host memory, and records but those of the speed."""
    try:
        with _quiet():
            if workdir is None:
                recorder = InMemory()
                states, _ = loop.train(run, recorder, progress_bar=is_shown)
                records = recorder.records
            else:
                # Orbax and TensorBoard take a second to import.
                from mfcvae_jax.training import disk

                folder = _free_folder(Workdir(os.fspath(workdir)).path)
                states, _ = loop.train(
                    run, disk.InWorkdir(folder), progress_bar=is_shown
                )
                starts = list(folder.by_seed(run.settings).values())
                records = [
                    record | ({"start": i} if len(starts) > 1 else {})
                    for i, start in enumerate(starts)
                    for record in start.records()
                ]
    except FloatingPointError as error:
        what, _, _ = str(error).partition(". ")
        raise FloatingPointError(
            f"training diverged: {what}. Try a learning_rate lower "
            f"than {run.settings.train.learning_rate:g}, or look for "
            "extreme values in X"
        ) from error
    except Stopped as error:
        # Now that the handlers are their owners' again, they get the signal
        # that was kept from them.
        signal.raise_signal(error.signum)
        raise KeyboardInterrupt from error
    # All others were given up; the last one would have raised.
    (kept,) = (state for state in states if state is not None)
    records.sort(key=lambda record: (record["step"], record.get("start", 0)))
    return jax.device_get(kept.variables), [
        record for record in records if record["split"] != "speed"
    ]


def _pruned(
    fitted: Fitted, facets: Sequence[Facet], images: np.ndarray
) -> Fitted:
    """Leaves facets whose K is found the clusters that can be told apart."""
    samples = fitted.trained.sampled_latents(
        images[: pruning.N_EXAMPLES],
        run_key(fitted.settings.seed, KeyUse.SAMPLES),
    )
    params = dict(fitted.variables["params"])
    section = fitted.settings.facets
    n_components, found = list(section.n_components), list(fitted.evidence)
    for j, mixture in enumerate(fitted.trained.mixtures):
        if facets[j].is_auto:
            left, evidence = pruning.prune(mixture, samples[j])
            params[f"priors_{j}"] = {
                name: np.asarray(value, np.float32)
                for name, value in prior.unconstrained(left).items()
            }
            n_components[j], found[j] = evidence.n_kept, evidence
    section = dataclasses.replace(section, n_components=tuple(n_components))
    return dataclasses.replace(
        fitted,
        settings=dataclasses.replace(fitted.settings, facets=section),
        variables={**fitted.variables, "params": params},
        evidence=found,
    )


def _free_folder(path: storage.Path) -> Workdir:
    """Returns the folder, or, if a fit has used it, a new fit_<n> within.

    Of several fits at the same time, in threads or processes, each gets one of
    its own: the first that makes the file ``lock`` has the folder.
    """
    for n in itertools.count():
        folder = path / f"fit_{n}" if n else path
        storage.make_folder(folder)
        lock = folder / "lock"
        if folder.exists() and any(folder.iterdir()) and not lock.exists():
            raise ValueError(
                f"workdir={str(path)!r} is not empty and holds no fit: name a "
                "new folder, so that nothing is overwritten, or None to keep "
                "nothing"
            )
        if storage.create(lock):
            return Workdir(folder)
    raise AssertionError("there is no end to the numbers")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what the engine logs from the user's log.

    The verbosity is that of the process, so of several fits in threads the
    first lowers it, and the last one to end restores it.
    """
    with _lock:
        _verbosities.append(logging.get_verbosity())
        logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        with _lock:
            before = _verbosities.pop()
            if not _verbosities:
                logging.set_verbosity(before)
