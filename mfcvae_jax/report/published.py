# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of the paper (arXiv:2106.05241), to stand beside ours.

All in %, mean and standard deviation; None where none is given. Data sets and
labelings have the names of ``datasets.spec``.
"""

from typing import NamedTuple

__all__ = ["ACCURACIES", "PROBES", "Accuracy", "Value"]

# Mean, and standard deviation if there is one.
Value = tuple[float, float | None]


class Accuracy(NamedTuple):
    """A row of Table 2.

    Rivals print one-to-one accuracy with as many clusters as classes, the paper
    many-to-one with more clusters.
    """

    method: str  # MF says several facets, SF one, G generative, NG not
    value: Value  # accuracy
    kind: str = "one_to_one"


def _ours(mean: float, std: float) -> Accuracy:
    method = "MFCVAE (MF, G), the paper, 10 runs"
    return Accuracy(method, (mean, std), "many_to_one")


# Table 2, and Sec. 4.3 for 3D Shapes, by data set and labeling.
ACCURACIES: dict[tuple[str, str], tuple[Accuracy, ...]] = {
    ("mnist", "digit"): (
        Accuracy("DEC (SF, NG), best of 20", (84.3, None)),
        Accuracy("VaDE (MLP, SF, G), best of 10", (94.46, None)),
        Accuracy("VaDE (MLP, SF, G), by the authors", (89.09, 3.32)),
        Accuracy("VaDE (conv., SF, G), by the authors", (92.65, 1.14)),
        Accuracy("IMSAT (SF, NG)", (98.4, 0.4)),
        Accuracy("ACOL-GAR (SF, NG)", (98.32, 0.08)),
        Accuracy("LTVAE (MF, G)", (86.3, None)),
        _ours(92.02, 3.18),
    ),
    ("svhn_cropped", "digit"): (
        Accuracy("DEC (SF, NG)", (11.9, 0.4)),
        Accuracy("VaDE (MLP, SF, G), by the authors", (27.03, 1.53)),
        Accuracy("VaDE (conv., SF, G), by the authors", (30.80, 1.99)),
        Accuracy("IMSAT (SF, NG)", (57.3, 3.9)),
        Accuracy("ACOL-GAR (SF, NG)", (76.80, 1.30)),
        Accuracy("VLAC (MF, G)", (37.8, 2.2)),
        _ours(56.25, 0.93),
    ),
    ("shapes3d_floor", "floor_hue"): (_ours(99.46, 1.10),),
    ("shapes3d_floor", "shape"): (_ours(88.47, 1.82),),
    ("shapes3d_wall", "wall_hue"): (_ours(100.0, 0.0),),
    ("shapes3d_wall", "shape"): (_ours(90.05, 2.65),),
}

# Table 1 by data set and labeling: facet 0 (z_1), facet 1 (z_2), both. Its
# header says "config. 2" of the floor colour, which only configuration 1 has.
PROBES: dict[tuple[str, str], tuple[Value, ...]] = {
    ("mnist", "digit"): ((17.34, 0.24), (94.95, 0.04), (95.27, 0.07)),
    ("shapes3d_floor", "shape"): ((95.00, 0.45), (32.43, 1.38), (95.18, 0.42)),
    ("shapes3d_floor", "floor_hue"): (
        (20.00, 0.68),
        (100.0, 0.0),
        (100.0, 0.0),
    ),
    ("shapes3d_wall", "shape"): ((98.26, 0.16), (24.41, 1.34), (98.19, 0.30)),
    ("shapes3d_wall", "wall_hue"): (
        (73.40, 1.48),
        (100.0, 0.0),
        (99.97, 0.06),
    ),
    ("svhn_cropped", "digit"): ((69.46, 0.36), (22.30, 0.16), (70.39, 0.29)),
}
