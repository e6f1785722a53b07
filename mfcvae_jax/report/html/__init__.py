# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a run as one HTML file that needs nothing else.

Plain data in, text out: nothing here knows of models or training, and nothing
reads or writes a file, except that the package's own parts are read.

  page.py      the page of one run
  sweep.py     the page of several seeds
  explorer.py  which tiles the explorer holds, its data and its controls
  sprites.py   many small pictures in one PNG
  markup.py    HTML that is escaped unless it says otherwise
  frame.html, report.css, explorer.js  go into the page as they are
"""

from mfcvae_jax.report.html.page import RunReport, Stage, run_page
from mfcvae_jax.report.html.sweep import sweep_page

__all__ = ["RunReport", "Stage", "run_page", "sweep_page"]
