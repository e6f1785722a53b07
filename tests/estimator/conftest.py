# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""An estimator that is fitted quickly, once for all tests of a process."""

import pytest

from tests.estimator import small_fits


def pytest_itemcollected(item):
    """Training is so short that a facet may end with one cluster."""
    ignored = "ignore:all examples are in one"
    item.add_marker(pytest.mark.filterwarnings(ignored))


@pytest.fixture(scope="session")
def fitted():
    return small_fits.estimator().fit(small_fits.IMAGES)
