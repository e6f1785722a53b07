# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws M, F and the estimates between them, for a small mixture on the line.

python experiments/bounds.py --out=docs/images/bounds.png
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from bounds_figure import bounds_and_estimates
from scipy import special

from mfcvae_jax import model
from mfcvae_jax.variational import elbo, posterior, prior

_OUT = flags.DEFINE_string("out", None, "Picture to write.", required=True)

_MIXTURE = prior.Mixture(
    log_weights=np.log([0.5, 0.3, 0.2]),
    means=np.array([[-1.0], [0.5], [2.0]]),
    scale=np.array([[0.7], [0.4], [1.2]]),
)
_MEAN, _STD = 0.4, 0.8  # of q(z|x)
_N_SAMPLES = (1, 2, 4, 8, 16, 32, 64)
_N_REPETITIONS = 20_000
_ESTIMATORS = ("five_terms", "gaussian_kl", "closed_form")


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
        _MIXTURE,
        jnp.asarray(_MEAN + _STD * nodes)[None, :, None],
    )
    return float(weights @ elbo.mixture_block(densities) / np.sum(weights))


def _estimates(n_samples: int) -> dict[str, np.ndarray]:
    """Repeated estimates of one facet's part of the bound, by estimator."""
    q = _posterior(_N_REPETITIONS)
    noise = jax.random.normal(
        jax.random.key(n_samples), (n_samples, _N_REPETITIONS, 1)
    )
    densities = model.densities(q, _MIXTURE, posterior.sample(q, noise))
    found = {}
    for name in _ESTIMATORS:
        terms = elbo.ESTIMATORS[name](densities)
        found[name] = np.asarray(-(terms.kl_z + terms.kl_c))
    return found


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    q = _posterior(1)
    mean_field = elbo.mean_field_block(
        model.densities(q, _MIXTURE, q.mean[None])
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


if __name__ == "__main__":
    app.run(main)
