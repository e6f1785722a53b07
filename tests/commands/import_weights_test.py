# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Official weights become a run; PyTorch's part is played by NumPy."""

import dataclasses
import json
from unittest import mock

import numpy as np

from mfcvae_jax import config as config_lib
from mfcvae_jax import official, workdir
from mfcvae_jax.training import disk, runs
from tests import examples, fixtures
from tests.commands.calls import call
from tests.training import small_runs


def test_encoders_of_one_facet_each_get_relu_whatever_the_config_says(tmp_path):
    fixture = fixtures.load("G3")
    settings = fixture.settings()
    net = dataclasses.replace(
        settings.net, encoder_activation=settings.net.activation
    )
    config = config_lib.to_config(dataclasses.replace(settings, net=net))
    # The weights are of images of 16 pixels.
    config["data"] |= {"name": "npz", "path": str(tmp_path / "small.npz")}
    np.savez(config["data"]["path"], images=examples.images(300)[:, ::2, ::2])
    folder = workdir.Workdir(tmp_path / "run")
    _, _, *given = small_runs.command(tmp_path, config, folder)
    weights = fixture.under("param/")
    with mock.patch.object(official, "read_state_dict", return_value=weights):
        done = call("import-weights", "--weights=model.pt", *given)
    assert "encoder_activation is relu" in done.output()
    found = json.loads(folder.config.read_text())["net"]
    assert (found["encoder_activation"], found["activation"]) == ("relu", "elu")
    (state,) = disk.restore(runs.make_run(folder.settings()), folder)
    np.testing.assert_array_equal(
        state.params["priors_0"]["means"], weights["mu_p_z_j_c_j_list.0"].T
    )
