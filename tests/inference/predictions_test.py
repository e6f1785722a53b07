# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Means over a split: the terms add up to the bounds."""

import numpy as np
import pytest

from mfcvae_jax.inference.predictions import Predictions


@pytest.mark.parametrize("is_in", [(1.0, 1.0), (0.0, 1.0)])
def test_terms_add_up_and_leave_out_a_waiting_facet(is_in):
    rng = np.random.default_rng(0)
    kl_z, kl_c, gap = rng.normal(size=(3, 20, 2))
    mixture = -(kl_z + kl_c)  # one sample: the five terms are those of M
    found = Predictions(
        resp=(np.eye(3)[rng.integers(3, size=20)],) * 2,
        latents=(np.zeros((20, 2)),) * 2,
        log_p_x_z=rng.normal(size=20),
        kl_z=kl_z,
        kl_c=kl_c,
        mixture=mixture,
        mean_field=mixture - gap,
    )
    terms = found.mean_terms(np.array(is_in))
    kl = [terms[f"kl_z/{j}"] + terms[f"kl_c/{j}"] for j in range(2)]
    gaps = [terms[f"gap/{j}"] for j in range(2)]
    assert terms["log_p_x_z"] == pytest.approx(found.log_p_x_z.mean())
    assert terms["mixture_bound"] == pytest.approx(
        terms["log_p_x_z"] - np.dot(is_in, kl)
    )
    assert terms["mean_field_bound"] == pytest.approx(
        terms["mixture_bound"] - np.dot(is_in, gaps)
    )
    assert gaps == pytest.approx(gap.mean(axis=0))
    np.testing.assert_array_equal(
        found.assignments[:, 1], found.resp[1].argmax(axis=1)
    )
