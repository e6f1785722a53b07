# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The estimator. It trains by ``training.loop``, as the experiments do."""

import math
import os
from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin, clone
from sklearn.utils import TransformerTags, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from mfcvae_jax import settings as settings_lib
from mfcvae_jax.estimator import archive, checks, fitting
from mfcvae_jax.estimator.facet import Facet, check_facets
from mfcvae_jax.estimator.fitted import Fitted
from mfcvae_jax.evaluation import pruning
from mfcvae_jax.inference.predictions import Predictions

__all__ = ["MultiFacetClustering"]


class MultiFacetClustering(TransformerMixin, ClusterMixin, BaseEstimator):
    """Sorts examples into several clusterings at once, one for each facet.

    Examples are images, X of shape (N, H, W) or (N, H, W, C), or the rows of a
    table, X of shape (N, D). Images are brought to [0, 1], and the columns of a
    table to mean 0 and variance 1, by what the training set says of their units
    (``estimator.layout``). What is reconstructed or sampled is in those of X.
    docs/api/estimator.md has a table of what follows from X where a parameter
    is "auto". After ``fit``, X are N examples in the form of the training set.

    All of X is trained on, unless there are several starts. Keep a part back
    and compare ``score`` on it to choose between models.

    Args:
        facets: one Facet for each clustering, shallowest first. Training
            brings them in one by one, the last one first; it tends to take
            what is easiest to see.
        epochs: passes over X, or "auto". A stage in which facets are still left
            out gets 0.4 of an equal share of them if it is the first, else
            0.27, and the last stage the rest: the first facet could take more
            than its own in a longer one. Or one number for each stage,
            epochs[0] for the last facet alone.
        warm_up: share of each stage in which its facets are trained without a
            price on what they encode, before their clusters are fitted to it
            (docs/recipe.md), from 0 to less than 1; or "auto". 0 is the
            published schedule.
        redundancy_price: nats that a facet pays if earlier ones tell all of it,
            or "auto"; 0 is published.
        likelihood: p(x|z): "auto", "bernoulli", "gaussian", or an object
            ``settings.Bernoulli`` or ``settings.Gaussian``.
        net: "auto", "dense", "conv", or one such as ``settings.DenseLadder``.
        batch_size: examples per optimiser step, all of X if it has fewer; or
            "auto".
        learning_rate: of Adam, or "auto".
        n_init: starts, trained side by side; the best is kept. With more than
            one, a tenth of X, at most 5000 examples, is held back from training
            to compare their bounds. Four take 3.5 times the steps of one, since
            the worse are given up on the way. Or "auto".
        random_state: int, ``numpy.random.RandomState`` or None; an int gives
            the same result each time on the same machine.
        workdir: an empty or new folder, where the records, the checkpoint and
            the TensorBoard files of training are to stay; None keeps nothing.
            If a fit has used it before, a new folder ``fit_<n>`` in it: so a
            search keeps the run of every candidate.
        verbose: 0 for silence, 1 for a progress bar in a terminal or notebook,
            and a few lines elsewhere.

    Attributes:
        labels_: cluster of each training example in each facet, integers,
            shape (N, J).
        cluster_usage_: number of training examples in each cluster, one array
            of shape (K_j,) per facet.
        history_: records of training, flat dicts in order, which
            ``figures.learning_curves`` draws. Those of split "train" are means
            over some optimiser steps, those of split "test" over up to 5000
            training examples, or those held back, after an epoch; in nats per
            example. Of several starts, each has its number as "start", and
            those of split "choice" say which went on (docs/recipe.md).
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

    _fitted: Fitted

    def __init__(
        self,
        facets: Sequence[Facet] = (Facet(), Facet()),
        *,
        epochs: int | Sequence[int] | str = "auto",
        warm_up: float | str = "auto",
        redundancy_price: float | str = "auto",
        likelihood: str | settings_lib.Likelihood = "auto",
        net: str | settings_lib.Net = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        n_init: int | str = "auto",
        random_state: int | np.random.RandomState | None = None,
        workdir: str | os.PathLike[str] | None = None,
        verbose: int = 0,
    ):
        self.facets = facets
        self.epochs = epochs
        self.warm_up = warm_up
        self.redundancy_price = redundancy_price
        self.likelihood = likelihood
        self.net = net
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.n_init = n_init
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
        params = self.get_params(deep=False)
        params["facets"] = check_facets(self.facets)
        checks.check_is_even(X)
        # On a copy, so that a fit that fails leaves the estimator as it was.
        checked = clone(self)
        x = validate_data(checked, X, allow_nd=True, ensure_min_samples=2)
        names = getattr(checked, "feature_names_in_", None)
        self._adopt(fitting.fit(params, x, names))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Returns the most probable cluster in each facet, integers, (N, J)."""
        return self._predict(X).assignments

    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Returns how probable each cluster is.

        That is q(c_j|x), an array of shape (N, K_j) per facet; rows sum to 1.
        """
        return list(self._predict(X).resp)

    def encode(self, X: Any) -> list[np.ndarray]:
        """Returns means of q(z_j|x), an array of shape (N, D_j) per facet."""
        return list(self._predict(X).latents)

    def transform(self, X: Any) -> np.ndarray:
        """Encodes examples for the next step of a scikit-learn pipeline.

        Returns:
            What ``encode`` gives, side by side, shape (N, sum of D_j);
            ``set_output`` may ask for a data frame.
        """
        return np.concatenate(self.encode(X), axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names the columns of ``transform``: facet_0_dim_0 and so on.

        ``input_features`` are not used.
        """
        check_is_fitted(self)
        sizes = self._fitted.settings.facets.latent_dim
        names = [
            f"facet_{j}_dim_{d}" for j, n in enumerate(sizes) for d in range(n)
        ]
        return np.array(names, object)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encodes examples and decodes them again.

        Returns:
            E[x|z] at the mean of q(z|x), in the shape and units of X; float32,
            or uint8 if the training set was images of uint8. An alpha channel
            does not come back.
        """
        images = self._images(X)
        decoded = self._fitted.trained.reconstruct(images)
        return self._fitted.layout.from_model(decoded)

    def swap(
        self, x1: Any, x2: Any, facet: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exchanges what one facet says of two examples.

        Args:
            x1: an example, or N of them.
            x2: as many.
            facet: j, whose z_j are exchanged.

        Returns:
            x1 with z_j of x2 and x2 with z_j of x1, decoded as by
            ``reconstruct``, in the shape of x1.
        """
        check_is_fitted(self)
        layout, facets = self._fitted.layout, self._fitted.settings.facets
        checks.check_index("facet", facet, len(facets))
        for x in (x1, x2):
            checks.check_is_even(x)
        is_single = np.ndim(x1) == len(layout.example_shape)
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
        swapped = self._fitted.trained.swap(pairs, facet)
        first, second = map(layout.from_model, swapped.swapaxes(0, 1))
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
            n examples, as those of ``reconstruct``.
        """
        check_is_fitted(self)
        facets = self._fitted.settings.facets
        checks.check_count("n", n)
        is_number = checks.is_number(temperature)
        if not is_number or not 0 <= float(temperature) < math.inf:
            raise ValueError(
                f"temperature must be a number >= 0, got {temperature!r}"
            )
        if (facet is None) != (component is None):
            raise ValueError(
                "facet and component go together: give both, to sample that "
                f"cluster, or neither; got facet={facet!r}, "
                f"component={component!r}"
            )
        if facet is not None:
            checks.check_index("facet", facet, len(facets))
            checks.check_index(
                "component", component, facets.n_components[facet]
            )
        if random_state is None:
            random_state = self.random_state
        drawn, _ = self._fitted.trained.sample(
            jax.random.key(fitting.random_seed(random_state)),
            int(n),
            facet=facet,
            component=component,
            temperature=temperature,
        )
        return self._fitted.layout.from_model(drawn)

    def score(self, X: Any, y: Any = None) -> float:
        """Returns how well the model explains examples; more is better.

        It is M, the mixture bound on log p(x) (docs/maths.md), at one sample of
        z per example, the same in each call. x is what the model sees: images
        in [0, 1], columns standardised. So compare models of one kind of
        likelihood, fitted to the same training set, preferably on examples that
        none was trained on. ``y`` is not used.

        Returns:
            The mean over X, in nats per example.
        """
        found = self._predict(X)
        return found.mean_terms(self._fitted.trained.is_in)["mixture_bound"]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted estimator to one file, see ``load``.

        The file is an .npz of plain arrays and JSON; another that is there is
        replaced. ``workdir`` is not in it, and a ``random_state`` that is no
        int is there as the seed it gave.

        Raises:
            OSError: if no file can be written there.
        """
        check_is_fitted(self)
        archive.write(path, self._fitted)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads an estimator that ``save`` wrote, also in another process.

        Returns:
            The fitted estimator. On the same kind of machine, it predicts the
            same as the one that was saved, bit for bit.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is something else, or damaged.
        """
        estimator, fitted = archive.read(path, cls)
        estimator._adopt(fitted)
        return estimator

    def __sklearn_tags__(self):
        """Says what the estimator takes, see scikit-learn."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags = TransformerTags(preserves_dtype=[])
        return tags

    def _adopt(self, fitted: Fitted) -> None:
        """Sets all attributes that say what a fit found."""
        self._fitted = fitted
        self.labels_ = fitted.labels
        sizes = fitted.settings.facets.n_components
        self.cluster_usage_ = [
            np.bincount(column, minlength=n_components)
            for column, n_components in zip(fitted.labels.T, sizes, strict=True)
        ]
        self.history_ = fitted.history
        self.evidence_ = fitted.evidence
        self.n_iter_ = sum(fitted.settings.progressive.stage_epochs)
        self.n_features_in_ = fitted.layout.n_numbers
        if fitted.feature_names is not None:
            self.feature_names_in_ = fitted.feature_names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _images(self, X: Any) -> np.ndarray:
        """Checks examples and brings them to the form the model takes."""
        check_is_fitted(self)
        checks.check_is_even(X)
        if self._fitted.layout.is_table:
            x = validate_data(self, X, reset=False)
        else:
            x = check_array(X, allow_nd=True, estimator=self, input_name="X")
        return self._fitted.layout.to_model(x)

    def _predict(self, X: Any) -> Predictions:
        images = self._images(X)
        return self._fitted.predict(images)
