# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The importer: what it refuses, and the file that it reads.

``golden_test.py`` checks the numbers.
"""

import argparse
import dataclasses
import pathlib
import tempfile
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mfcvae_jax import official
from mfcvae_jax import settings as settings_lib
from tests import fixtures


class _OneMore(settings_lib.SharedEncoder):
    """A net that was registered from outside."""


class FaultsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.fixture = fixtures.load("G1")
        self.params = self.fixture.under("param/")

    def _import(self, image_shape=(64, 1, 1), **changes):
        return official.variables_from_state_dict(
            self.params,
            dataclasses.replace(self.fixture.settings(), **changes),
            image_shape,
        )

    def test_missing_and_left_over_keys_are_named(self):
        self.params["extra.weight"] = self.params.pop("layer_x_hat_z.bias")
        with self.assertRaisesRegex(
            ValueError, "missing.*layer_x_hat_z.bias.*left over.*extra.weight"
        ):
            self._import()

    @parameterized.parameters(
        ("mu_p_z_j_c_j_list.1", (3, 5), r"\(2, 4\)"),
        ("encoder.fc_backbone.0.0.weight", (16, 65), r"\(16, 64\)"),
        ("encoder.fc_backbone.0.0.weight", (16,), r"\(16, 64\)"),
        ("layer_x_hat_z.bias", (2, 32), r"\(64,\)"),
    )
    def test_wrong_shape_is_named_with_the_official_one(
        self, key, shape, wanted
    ):
        self.params[key] = np.zeros(shape, np.float32)
        came = ", ".join(map(str, shape))
        with self.assertRaisesRegex(ValueError, f"{key} .*{came}.*{wanted}"):
            self._import()

    @parameterized.parameters(
        ((5, 5, 1), r"25.*images of shape \(5, 5"), ((8, 8, 3), "grey")
    )
    def test_weights_for_other_images_are_refused(self, image_shape, said):
        with self.assertRaisesRegex(ValueError, said):
            self._import(image_shape)

    def test_a_net_from_outside_is_named(self):
        net = _OneMore((6,), (6,), settings_lib.Activation.RELU, False)
        known = {**settings_lib.KINDS["net"], "one_more": _OneMore}
        with (
            mock.patch.dict(settings_lib.KINDS, net=known),
            self.assertRaisesRegex(
                ValueError, "_OneMore.*kind='one_more'.*dense_ladder"
            ),
        ):
            self._import(net=net)

    def test_encoders_that_are_not_relu_are_refused_and_corrected(self):
        fixture = fixtures.load("G3")
        settings = fixture.settings()
        self.assertIs(settings.net.activation, settings_lib.Activation.ELU)
        elu = settings.net.activation
        net = dataclasses.replace(settings.net, encoder_activation=elu)
        wrong = dataclasses.replace(settings, net=net)
        with self.assertRaisesRegex(ValueError, "encoder_activation to 'relu'"):
            official.variables_from_state_dict(
                fixture.under("param/"), wrong, fixture.image_shape
            )
        self.assertEqual(official.as_official(wrong), settings)
        others = self.fixture.settings()
        self.assertIs(official.as_official(others), others)


class ReadTest(absltest.TestCase):
    def test_missing_file_is_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "nowhere.pt"):
            official.read_state_dict("nowhere.pt")

    def test_reads_what_the_official_loop_writes(self):
        torch = pytest.importorskip("torch", reason="PyTorch is optional")
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, "model.pt")
        weights = torch.arange(6.0).reshape(2, 3)
        torch.save(
            {
                "state_dict": {"layer.weight": weights},
                "args": argparse.Namespace(device=torch.device("cpu"), lr=0.1),
            },
            path,
        )
        read = official.read_state_dict(path)
        np.testing.assert_array_equal(read["layer.weight"], weights.numpy())

        torch.save([weights], path)
        with self.assertRaisesRegex(ValueError, "model.pt.*got list"):
            official.read_state_dict(path)
        path.write_bytes(path.read_bytes()[:100])
        with self.assertRaisesRegex(ValueError, "model.pt.*damaged"):
            official.read_state_dict(path)
