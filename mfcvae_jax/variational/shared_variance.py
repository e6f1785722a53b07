# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How much of what one facet encodes another facet tells already.

The measure is the correlation ratio of the moments of q(z_j|x), given the
clusters of the other facet: the share of their variance over a batch that lies
between the clusters. It is 0 if the moments have the same mean in every
cluster, and 1 if the cluster says all. Means alone would miss a facet that
tells a class by how far its code lies from the centre, or by how sure it is; so
there are three moments of each dimension.

The price on redundancy in training is a multiple of it (it is not in the
paper). Responsibilities get no gradient: the facet that pays must change, not
the clusters that it is compared with. On independent facets the share is about
(K - 1) / B, not 0: of B examples, K cluster means fit that much by chance.
"""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp

from mfcvae_jax.variational.posterior import Posterior

__all__ = ["moments", "share_between", "shares"]

# A moment whose variance is smaller (in squared units of z, or their square)
# tells nothing.
_LEAST_VARIANCE = 1e-6


def moments(q: Posterior) -> chex.Array:
    """Returns what is compared of a facet, for each example, shape (B, 3 D).

    Means, their squared distances from the mean over the batch, and standard
    deviations.
    """
    centred = q.mean - jnp.mean(q.mean, axis=0)
    return jnp.concatenate(
        [q.mean, jnp.square(centred), jnp.exp(0.5 * q.log_var)], axis=-1
    )


def share_between(values: chex.Array, resp: chex.Array) -> chex.Array:
    """Returns the share of variance that lies between clusters, in [0, 1].

    sum_c n_c (m_c - m)^2 / sum_b (v_b - m)^2, where n_c and m_c are the size
    and the mean of cluster c, by responsibilities, and m is the mean of all;
    averaged over the columns.

    Args:
        values: shape (B, F).
        resp: responsibilities, rows summing to 1, shape (B, K).
    """
    chex.assert_equal_shape_prefix([values, resp], 1)
    centred = values - jnp.mean(values, axis=0)
    sizes = jnp.maximum(jnp.sum(resp, axis=0), 1e-6)
    sums = jnp.einsum("bk,bf->kf", resp, centred, precision="highest")
    between = jnp.sum(jnp.square(sums) / sizes[:, None], axis=0)
    total = jnp.sum(jnp.square(centred), axis=0)
    return jnp.mean(between / (total + _LEAST_VARIANCE * len(values)))


def shares(
    posteriors: Sequence[Posterior], resp: Sequence[chex.Array]
) -> chex.Array:
    """Returns what each facet tells of each shallower one, shape (J, J).

    Args:
        posteriors: q(z_j|x) of a batch, length J.
        resp: q(c_j|x) of the same batch, length J, each of shape (B, K_j).

    Returns:
        In row j and column i > j the share of facet j that facet i tells, else
        0.
    """
    known = jax.lax.stop_gradient(list(resp))
    of_facets = [moments(q) for q in posteriors]
    return jnp.array(
        [
            [
                share_between(of_facets[j], known[i]) if i > j else 0.0
                for i in range(len(known))
            ]
            for j in range(len(known))
        ],
        of_facets[0].dtype,
    )
