# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The nets: a dense and a convolutional ladder, and two without one."""
