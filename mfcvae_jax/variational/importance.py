# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""log p(x) by importance sampling from q(z|x), in flat memory.

    p(x) = E_q(z|x) w(z),   w(z) = p(x|z) p(z) / q(z|x)

with every c summed out in p(z). log of the mean of S weights is, in
expectation, at least the mixture bound M (its case S = 1), rises with S and
never passes log p(x) (Burda et al., arXiv:1509.00519). It is only as good as
its effective sample size: a few large weights mean that it is still too low.
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
    """Estimates log p(x) from log weights that are drawn one at a time.

    The weights are summed as they come, so that memory does not grow with
    their number.

    Args:
        draw: from a key to one log w(z) for each example, in nats, shape (B,).
        key: PRNG key.
        n_samples: S >= 1.

    Returns:
        The estimates.
    """

    def add(sums, sample_key):
        log_w = draw(sample_key)
        return (
            jnp.logaddexp(sums[0], log_w),
            jnp.logaddexp(sums[1], 2 * log_w),
        ), None

    keys = jax.random.split(key, n_samples)
    first = draw(keys[0])
    (log_sum, log_sum_squares), _ = jax.lax.scan(
        add, (first, 2 * first), keys[1:]
    )
    return LogMarginal(
        log_p_x=log_sum - jnp.log(n_samples),
        effective_samples=jnp.exp(2 * log_sum - log_sum_squares),
    )
