# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a run as one HTML file that needs nothing else.

Plain data in, text out: nothing here knows of models or training, and nothing
reads or writes a file, except that the package's own parts are read.

  pages.py      the page of one run, the page of several seeds
  explorer.py   which tiles the explorer holds, and the data for its script
  *.html.j2     Jinja templates; what they are given is escaped
  report.css, explorer.js  go into the page as they are
"""

from mfcvae_jax.report.html.pages import RunReport, run_page, seeds_page

__all__ = ["RunReport", "run_page", "seeds_page"]
