# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of ``mfcvae``, one file each: its flags and what it does.

A command's file has three things: a docstring, which is its help; ``FLAGS``;
and ``main``, which returns the exit code. ``main`` imports what it needs, for
JAX and its libraries take seconds that help and a mistyped flag should not
cost.
"""
