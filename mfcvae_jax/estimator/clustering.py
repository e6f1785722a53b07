# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The estimator. It trains by ``training.loop``, as the experiments do."""

import contextlib
import dataclasses
import numbers
import os
import pathlib
import signal
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Self, cast

import jax
import numpy as np
from absl import logging
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils import TransformerTags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mfcvae_jax import config as config_lib
from mfcvae_jax import model as model_lib
from mfcvae_jax import progressive
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.datasets.spec import Dataset, DatasetSpec, Split
from mfcvae_jax.estimator import archive
from mfcvae_jax.estimator.defaults import make_settings
from mfcvae_jax.estimator.facet import Facet, check_facets
from mfcvae_jax.estimator.layout import Layout, layout_of
from mfcvae_jax.evaluation import pruning
from mfcvae_jax.inference.predictions import Predictions
from mfcvae_jax.inference.trained import Trained
from mfcvae_jax.randomness import KeyUse, run_key
from mfcvae_jax.training import loop, runs
from mfcvae_jax.training.stopping import Stopped
from mfcvae_jax.variational import elbo, prior
from mfcvae_jax.workdir import Workdir

__all__ = ["MultiFacetClustering"]

# So many training examples are scored for history_.
_N_SCORED = 5000


class MultiFacetClustering(ClusterMixin, BaseEstimator):
    """Sorts examples into several clusterings at once, one for each facet.

    Examples are images, X of shape (N, H, W) or (N, H, W, C), or the rows of a
    table, X of shape (N, D). Images of uint8 are read as they are. Others are
    brought to [0, 1] by the extremes of the training set, unless they lie there
    already; each column of a table is standardised by its mean and standard
    deviation in the training set. What is reconstructed or sampled is in the
    units of X.

    What is "auto" follows from X. Net: convolutional for images of more than
    one colour or more than 1024 pixels, as far as it takes their size (16
    pixels at least, multiples of 2^J), else dense; p(x|z): for tables, a
    Gaussian of standard deviation 0.5 in standardised units; for grey images
    of more than 256 pixels in a dense net, a Bernoulli of each grey value; for
    other images, a Gaussian with its mean in [0, 1], and a standard deviation
    of 0.15 (grey), 0.2 (colours) or 0.3 (convolutional); epochs: 1650 steps,
    and 20 epochs at least, for each facet; learning rate: 1e-3 for up to 256
    values per example in a dense net, else 5e-4. The loss is the published one
    and, of a single facet, its closed form (docs/estimators.md).

    All of X is trained on; nothing is held out. Keep a part of it back and
    compare ``score`` on it to choose between models.

    Args:
        facets: one Facet for each clustering, shallowest first. Training
            brings them in one by one, the last one first; it tends to take
            what is easiest to see.
        epochs: passes over X, or "auto". A stage in which facets are still left
            out gets 0.4 of an equal share of them, the last stage the rest: the
            first facet could take more than its own in a longer one. Or one
            number for each stage, epochs[0] for the last facet alone.
        likelihood: p(x|z): "auto", "bernoulli", "gaussian", or an object
            ``settings.Bernoulli`` or ``settings.Gaussian``.
        net: encoder and decoder: "auto", "dense", "conv", or a net of
            ``settings``, such as ``settings.DenseLadder``.
        batch_size: examples per optimiser step; all of X if it has fewer.
        learning_rate: of Adam, or "auto".
        random_state: int, ``numpy.random.RandomState`` or None; an int gives
            the same result each time on the same machine.
        workdir: an empty or new folder, where the records, the checkpoint and
            the TensorBoard files of training are to stay; None keeps nothing.
        verbose: 0 for silence, 1 for a progress bar.

    Attributes:
        labels_: cluster of each training example in each facet, integers,
            shape (N, J).
        cluster_usage_: number of training examples in each cluster, one array
            of shape (K_j,) per facet.
        history_: records of training, flat dicts in order, which
            ``figures.learning_curves`` draws. Those of split "train" are means
            over some optimiser steps, those of split "test" over up to 5000
            training examples after an epoch; in nats per example.
        evidence_: for each facet with ``n_components="auto"`` what every number
            of clusters is worth, see ``pruning.Evidence``; None for others.
        n_iter_: epochs trained.
        n_features_in_: numbers in an example: D, or H * W * C.
        feature_names_in_: names of the columns, if X was a data frame.

    Examples:
        >>> from sklearn.datasets import load_digits
        >>> from mfcvae_jax import Facet, MultiFacetClustering
        >>> images = load_digits().images
        >>> model = MultiFacetClustering([Facet(10, 8), Facet(25, 5)])
        >>> labels = model.fit_predict(images)  # doctest: +SKIP
        >>> model.save("digits.npz")  # doctest: +SKIP
    """

    labels_: np.ndarray
    cluster_usage_: list[np.ndarray]
    history_: list[dict[str, Any]]
    evidence_: list[pruning.Evidence | None]
    n_iter_: int
    n_features_in_: int
    feature_names_in_: np.ndarray

    # What ``fit`` or ``load`` found; variables are NumPy arrays, for pickle.
    _layout: Layout
    _settings: settings_lib.Settings
    _variables: dict[str, Any]

    def __init__(
        self,
        facets: Sequence[Facet] = (Facet(), Facet()),
        *,
        epochs: int | Sequence[int] | str = "auto",
        likelihood: str | settings_lib.Likelihood = "auto",
        net: str | settings_lib.Net = "auto",
        batch_size: int = 128,
        learning_rate: float | str = "auto",
        random_state: int | np.random.RandomState | None = None,
        workdir: str | os.PathLike[str] | None = None,
        verbose: int = 0,
    ):
        self.facets = facets
        self.epochs = epochs
        self.likelihood = likelihood
        self.net = net
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.workdir = workdir
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Trains the model.

        Ctrl-C ends training within some optimiser steps and comes through as
        KeyboardInterrupt; the estimator is then as it was before.

        Args:
            X: examples, see above, N >= 2.
            y: not used.

        Returns:
            Itself.

        Raises:
            ValueError: if X or a parameter is not as above.
            FloatingPointError: if training diverged.
        """
        del y
        facets = check_facets(self.facets)
        _check_is_free(self.workdir)
        # On a copy, so that a fit that fails leaves the estimator as it was.
        checked = clone(self)
        x = validate_data(checked, X, allow_nd=True, ensure_min_samples=2)
        layout = layout_of(x)
        settings = make_settings(
            facets,
            layout,
            len(x),
            epochs=self.epochs,
            likelihood=self.likelihood,
            net=self.net,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            n_devices=jax.device_count(),
            seed=_seed(self.random_state),
        )
        images = layout.to_model(x)
        run = runs.run_on(settings, _dataset(images, settings.seed))
        variables, records = self._train(run)

        self._layout, self._settings = layout, settings
        self._variables = variables
        self.evidence_ = self._prune(facets, images)
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        if hasattr(checked, "feature_names_in_"):
            self.feature_names_in_ = checked.feature_names_in_
        self.n_features_in_ = int(np.prod(layout.example_shape))
        self.n_iter_ = sum(settings.progressive.stage_epochs)
        self.history_ = records
        self._set_labels(self._predict(images).assignments)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> list[np.ndarray]:
        """Trains the model, and encodes the examples trained on.

        Args:
            X: examples, see above, N >= 2.
            y: not used.

        Returns:
            See ``transform``.
        """
        return self.fit(X, y).transform(X)

    def predict(self, X: Any) -> np.ndarray:
        """Assigns examples to clusters.

        Args:
            X: N examples, as in ``fit``.

        Returns:
            The most probable cluster of each facet, integers, shape (N, J).
        """
        return self._predict(self._images(X)).assignments

    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Returns q(c_j|x), how probable each cluster is.

        Args:
            X: N examples, as in ``fit``.

        Returns:
            One array of shape (N, K_j) per facet, rows summing to 1.
        """
        return list(self._predict(self._images(X)).resp)

    def transform(self, X: Any) -> list[np.ndarray]:
        """Encodes examples.

        Args:
            X: N examples, as in ``fit``.

        Returns:
            Means of q(z_j|x), one array of shape (N, D_j) per facet.
        """
        return list(self._predict(self._images(X)).latents)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encodes examples and decodes them again.

        Args:
            X: N examples, as in ``fit``.

        Returns:
            E[x|z] at the mean of q(z|x), in the shape and units of X; float32,
            or uint8 if the training set was images of uint8.
        """
        images = self._images(X)
        return self._layout.from_model(self._trained().reconstruct(images))

    def swap(
        self, x1: Any, x2: Any, facet: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exchanges what one facet says of two examples.

        Args:
            x1: an example, or N of them, as in ``fit``.
            x2: as many.
            facet: j, whose z_j are exchanged.

        Returns:
            x1 with z_j of x2 and x2 with z_j of x1, decoded as by
            ``reconstruct``, in the shape of x1.
        """
        check_is_fitted(self)
        self._check_facet(facet)
        is_single = np.ndim(x1) == len(self._layout.example_shape)
        if np.shape(x1) != np.shape(x2):
            raise ValueError(
                "x1 and x2 must have the same shape, got "
                f"{np.shape(x1)} and {np.shape(x2)}"
            )
        pairs = np.stack(
            [
                self._images(np.asarray(x)[np.newaxis] if is_single else x)
                for x in (x1, x2)
            ],
            axis=1,
        )
        swapped = self._trained().swap(pairs, facet)
        first, second = (
            self._layout.from_model(swapped[:, side]) for side in range(2)
        )
        return (first[0], second[0]) if is_single else (first, second)

    def sample(
        self,
        n: int = 1,
        *,
        facet: int | None = None,
        component: int | None = None,
        temperature: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> np.ndarray:
        """Draws new examples: z from p(z), and of it E[x|z].

        Args:
            n: how many.
            facet: j, of the component; None to draw every facet's component.
            component: of that facet, to draw z_j from.
            temperature: factor on the standard deviation of the components; 0
                gives their means.
            random_state: None for that of the estimator.

        Returns:
            n examples in the shape and units of X; float32, or uint8 if the
            training set was images of uint8.
        """
        check_is_fitted(self)
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        if temperature < 0:
            raise ValueError(f"temperature must be >= 0, got {temperature}")
        if (facet is None) != (component is None):
            raise ValueError(
                "facet and component go together: give both, to sample that "
                f"cluster, or neither; got facet={facet!r}, "
                f"component={component!r}"
            )
        rng = check_random_state(
            self.random_state if random_state is None else random_state
        )
        if facet is not None:
            self._check_facet(facet)
            n_components = self._settings.facets.n_components[facet]
            _check_index("component", component, n_components)
        drawn, _ = self._trained().sample(
            jax.random.key(rng.randint(np.iinfo(np.int32).max)),
            n,
            facet=facet,
            component=component,
            temperature=temperature,
        )
        return self._layout.from_model(drawn)

    def score(self, X: Any, y: Any = None) -> float:
        """Returns how well the model explains examples; more is better.

        It is M, the mixture bound on log p(x) (docs/maths.md), at one sample of
        z per example, the same in each call. x is what the model sees: images
        in [0, 1], columns standardised. So compare models of one kind of
        likelihood, fitted to the same training set.

        Args:
            X: examples, as in ``fit``, preferably not those trained on.
            y: not used.

        Returns:
            The mean over X, in nats per example.
        """
        del y
        found = self._predict(self._images(X))
        return found.mean_terms(self._trained().is_in)["mixture_bound"]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted estimator to one file, see ``load``.

        The file is an .npz of plain arrays and JSON. ``workdir`` is not in it,
        and a ``random_state`` that is no int is there as the seed it gave.

        Args:
            path: of the file; another that is there is replaced.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        about = {
            "settings": config_lib.to_config(self._settings),
            "params": self._plain_params(),
            "example_shape": self._layout.example_shape,
            "is_bytes": self._layout.is_bytes,
            "feature_names_in": None if names is None else list(names),
            "history": self.history_,
        }
        arrays = {
            "labels": self.labels_,
            "offset": self._layout.offset,
            "scale": self._layout.scale,
        }
        for j, evidence in enumerate(self.evidence_):
            if evidence is not None:
                arrays[f"evidence_{j}"] = np.stack(evidence)
        archive.write(path, archive.Archive(about, arrays, self._variables))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads an estimator that ``save`` wrote, also in another process.

        Args:
            path: of the file.

        Returns:
            The fitted estimator. On the same kind of machine, it predicts the
            same as the one that was saved, bit for bit.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is something else, or damaged.
        """
        about, arrays, variables = archive.read(path)
        settings = config_lib.from_config(about["settings"])
        params = dict(about["params"])
        params["facets"] = tuple(Facet(**facet) for facet in params["facets"])
        for name in ("net", "likelihood"):
            if params[name] is None:
                params[name] = getattr(settings, name)
        estimator = cls(**params)
        estimator._settings = settings
        estimator._layout = Layout(
            tuple(about["example_shape"]),
            about["is_bytes"],
            arrays["offset"],
            arrays["scale"],
        )
        estimator._variables = variables
        estimator.n_features_in_ = int(np.prod(about["example_shape"]))
        estimator.n_iter_ = sum(settings.progressive.stage_epochs)
        if about["feature_names_in"] is not None:
            estimator.feature_names_in_ = np.array(
                about["feature_names_in"], object
            )
        estimator.history_ = about["history"]
        estimator.evidence_ = [
            _evidence(arrays[f"evidence_{j}"]) if facet.is_auto else None
            for j, facet in enumerate(estimator.facets)
        ]
        estimator._set_labels(arrays["labels"])
        return estimator

    def __sklearn_tags__(self):
        """Says what the estimator takes, see scikit-learn."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags = TransformerTags(preserves_dtype=[])
        return tags

    def _train(
        self, run: runs.Run
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Trains a run, and returns its variables and records."""
        stopped = None
        with contextlib.ExitStack() as stack:
            stack.enter_context(_quiet())
            folder = self.workdir
            if folder is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
            workdir = Workdir(pathlib.Path(folder))
            try:
                (state,) = loop.train(
                    run, workdir, progress_bar=bool(self.verbose)
                )
            except FloatingPointError as error:
                what, _, _ = str(error).partition(". ")
                raise FloatingPointError(
                    f"training diverged: {what}. Try a learning_rate lower "
                    f"than {run.settings.train.learning_rate:g}, or look for "
                    "extreme values in X"
                ) from error
            except Stopped as error:
                stopped = error
            records = workdir.records()
        if stopped is not None:
            # Now that the folder is gone and the handlers are their owners'
            # again, they get the signal that was kept from them.
            signal.raise_signal(stopped.signum)
            raise KeyboardInterrupt
        assert state is not None  # a single seed that is given up raises
        return jax.device_get(state.variables), [
            record for record in records if record["split"] != "speed"
        ]

    def _prune(
        self, facets: Sequence[Facet], images: np.ndarray
    ) -> list[pruning.Evidence | None]:
        """Leaves facets whose K is found the clusters that can be told apart.

        Returns:
            The evidence for each of them; None for the others.
        """
        found: list[pruning.Evidence | None] = [None] * len(facets)
        if not any(facet.is_auto for facet in facets):
            return found
        samples = self._trained().sampled_latents(
            images[: pruning.N_EXAMPLES],
            run_key(self._settings.seed, KeyUse.SAMPLES),
        )
        section = self._settings.facets
        n_components = list(section.n_components)
        for j, (facet, mixture) in enumerate(
            zip(facets, self._trained().mixtures, strict=True)
        ):
            if facet.is_auto:
                left, evidence = pruning.prune(mixture, samples[j])
                self._variables["params"][f"priors_{j}"] = {
                    name: np.asarray(value, np.float32)
                    for name, value in prior.unconstrained(left).items()
                }
                n_components[j] = evidence.n_kept
                found[j] = evidence
        self._settings = dataclasses.replace(
            self._settings,
            facets=dataclasses.replace(
                section, n_components=tuple(n_components)
            ),
        )
        return found

    def _images(self, X: Any) -> np.ndarray:
        """Checks examples and brings them to the form the model takes."""
        check_is_fitted(self)
        if self._layout.is_table:
            x = validate_data(self, X, reset=False)
        else:
            x = check_array(X, allow_nd=True, estimator=self, input_name="X")
        return self._layout.to_model(x)

    def _predict(self, images: np.ndarray) -> Predictions:
        key = run_key(self._settings.seed, KeyUse.EVALUATION)
        return self._trained().predict(images, key)

    def _trained(self) -> Trained:
        settings = self._settings
        full = progressive.full_coefficients(len(settings.facets))
        return Trained(
            model=model_lib.make_model(settings, self._layout.image_shape),
            likelihood=settings.likelihood,
            estimate=elbo.find_estimator(settings.train.estimator),
            batch_size=settings.evaluate.batch_size,
            variables=self._variables,
            alpha=full.alpha,
        )

    def _check_facet(self, facet: Any) -> None:
        _check_index("facet", facet, len(self._settings.facets))

    def _set_labels(self, labels: np.ndarray) -> None:
        self.labels_ = labels
        self.cluster_usage_ = [
            np.bincount(column, minlength=n_components)
            for column, n_components in zip(
                labels.T, self._settings.facets.n_components, strict=True
            )
        ]

    def _plain_params(self) -> dict[str, Any]:
        """The parameters of the constructor as values for JSON."""
        params = self.get_params(deep=False)
        del params["workdir"]
        params["facets"] = [
            {
                "n_components": facet.n_components
                if facet.is_auto
                else int(facet.n_components),
                "latent_dim": int(facet.latent_dim),
                "covariance": facet.covariance,
                "learn_weights": facet.learn_weights,
            }
            for facet in params["facets"]
        ]
        for name in ("net", "likelihood"):
            if not isinstance(params[name], str):
                params[name] = None  # it is in the settings
        if isinstance(params["epochs"], tuple | list):
            params["epochs"] = [int(n) for n in params["epochs"]]
        if params["random_state"] is not None:
            params["random_state"] = self._settings.seed
        return {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in params.items()
        }


def _evidence(rows: np.ndarray) -> pruning.Evidence:
    n_components, *others = rows
    return pruning.Evidence(n_components.astype(int), *others)


def _dataset(images: np.ndarray, seed: int) -> Dataset:
    """Makes the data set of a run; its test split is of training examples.

    The order is random, since the data-dependent initialisation looks at the
    first examples, and in an ordered set those are all alike.
    """
    order = np.random.RandomState(seed).permutation(len(images))

    def split(members):
        return Split(images[members], np.zeros((len(members), 0), np.int32))

    shape = cast(tuple[int, int, int], images.shape[1:])
    return Dataset(
        DatasetSpec("in_memory", shape, ()),
        train=split(order),
        test=split(order[:_N_SCORED]),
    )


def _seed(random_state: Any) -> int:
    """The seed of a run."""
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)


def _check_index(name: str, value: Any, n: int) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or not 0 <= int(value) < n
    ):
        raise ValueError(
            f"{name} must be an integer from 0 to {n - 1}, got {value!r}"
        )


def _check_is_free(folder: str | os.PathLike[str] | None) -> None:
    if folder is None:
        return
    path = pathlib.Path(folder).expanduser()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(
            f"workdir={str(folder)!r} is there and not an empty folder: name a "
            "new one, so that nothing is overwritten, or None to keep nothing"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what the engine logs from the user's log."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)
