# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The importer: what it refuses, and the file that it reads.

``golden_test.py`` checks the numbers.
"""

import argparse
import dataclasses

import numpy as np
import pytest

from mfcvae_jax import official
from mfcvae_jax import settings as settings_lib
from tests import fixtures


class _OneMore(settings_lib.SharedEncoder):
    """A net that was registered from outside."""


def _refused(said, weights, image_shape=(64, 1, 1), **changes):
    """Imports weights of G1 that do not belong to the model, or it does not."""
    settings = dataclasses.replace(fixtures.load("G1").settings(), **changes)
    with pytest.raises(ValueError, match=said):
        official.variables_from_state_dict(weights, settings, image_shape)


@pytest.fixture
def weights():
    return fixtures.load("G1").under("param/")


def test_missing_and_left_over_keys_are_named(weights):
    weights["extra.weight"] = weights.pop("layer_x_hat_z.bias")
    said = "missing.*layer_x_hat_z.bias.*left over.*extra.weight"
    _refused(said, weights)


@pytest.mark.parametrize(
    ("key", "shape", "wanted"),
    [
        ("mu_p_z_j_c_j_list.1", (3, 5), r"\(2, 4\)"),
        ("encoder.fc_backbone.0.0.weight", (16, 65), r"\(16, 64\)"),
        ("encoder.fc_backbone.0.0.weight", (16,), r"\(16, 64\)"),
        ("layer_x_hat_z.bias", (2, 32), r"\(64,\)"),
    ],
)
def test_wrong_shape_is_named_with_the_official_one(
    weights, key, shape, wanted
):
    weights[key] = np.zeros(shape, np.float32)
    came = ", ".join(map(str, shape))
    _refused(f"{key} .*{came}.*{wanted}", weights)


@pytest.mark.parametrize(
    ("image_shape", "said"),
    [((5, 5, 1), r"25.*images of shape \(5, 5"), ((8, 8, 3), "grey")],
)
def test_weights_for_other_images_are_refused(weights, image_shape, said):
    _refused(said, weights, image_shape)


def test_a_net_from_outside_is_named(weights, monkeypatch):
    net = _OneMore((6,), (6,), settings_lib.Activation.RELU, False)
    monkeypatch.setitem(settings_lib.KINDS["net"], "one_more", _OneMore)
    _refused("_OneMore.*kind='one_more'.*dense_ladder", weights, net=net)


def test_encoders_that_are_not_relu_are_refused_and_corrected():
    fixture = fixtures.load("G3")
    settings = fixture.settings()
    elu = settings_lib.Activation.ELU
    assert settings.net.activation is elu
    net = dataclasses.replace(settings.net, encoder_activation=elu)
    wrong = dataclasses.replace(settings, net=net)
    with pytest.raises(ValueError, match="encoder_activation to 'relu'"):
        official.variables_from_state_dict(
            fixture.under("param/"), wrong, fixture.image_shape
        )
    assert official.as_official(wrong) == settings
    others = fixtures.load("G1").settings()
    assert official.as_official(others) is others


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pt"):
        official.read_state_dict("nowhere.pt")


def test_reads_what_the_official_loop_writes(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is optional")
    path = tmp_path / "model.pt"
    weights = torch.arange(6.0).reshape(2, 3)
    args = argparse.Namespace(device=torch.device("cpu"), lr=0.1)
    torch.save({"state_dict": {"layer.weight": weights}, "args": args}, path)
    read = official.read_state_dict(path)
    np.testing.assert_array_equal(read["layer.weight"], weights.numpy())

    torch.save([weights], path)
    with pytest.raises(ValueError, match=r"model\.pt.*got list"):
        official.read_state_dict(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"model\.pt.*damaged"):
        official.read_state_dict(path)
