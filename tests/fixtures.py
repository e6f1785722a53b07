# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Golden data of the official implementation, and the models it belongs to.

The files are not part of the repository. They are looked for in the folder
``shared/fixtures`` beside it; without them the tests that need them skip.
"""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mfcvae_jax import official
from mfcvae_jax import settings as settings_lib

FOLDER = pathlib.Path(__file__).parents[2] / "shared" / "fixtures"

needs_fixtures = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="golden data of the official code not found"
)

_ACTIVATION = {
    "relu": settings_lib.Activation.RELU,
    "elu": settings_lib.Activation.ELU,
}
_COVARIANCE = {
    "diag": settings_lib.Covariance.DIAGONAL,
    "full": settings_lib.Covariance.FULL,
}


class Fixture:
    """One file: arrays by key, and the settings of its model."""

    def __init__(self, name: str):
        self.name = name
        # The larger ones are split over several files.
        self.arrays = {}
        for path in sorted(FOLDER.glob(f"{name}_*.npz")):
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

    def images(self, key: str) -> jnp.ndarray:
        if self.is_conv:
            return jnp.asarray(self[key].transpose(0, 2, 3, 1))
        return jnp.asarray(self[key]).reshape(-1, *self.image_shape)

    def flat(self, images: np.ndarray) -> np.ndarray:
        """Our images (..., H, W, C) as the stored outputs, (B, in_dim)."""
        return (
            images.reshape(-1, *self.image_shape)
            .transpose(0, 3, 1, 2)
            .reshape(-1, self.model["in_dim"])
        )

    def noise(self, prefix: str) -> tuple[jnp.ndarray, ...]:
        """The stored draws, one array (1, B, D_j) per facet."""
        return tuple(
            jnp.asarray(self[f"{prefix}/{j}"])[None]
            for j in range(self.n_facets)
        )

    def step(self, point) -> int:
        """The optimiser step of an (epoch, batch) point."""
        epoch, batch = (int(n) for n in point)
        return epoch * self.model["n_train_batches_per_epoch"] + batch

    def settings(self) -> settings_lib.Settings:
        """Our settings of the fixture's model and schedule."""
        model = self.model
        n = self.n_facets
        if model["likelihood_model"] == "Bernoulli":
            likelihood = settings_lib.Bernoulli()
        else:
            likelihood = settings_lib.Gaussian(
                std=model["sigma_multiplier_p_x_z"],
                output=settings_lib.OutputUnits(
                    model["activation_x_hat_z"] or "linear"
                ),
            )
        return settings_lib.Settings(
            seed=0,
            n_seeds=1,
            precision=settings_lib.Precision.FLOAT32,
            data=settings_lib.Data(name="digits"),
            facets=settings_lib.Facets(
                n_components=tuple(model["n_clusters_j_list"]),
                latent_dim=tuple(model["z_j_dim_list"]),
                covariance=(_COVARIANCE[model["cov_type_p_z_c"]],) * n,
                learn_weights=(not model["fix_pi_p_c"],) * n,
            ),
            net=self._net(),
            likelihood=likelihood,
            prior_init=settings_lib.PriorInit(
                means=settings_lib.MeansInit.GMM, variance=0.01
            ),
            progressive=settings_lib.Progressive(
                stage_epochs=tuple(model["n_epochs_per_progressive_step"]),
                fade_in_steps=model["n_batches_fade_in"],
                fade_in=settings_lib.Fade.LINEAR,
                pretrain_weight_z=model["gamma_kl_z_pretrain"],
                pretrain_weight_c=model["gamma_kl_c_pretrain"],
            ),
            train=settings_lib.Training(
                batch_size=16,
                learning_rate=self.meta.get("lr", 5e-4),
                n_samples=1,
                estimator="five_terms",
                data_dependent_init=False,
                steps_per_dispatch=10,
            ),
            evaluate=settings_lib.Evaluation(
                every_epochs=1, batch_size=16, importance_samples=0
            ),
            checkpoint=settings_lib.Checkpoints(every_epochs=1, keep=1),
            figures=settings_lib.Figures(temperature=1.0),
        )

    def _net(self) -> settings_lib.Net:
        model = self.model
        activation = _ACTIVATION[model["activation"]]
        batch_norm = model["do_fc_batch_norm"]
        if self.is_conv:
            return settings_lib.ConvLadder(
                activation=activation,
                weight_norm=True,
                output_norm=True,
                official_init=True,
            )
        if model["model_type"] == "fc_shared":
            return settings_lib.SharedEncoder(
                encoder=tuple(model["encode_layer_dims"]),
                decoder=tuple(model["decode_layer_dims"]),
                activation=activation,
                batch_norm=batch_norm,
            )
        encoder = [_split(e, "branch") for e in model["encode_layer_dims"]]
        decoder = [_split(e, "merge") for e in model["decode_layer_dims"]]
        is_cat = self.meta.get("decoder_merge") == "cat"
        return settings_lib.DenseLadder(
            encoder_backbone=tuple(before for before, _ in encoder),
            encoder_rungs=tuple(after for _, after in encoder),
            decoder_rungs=tuple(before for before, _ in decoder),
            decoder_backbone=tuple(after for _, after in decoder),
            activation=activation,
            batch_norm=batch_norm,
            merge=settings_lib.Merge.CONCATENATE
            if is_cat
            else settings_lib.Merge.GATED_ADD,
        )


@functools.cache
def load(name: str) -> Fixture:
    """The fixture whose file name starts with a name such as F1."""
    return Fixture(name)


def _split(layers: list, mark: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Widths before and after the mark.

    The decoder's top stack has no mark: its first layer is the rung here.
    """
    if mark not in layers:
        return tuple(layers[:1]), tuple(layers[1:])
    at = layers.index(mark)
    return tuple(layers[:at]), tuple(layers[at + 1 :])
