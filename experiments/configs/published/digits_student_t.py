# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Digits as in ``digits.py``, with clusters of Student's t in every facet.

A prior that the library does not have, complete in one file; see
docs/extending.md. docs/priors.md says what to expect, beside Gaussians.

    python experiments/train.py --workdir=runs/published/digits_student_t \
        --config=experiments/configs/published/digits_student_t.py
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from mfcvae_jax import settings
from mfcvae_jax.config import load
from mfcvae_jax.variational import prior
from mfcvae_jax.variational.elliptical import Elliptical


@dataclasses.dataclass(frozen=True)
class StudentT:
    """Components of Student's t, whose tails are heavier than a Gaussian's.

    Attributes:
        df: degrees of freedom, above 2; many of them give a Gaussian.
    """

    df: float = 5.0

    def __post_init__(self):
        if self.df <= 2:
            raise ValueError(f"StudentT: df must be above 2, got {self.df}")


class StudentTs(Elliptical):
    """K multivariate t distributions."""

    def __init__(self, loc, scale, df):
        super().__init__(loc, scale)
        self.df = df

    def log_prob(self, value):
        """See ``distrax.Distribution``; (..., 1, D) -> (..., K), nats."""
        d, df = self.event_shape[0], self.df
        constant = (
            math.lgamma((df + d) / 2)
            - math.lgamma(df / 2)
            - d / 2 * math.log(df * math.pi)
        )
        tails = (df + d) / 2 * jnp.log1p(self.distances(value) / df)
        return constant - self.log_det() - tails

    def variance(self):
        """See ``distrax.Distribution``, shape (K, D)."""
        return self.df / (self.df - 2) * self.square_scale()

    def _sample_n(self, key, n):
        keys = jax.random.split(key)
        normal = jax.random.normal(keys[0], (n, *self.loc.shape))
        half = self.df / 2
        chi_square = jax.random.gamma(keys[1], half, normal.shape[:-1]) / half
        return self.place(normal / jnp.sqrt(chi_square)[..., None])


@prior.components.register
def _(family: StudentT, module):
    return StudentTs(module.means(), module.scale(), family.df)


settings.KINDS["prior"]["student_t"] = StudentT


def get_config():
    config = load("digits.py", __file__)
    config.facets.prior = ({"kind": "student_t", "df": 5.0},) * 2
    return config
