# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets: what they are, where they come from, how they are batched."""
