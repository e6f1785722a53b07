# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Generates images with a trained model.

    mfcvae sample --workdir=runs/digits --out=all.png
    mfcvae sample --workdir=runs/digits --facet=1 --out=facet.png
    mfcvae sample --workdir=runs/digits --facet=1 --component=4 --n=1000 \
        --out=four.png --out=four.npz

Without --facet, every facet's component is drawn from the prior. With it, --n
images of each of its components are generated, or of --component alone, and
the components of the other facets are drawn. An .npz holds images, float32 in
[0, 1], and as labels the component of each facet: data.name=npz reads it.
"""

import io
import math
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from absl import flags

from mfcvae_jax.commands import finished, running

if TYPE_CHECKING:
    from mfcvae_jax.training.runs import Run
    from mfcvae_jax.training.state import TrainState

__all__ = ["FLAGS", "main"]

# Of a plain sheet: fewest columns, and the side of a tile in pixels.
_N_COLUMNS = 10
_TILE_SIZE = 64


FLAGS = (
    *finished.FLAGS,
    running.strings(
        "out",
        "File to write, .png or .npz; give both if you want both.",
        required=True,
    ),
    running.integer(
        "facet", "Facet whose components are shown, from 0.", lower_bound=0
    ),
    running.integer(
        "component",
        "Component of --facet, from 0; all if left out.",
        lower_bound=0,
    ),
    running.integer(
        "n",
        "Images, with --facet of each of its components.",
        10,
        lower_bound=1,
    ),
    running.real(
        "temperature",
        "Factor on the standard deviation of z; 0 gives component means.",
        1.0,
        lower_bound=0.0,
    ),
    running.integer(
        "seed",
        "Of the draw: the same images for the same seed.",
        0,
        lower_bound=0,
    ),
)


def main(values: flags.FlagValues) -> int:
    """Generates the images and writes them."""
    from mfcvae_jax import storage

    paths = {name: storage.locate(name) for name in values.out}
    for name, path in paths.items():
        if path.suffix not in (".png", ".npz"):
            raise ValueError(
                f"--out={name}: expected a name that ends in .png or .npz"
            )
    if values.component is not None and values.facet is None:
        raise ValueError("--component needs --facet, whose component it is")
    run, states, folder = finished.restore(values)
    left = [state for state in states if state is not None]
    if run.settings.n_seeds > 1 or len(left) > 1:
        first = next(iter(folder.by_seed(run.settings).values())).path
        raise ValueError(
            f"--workdir={folder.path} holds {len(states)} seeds: name the "
            f"folder of one, such as {first}"
        )
    if not left:
        why = folder.why_given_up() or "diverged"
        raise ValueError(f"the run in {folder.path} {why}")
    (state,) = left
    facet, component = values.facet, values.component
    n_components = run.settings.facets.n_components
    if facet is not None and facet >= len(n_components):
        raise ValueError(
            f"--facet={facet}: the run has facets 0 to {len(n_components) - 1}"
        )
    if component is not None and component >= n_components[facet]:
        raise ValueError(
            f"--component={component}: facet {facet} has components 0 to "
            f"{n_components[facet] - 1}"
        )
    images, components = _generate(values, run, state)
    for name, path in paths.items():
        file = io.BytesIO()
        if path.suffix == ".npz":
            names = [f"facet_{j}" for j in range(components.shape[1])]
            np.savez_compressed(
                file, images=images, labels=components, label_names=names
            )
        else:
            _draw(values, images, file)
        storage.make_folder(path.parent)
        path.write_bytes(file.getvalue())
        print(f"{len(images)} images: {name}")
    return 0


def _generate(
    values: flags.FlagValues, run: "Run", state: "TrainState"
) -> tuple[np.ndarray, np.ndarray]:
    """Images in [0, 1], float32, (N, H, W, C), and components, (N, J)."""
    import jax

    from mfcvae_jax.training import runs

    n, component = values.n, values.component
    if values.facet is not None and component is None:
        n_components = run.settings.facets.n_components[values.facet]
        component = np.repeat(np.arange(n_components), n)
        n = len(component)
    images, components = runs.in_force(run, state).sample(
        jax.random.key(values.seed),
        n,
        facet=values.facet,
        component=component,
        temperature=values.temperature,
    )
    # A Gaussian likelihood may go beyond.
    return np.clip(images, 0.0, 1.0).astype(np.float32), components


def _draw(values: flags.FlagValues, images: np.ndarray, file: BinaryIO) -> None:
    """Draws the images: a row for each component, or a plain sheet."""
    from PIL import Image

    from mfcvae_jax import figures
    from mfcvae_jax.figures import tiles

    n_images, *shape = images.shape
    if values.facet is not None and values.component is None:
        rows = images.reshape(-1, values.n, *shape)
        titles = [f"Facet {values.facet}"]
        figures.cluster_samples([rows], file, titles=titles)
        return
    n_columns = min(max(_N_COLUMNS, math.isqrt(n_images)), n_images)
    n_rows = -(-n_images // n_columns)
    grid = np.full((n_rows * n_columns, *shape), np.nan, np.float32)
    grid[:n_images] = images
    grid = grid.reshape(n_rows, n_columns, *shape)
    scale = tiles.scale_for(max(shape[:2]), _TILE_SIZE)
    Image.fromarray(tiles.sheet(grid, scale=scale)).save(file, "png")
