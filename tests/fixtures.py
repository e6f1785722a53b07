# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Golden data of the official implementation, and the models it belongs to.

The small ones, G1 to G4, are in ``tests/golden``. The large ones, F1 to F8, are
not part of the repository. They are looked for in the folder
``shared/fixtures`` beside it, and a test that loads one is skipped elsewhere.
"""

import functools
import json
import pathlib
import unittest

import jax
import jax.numpy as jnp
import numpy as np

from mfcvae_jax import official
from mfcvae_jax import settings as settings_lib
from tests import examples

GOLDEN = pathlib.Path(__file__).parent / "golden"
FOLDER = pathlib.Path(__file__).parents[2] / "shared" / "fixtures"


class Fixture:
    """One file: arrays by key, and the settings of its model."""

    def __init__(self, name: str):
        self.name = name
        folder = GOLDEN if name.startswith("G") else FOLDER
        # The larger ones are split over several files.
        paths = sorted(folder.glob(f"{name}_*.npz"))
        if not paths:
            raise unittest.SkipTest(f"no golden data {name} in {folder}")
        self.arrays = {}
        for path in paths:
            with np.load(path) as file:
                self.arrays |= {key: file[key] for key in file.files}
        self.meta = json.loads(str(self.arrays.pop("meta_json", "{}")))

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def under(self, prefix: str) -> dict[str, np.ndarray]:
        """The arrays whose key starts with a prefix, without it."""
        return {
            key.removeprefix(prefix): value
            for key, value in self.arrays.items()
            if key.startswith(prefix)
        }

    def entries(self, whole: str, sub: str, stride: str):
        """Flat float64 arrays by key, and of which they are every nth entry.

        Of its large arrays a conv fixture stores only a part in float64.
        """
        found = {k: (v.ravel(), 1) for k, v in self.under(whole).items()}
        for key, part in self.under(sub).items():
            found[key] = part, int(self[f"{stride}{key}"])
        return found

    def variables(self, dtype, state_dict=None):
        """Our variables, all of one type, the untrained ones too."""
        state_dict = self.under("param/") | (state_dict or {})
        return official.variables_from_state_dict(
            {key: jnp.asarray(a, dtype) for key, a in state_dict.items()},
            self.settings(),
            self.image_shape,
            is_glorot=self.is_glorot,
        )

    def in_official_layout(self, variables, prefix: str):
        """Our arrays by the official keys, flat: the import, backwards."""
        positions, n = {}, 0
        for key, value in self.under(prefix).items():
            if not key.endswith("num_batches_tracked"):
                at = np.arange(n, n + value.size)
                positions[key] = at.reshape(value.shape)
                n += value.size
        flat = np.full(n, np.nan)

        def put(where, leaf):
            flat[where] = leaf

        imported = official.variables_from_state_dict(
            positions, self.settings(), self.image_shape
        )
        jax.tree.map(put, imported, variables)
        return {key: flat[at.ravel()] for key, at in positions.items()}

    @property
    def model(self) -> dict:
        return self.meta["model"]

    @property
    def n_facets(self) -> int:
        return self.model["J_n_mixtures"]

    @property
    def is_glorot(self) -> bool:
        return self.model["init_type_p_z_c"] == "glorot"

    @property
    def is_conv(self) -> bool:
        return self.model["model_type"] == "conv_vlae"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (32, 32, 3) if self.is_conv else (self.model["in_dim"], 1, 1)

    def batch(self, prefix: str, dtype):
        """Images and their noise, one array (1, B, D_j) per facet."""
        x = self[f"{prefix}x"]
        if self.is_conv:
            x = x.transpose(0, 2, 3, 1)
        noise = (self[f"{prefix}eps/{j}"] for j in range(self.n_facets))
        return (
            jnp.asarray(x.reshape(-1, *self.image_shape), dtype),
            tuple(jnp.asarray(draws, dtype)[None] for draws in noise),
        )

    def flat(self, images: np.ndarray) -> np.ndarray:
        """Our images (..., H, W, C) as the stored outputs, (B, in_dim)."""
        return (
            images.reshape(-1, *self.image_shape)
            .transpose(0, 3, 1, 2)
            .reshape(-1, self.model["in_dim"])
        )

    def step(self, point) -> int:
        """The optimiser step of an (epoch, batch) point."""
        epoch, batch = (int(n) for n in point)
        return epoch * self.model["n_train_batches_per_epoch"] + batch

    def settings(self) -> settings_lib.Settings:
        """Our settings of the fixture's model and schedule."""
        model, n = self.model, self.n_facets
        likelihood = {"kind": "bernoulli"}
        if model["likelihood_model"] == "Gaussian":
            likelihood = {
                "kind": "gaussian",
                "std": model["sigma_multiplier_p_x_z"],
                "output": model["activation_x_hat_z"] or "linear",
            }
        covariance = {"diag": "diagonal", "full": "full"}
        return examples.settings(
            facets={
                "n_components": model["n_clusters_j_list"],
                "latent_dim": model["z_j_dim_list"],
                "covariance": (covariance[model["cov_type_p_z_c"]],) * n,
                "learn_weights": (not model["fix_pi_p_c"],) * n,
            },
            net=self._net(),
            likelihood=likelihood,
            progressive={
                "stage_epochs": model["n_epochs_per_progressive_step"],
                "fade_in_steps": model["n_batches_fade_in"],
                "pretrain_weight_z": model["gamma_kl_z_pretrain"],
                "pretrain_weight_c": model["gamma_kl_c_pretrain"],
            },
            train={"learning_rate": self.meta.get("lr", 5e-4)},
        )

    def _net(self) -> dict:
        model = self.model
        net = {"activation": model["activation"]}
        if self.is_conv:
            flags = ("weight_norm", "output_norm", "official_init")
            return {"kind": "conv_ladder", **net, **dict.fromkeys(flags, True)}
        net["batch_norm"] = model["do_fc_batch_norm"]
        layers = model["encode_layer_dims"], model["decode_layer_dims"]
        if model["model_type"] == "fc_shared":
            return {
                "kind": "shared_encoder",
                "encoder": layers[0],
                "decoder": layers[1],
                **net,
            }
        if model["model_type"] == "fc_per_facet_enc_shared_dec":
            return {
                "kind": "separate_encoders",
                "encoders": layers[0],
                "decoder": layers[1],
                "encoder_activation": "relu",
                **net,
            }
        encoder = [_split(widths, "branch") for widths in layers[0]]
        decoder = [_split(widths, "merge") for widths in layers[1]]
        is_cat = self.meta.get("decoder_merge") == "cat"
        return {
            "kind": "dense_ladder",
            "encoder_backbone": [before for before, _ in encoder],
            "encoder_rungs": [after for _, after in encoder],
            "decoder_rungs": [before for before, _ in decoder],
            "decoder_backbone": [after for _, after in decoder],
            "merge": "concatenate" if is_cat else "gated_add",
            **net,
        }


@functools.cache
def load(name: str) -> Fixture:
    """The fixture whose file name starts with a name such as G1."""
    return Fixture(name)


def _split(layers: list, mark: str) -> tuple[list[int], list[int]]:
    """Widths before and after the mark.

    The decoder's top stack has no mark: its first layer is the rung here.
    """
    at = layers.index(mark) if mark in layers else 1
    return layers[:at], layers[at + (mark in layers) :]
