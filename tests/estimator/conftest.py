# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""An estimator that is fitted quickly, once for all tests of a process."""

import warnings

import pytest

from tests.estimator import small_fits


@pytest.fixture(scope="session")
def fitted():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", small_fits.ONE_CLUSTER)
        return small_fits.estimator().fit(small_fits.IMAGES)
