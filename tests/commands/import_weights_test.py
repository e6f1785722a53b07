# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Official weights become a run; PyTorch's part is played by NumPy."""

import contextlib
import io
import json
import pathlib
import tempfile
import types
from unittest import mock

import numpy as np
from absl.testing import absltest

from mfcvae_jax import official
from mfcvae_jax.commands import config_flag, import_weights
from tests import examples

# One facet of two components on a line, from an encoder of its own.
_SHAPES = {
    "_pi_p_c_j_list.0": (2,),
    "mu_p_z_j_c_j_list.0": (1, 2),
    "_sigma_square_p_z_j_c_j_list.0": (1, 2),
    "encoder.net_list.0.0.weight": (4, 64),
    "encoder.net_list.0.0.bias": (4,),
    "fc_mu_q_z_x_list.0.weight": (1, 4),
    "fc_mu_q_z_x_list.0.bias": (1,),
    "fc_log_sigma_square_q_z_x_list.0.weight": (1, 4),
    "fc_log_sigma_square_q_z_x_list.0.bias": (1,),
    "decoder.net.0.weight": (3, 1),
    "decoder.net.0.bias": (3,),
    "layer_x_hat_z.weight": (64, 3),
    "layer_x_hat_z.bias": (64,),
}


class ImportWeightsTest(absltest.TestCase):
    def test_encoders_of_one_facet_each_get_relu_whatever_the_config_says(self):
        folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory()), "run"
        )
        rng = np.random.default_rng(0)
        weights = {
            key: rng.normal(size=shape).astype(np.float32)
            for key, shape in _SHAPES.items()
        }
        self.enterContext(
            mock.patch.object(official, "read_state_dict", return_value=weights)
        )
        settings = examples.settings(
            facets={
                "n_components": (2,),
                "latent_dim": (1,),
                "covariance": ("diagonal",),
                "learn_weights": (True,),
            },
            net={
                "kind": "separate_encoders",
                "encoders": ((4,),),
                "decoder": (3,),
                "activation": "elu",
                "batch_norm": False,
            },
            progressive={"stage_epochs": (1,)},
        )
        self.enterContext(
            mock.patch.object(config_flag, "read", return_value=settings)
        )
        values = types.SimpleNamespace(
            weights="model.pt", workdir=str(folder), glorot=False
        )
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(import_weights.main(values), 0)
        self.assertIn("encoder_activation is relu", printed.getvalue())
        net = json.loads((folder / "config.json").read_text())["net"]
        self.assertEqual(net["encoder_activation"], "relu")
        self.assertEqual(net["activation"], "elu")
