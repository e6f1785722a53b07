# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Compares the renderer of 3D Shapes with frames of the original.

    python experiments/compare_shapes3d.py --frames=shapes3d_examples.npz \
        --sheet=docs/images/shapes3d_rendered.png

The .npz holds `notebook_images`, uint8, shape (N, 64, 64, 3), and their hues
`notebook_hues_floor_wall_object`, shape (N, 3). Scale, shape and orientation of
a frame are those whose drawing is nearest to it.
"""

import numpy as np
from absl import flags
from PIL import Image

from mfcvae_jax.commands import running
from mfcvae_jax.datasets import shapes3d
from mfcvae_jax.datasets.shapes3d_rendered import rays, renderer
from mfcvae_jax.figures import tiles

_FRAMES = flags.DEFINE_string("frames", None, "The .npz.", required=True)
_SHEET = flags.DEFINE_string("sheet", None, "Picture to write, if any.")

_N_SHOWN = 10


def _compare() -> int:
    with np.load(_FRAMES.value, allow_pickle=False) as file:
        frames = file["notebook_images"]
        hues = file["notebook_hues_floor_wall_object"].astype(int)
    rendered, factors, distance = _nearest(frames, hues)
    print(
        f"{len(frames)} frames, mean absolute difference per channel (0-255): "
        f"{distance.mean():.2f}, worst frame {distance.max():.2f}"
    )
    for i, shape in enumerate(rays.SHAPES):
        of_shape = distance[factors[:, 4] == i]
        print(f"  {shape}: {of_shape.mean():.2f} ({len(of_shape)} frames)")
    if _SHEET.value:
        Image.fromarray(_sheet(frames, rendered, factors)).save(
            _SHEET.value, optimize=True
        )
    return 0


def _nearest(
    frames: np.ndarray, hues: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the drawing nearest to each frame, its factors and distance."""
    geometry = shapes3d.combinations(floor_hue=0, wall_hue=0, object_hue=0)
    best = np.zeros_like(frames)
    factors = np.zeros((len(frames), 6), int)
    distance = np.full(len(frames), np.inf)
    for row in geometry[:, 3:]:
        tried = np.column_stack([hues, np.tile(row, (len(frames), 1))])
        drawn = renderer.render(tried)
        found = np.abs(drawn.astype(float) - frames).mean(axis=(1, 2, 3))
        nearer = found < distance
        best[nearer], factors[nearer] = drawn[nearer], tried[nearer]
        distance[nearer] = found[nearer]
    return best, factors, distance


def _sheet(
    frames: np.ndarray, rendered: np.ndarray, factors: np.ndarray
) -> np.ndarray:
    """Frames above drawings above differences, shapes in turn."""
    rank = np.empty(len(frames), int)
    for shape in range(4):
        (at,) = np.nonzero(factors[:, 4] == shape)
        rank[at] = np.arange(len(at))
    shown = np.lexsort((factors[:, 4], rank))[:_N_SHOWN]
    difference = rendered[shown].astype(float) - frames[shown]
    rows = [
        frames[shown],
        rendered[shown],
        np.clip(128 + difference, 0, 255).astype(np.uint8),
    ]
    return tiles.sheet(np.stack(rows), scale=2, gap=4)


if __name__ == "__main__":
    running.script(_compare)
