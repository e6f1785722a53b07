# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Draws why several facets need fewer clusters than one (the paper's Fig. 1).

    python experiments/figure_1.py --out=runs/figure_1.png

Nothing is trained: the clusters and the points in them are drawn at random.
"""

import math
import pathlib

from absl import app, flags

from mfcvae_jax import figures
from mfcvae_jax.commands import running

_OUT = flags.DEFINE_string("out", None, "Picture to write.", required=True)

_CHARACTERISTICS = (
    ("circle", "square", "triangle"),
    ("red", "green", "blue"),
    ("small", "large"),
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return running.exit_code(_draw)


def _draw() -> int:
    path = pathlib.Path(_OUT.value)
    path.parent.mkdir(parents=True, exist_ok=True)
    figures.facet_intuition(_CHARACTERISTICS, path)
    sizes = [len(values) for values in _CHARACTERISTICS]
    print(
        f"{path}: one facet needs {math.prod(sizes)} clusters, "
        f"{len(sizes)} facets need {sum(sizes)}"
    )
    return 0


if __name__ == "__main__":
    app.run(main)
