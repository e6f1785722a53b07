# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of a trained model: assignments, accuracies, redundancy."""
