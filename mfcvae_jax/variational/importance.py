# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""log p(x) by importance sampling from q(z|x), in flat memory.

p(x) = E_q(z|x) w(z) with the weight w(z) = p(x|z) p(z) / q(z|x), every c summed
out in p(z). The expectation of the log of the mean of S weights is the mixture
bound M for S = 1, rises with S and never passes log p(x) (Burda et al.,
arXiv:1509.00519). A small effective sample size means that it is still too low;
a large one does not prove the opposite, since samples of q(z|x) cannot tell of
what q(z|x) misses.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

__all__ = ["LogMarginal", "log_marginal"]


class LogMarginal(NamedTuple):
    """An importance-weighted estimate for each example.

    Attributes:
        log_p_x: estimates of log p(x), in nats, shape (B,).
        effective_samples: (sum w)^2 / sum w^2, between 1 and the number of
            samples, shape (B,).
    """

    log_p_x: chex.Array
    effective_samples: chex.Array


def log_marginal(
    draw: Callable[[chex.PRNGKey], chex.Array],
    key: chex.PRNGKey,
    n_samples: int,
) -> LogMarginal:
    """Estimates log p(x) from weights that are summed as they are drawn.

    Args:
        draw: from a key to one log w(z) for each example, in nats, shape (B,).
        key: PRNG key.
        n_samples: S >= 1; memory does not grow with it.
    """

    # Sums are kept relative to the largest weight so far. A running logaddexp
    # would lose small weights to the rounding of a large logarithm.
    def add(sums, sample_key):
        largest, weights, squares = sums
        log_w = draw(sample_key)
        now_largest = jnp.maximum(largest, log_w)
        shrink = jnp.exp(largest - now_largest)
        w = jnp.exp(log_w - now_largest)
        return (
            now_largest,
            weights * shrink + w,
            squares * jnp.square(shrink) + jnp.square(w),
        ), None

    keys = jax.random.split(key, n_samples)
    first = draw(keys[0])
    one = jnp.ones_like(first)
    (largest, weights, squares), _ = jax.lax.scan(
        add, (first, one, one), keys[1:]
    )
    return LogMarginal(
        log_p_x=largest + jnp.log(weights / n_samples),
        effective_samples=jnp.square(weights) / squares,
    )
