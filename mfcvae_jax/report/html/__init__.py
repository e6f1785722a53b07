# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a run as one HTML file that needs nothing else.

Plain data in, text out: nothing here knows of models or training, or writes a
file. The templates ``*.html.j2`` escape what they are given; ``report.css`` and
``explorer.js`` go into the page as they are.
"""

from mfcvae_jax.report.html.pages import page, run_page

__all__ = ["page", "run_page"]
