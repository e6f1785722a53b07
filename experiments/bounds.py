# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws M, F and the estimates between them, for a small mixture on the line.

python experiments/bounds.py --out=docs/images/bounds.png
"""

import os
from collections.abc import Mapping, Sequence

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from matplotlib import ticker
from scipy import special

from mfcvae_jax import model
from mfcvae_jax.commands import running
from mfcvae_jax.figures import style
from mfcvae_jax.variational import elbo, posterior
from mfcvae_jax.variational.elliptical import Gaussians

_OUT = flags.DEFINE_string("out", None, "Picture to write.", required=True)

_WEIGHTS = (0.5, 0.3, 0.2)
_MEANS = ((-1.0,), (0.5,), (2.0,))
_STDS = ((0.7,), (0.4,), (1.2,))
_MEAN, _STD = 0.4, 0.8  # of q(z|x)
_N_SAMPLES = (1, 2, 4, 8, 16, 32, 64)
_N_REPETITIONS = 20_000
_HEIGHT = 2.7  # of the axes, in inches
_ESTIMATORS = ("five_terms", "gaussian_kl", "closed_form")


def _mixture() -> distrax.MixtureSameFamily:
    return distrax.MixtureSameFamily(
        distrax.Categorical(probs=jnp.array(_WEIGHTS)),
        Gaussians(jnp.array(_MEANS), jnp.array(_STDS)),
    )


def _posterior(n_examples: int) -> posterior.Posterior:
    """The same q(z|x) for so many examples."""
    return posterior.Posterior(
        jnp.full((n_examples, 1), _MEAN),
        jnp.full((n_examples, 1), 2 * np.log(_STD)),
    )


def _mixture_bound() -> float:
    """M by Gaussian quadrature: every node stands for an example."""
    nodes, weights = special.roots_hermitenorm(200)
    densities = model.densities(
        _posterior(len(nodes)),
        _mixture(),
        jnp.asarray(_MEAN + _STD * nodes)[None, :, None],
    )
    return float(weights @ elbo.mixture_block(densities) / np.sum(weights))


def _estimates(n_samples: int) -> dict[str, np.ndarray]:
    """Repeated estimates of one facet's part of the bound, by estimator."""
    q = _posterior(_N_REPETITIONS)
    noise = jax.random.normal(
        jax.random.key(n_samples), (n_samples, _N_REPETITIONS, 1)
    )
    densities = model.densities(q, _mixture(), posterior.sample(q, noise))
    found = {}
    for name in _ESTIMATORS:
        terms = elbo.ESTIMATORS[name](densities)
        found[name] = np.asarray(-(terms.kl_z + terms.kl_c))
    return found


@style.house_style
def bounds_and_estimates(
    n_samples: Sequence[int],
    estimates: Mapping[str, np.ndarray],
    bounds: Mapping[str, float],
    path: str | os.PathLike[str],
) -> None:
    """Draws means and spreads of estimates against the number of samples.

    Every estimator has a curve of its means and a band of one standard
    deviation around it; every bound is a line across.

    Args:
        n_samples: L of each column, increasing.
        estimates: by name, repeated estimates in nats, shape (R, len(L)).
        bounds: by name, in nats.
        path: where to write; the ending chooses the format.
    """
    page = style.Page([1.0], [_HEIGHT])
    axes = page.axes[0, 0]
    axes.set_xscale("log", base=2)
    axes.set_xlim(n_samples[0], n_samples[-1])
    axes.xaxis.set_major_locator(ticker.FixedLocator(list(n_samples)))
    axes.xaxis.set_major_formatter(ticker.ScalarFormatter())
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel("samples L per example")
    axes.set_ylabel("nats")
    axes.grid(axis="y")
    for name, value in bounds.items():
        axes.axhline(value, color=style.INK, linewidth=1.0, dashes=(4, 2))
        axes.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold",
            color=style.INK,
        )
    for i, (name, values) in enumerate(estimates.items()):
        mean, std = np.mean(values, axis=0), np.std(values, axis=0)
        colour = style.facet_colour(i)
        axes.fill_between(
            n_samples, mean - std, mean + std, color=colour, alpha=0.13, lw=0
        )
        axes.plot(n_samples, mean, color=colour, label=name, marker="o", ms=3)
    axes.legend(loc="lower right", title="mean, and one standard deviation")
    page.fit(style.WIDTH)
    page.save(path)


def _draw() -> int:
    q = _posterior(1)
    mean_field = elbo.mean_field_block(
        model.densities(q, _mixture(), q.mean[None])
    )
    bounds = {
        "M, mixture bound": _mixture_bound(),
        "F, mean-field bound": float(mean_field[0]),
    }
    columns = [_estimates(n) for n in _N_SAMPLES]
    estimates = {
        name: np.stack([column[name] for column in columns], axis=-1)
        for name in _ESTIMATORS
    }
    bounds_and_estimates(_N_SAMPLES, estimates, bounds, _OUT.value)
    for name, value in bounds.items():
        print(f"{name}: {value:.4f} nats")
    for name, values in estimates.items():
        means = ", ".join(f"{mean:.4f}" for mean in values.mean(axis=0))
        print(f"{name}, L = {', '.join(map(str, _N_SAMPLES))}: {means}")
    return 0


if __name__ == "__main__":
    running.script(_draw)
