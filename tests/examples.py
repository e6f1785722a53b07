# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A small model and data that many tests share."""

import pathlib
from typing import Any

import jax
import numpy as np
from sklearn import datasets

from mfcvae_jax import config as config_lib
from mfcvae_jax import model as model_lib
from mfcvae_jax import settings as settings_lib


def config(**overrides: Any) -> dict[str, Any]:
    """A config of two small facets on digits; sections may be replaced."""
    base = config_lib.make_config(
        data={"name": "digits"},
        facets={
            "n_components": (6, 10),
            "latent_dim": (2, 3),
            "covariance": ("diagonal", "diagonal"),
            "learn_weights": (True, True),
        },
        net={
            "kind": "dense_ladder",
            "encoder_backbone": ((32,), (48,)),
            "encoder_rungs": ((), ()),
            "decoder_rungs": ((24,), (40,)),
            "decoder_backbone": ((32,), (24,)),
            "activation": "relu",
            "batch_norm": False,
            "merge": "gated_add",
        },
        likelihood={"kind": "bernoulli"},
        progressive={"stage_epochs": (2, 2), "fade_in_steps": 10},
        train={
            "batch_size": 128,
            "learning_rate": 1e-3,
            "data_dependent_init": False,
            "steps_per_dispatch": 4,
        },
        evaluate={
            "every_epochs": 1,
            "batch_size": 200,
            "importance_samples": 0,
        },
        checkpoint={"every_epochs": 1},
        figures={"temperature": 1.0},
    ).to_dict()
    for name, value in overrides.items():
        if isinstance(value, dict) and "kind" not in value:
            base[name] = {**base[name], **value}
        else:
            base[name] = value
    return base


def config_file(path: pathlib.Path, config: dict[str, Any]) -> str:
    """Writes a file whose ``get_config`` gives a config; returns its path."""
    path.write_text(
        "from ml_collections import ConfigDict\n"
        f"get_config = lambda: ConfigDict({config!r})\n"
    )
    return str(path)


def settings(**overrides: Any) -> settings_lib.Settings:
    """The settings of ``config``."""
    return config_lib.from_config(config(**overrides))


def images(n: int) -> np.ndarray:
    """The first n digits of scikit-learn, float32, shape (n, 8, 8, 1)."""
    digits = datasets.load_digits().images[:n, ..., None]
    return (digits / 16).astype(np.float32)


def variables(model: model_lib.MFCVAE, dtype: Any = np.float64) -> Any:
    """Variables of a model, drawn by NumPy: JAX would compile every draw."""
    shapes = model_lib.shapes(model)
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        # Running variances must be positive; scales should not be tiny.
        low = 0.4 if path[-1].key in ("var", "raw_var", "raw_tril") else -0.3
        return rng.uniform(low, low + 0.6, leaf.shape).astype(dtype)

    return jax.tree_util.tree_map_with_path(draw, shapes)
