# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Settings: every fault by its message, and no setting that nothing reads."""

import ast
import dataclasses
import pathlib
import typing

import pytest
from flax import traverse_util

import mfcvae_jax
from mfcvae_jax import config as config_lib
from mfcvae_jax import settings as settings_lib
from tests import examples

SHARED = {
    "kind": "shared_encoder",
    "encoder": (30, 20),
    "decoder": (),
    "activation": "leaky_relu",
    "batch_norm": True,
}
SEPARATE = {
    "kind": "separate_encoders",
    "encoders": ((30,), ()),
    "decoder": (20,),
    "activation": "elu",
    "batch_norm": False,
}
GAUSSIAN = {"kind": "gaussian", "std": 0.6, "output": "sigmoid"}


def _ladder(**changes):
    return {"net": {**examples.config()["net"], **changes}}


def _gated(rungs, trunk):
    return _ladder(decoder_rungs=rungs, decoder_backbone=trunk)


def _likelihood(**changes):
    return {"likelihood": {**GAUSSIAN, **changes}}


# What is changed in a good config, and parts of the message: the setting, what
# came, and what is expected.
FAULTS = [
    # A key that does not exist, with those that do.
    ({"train": {"bach_size": 3}}, "train.bach_size=3", "n_samples"),
    ({"train": {"bach_size": 3}}, "did you mean train.batch_size?"),
    ({"train": {"kind": "adam"}}, "train.kind='adam'", "n_samples"),
    ({"sead": 3}, "sead=3", "did you mean seed?", "progressive"),
    (_likelihood(zzz=1), "likelihood.zzz=1. Known", "std, output"),
    (
        {"net": {**SHARED, "encoder_rungs": ()}},
        "net.encoder_rungs=()",
        "for net.kind='shared_encoder': encoder, decoder, activation",
    ),
    (
        {"likelihood": {"kind": "bernoulli", "std": 0.3}},
        "likelihood.std=0.3. Known here for likelihood.kind='bernoulli': none.",
    ),
    # A key that is missing.
    (
        {"likelihood": {"kind": "gaussian", "std": 0.3}},
        "setting likelihood.output is missing",
        "for likelihood.kind='gaussian' it needs std, output",
    ),
    # Another type.
    ({"seed": "1"}, "seed", "int", "'1'", "str"),
    ({"train": {"batch_size": 8.0}}, "train.batch_size", "int", "8.0", "float"),
    ({"train": {"batch_size": True}}, "train.batch_size", "int", "True"),
    ({"train": {"data_dependent_init": 1}}, "dependent_init", "bool", "1"),
    ({"train": {"learning_rate": True}}, "learning_rate", "float", "bool"),
    ({"facets": {"latent_dim": 3}}, "facets.latent_dim", "tuple", "3"),
    ({"facets": {"latent_dim": "23"}}, "facets.latent_dim", "tuple", "'23'"),
    ({"facets": {"latent_dim": (2, "3")}}, "facets.latent_dim[1]", "int"),
    (_ladder(encoder_rungs=((), 5)), "net.encoder_rungs[1]", "tuple", "5"),
    (_ladder(encoder_rungs=((1, "x"), ())), "net.encoder_rungs[0][1]", "'x'"),
    ({"data": "digits"}, "data must be a section of settings", "'digits'"),
    # Another choice, with those that exist.
    ({"net": "dense_ladder"}, "net.kind", "shared_encoder", "None"),
    ({"net": {**SHARED, "kind": "cnn"}}, "net.kind", "conv_ladder", "'cnn'"),
    ({"likelihood": {"kind": None}}, "likelihood.kind", "bernoulli", "None"),
    (
        {"net": {**SHARED, "activation": "gelu"}},
        "net.activation must be one of ['relu', 'leaky_relu', 'elu'], got",
    ),
    (_ladder(merge="sum"), "net.merge", "gated_add", "concatenate", "'sum'"),
    (
        {"facets": {"covariance": ("full", "Full")}},
        "facets.covariance[1]",
        "diagonal",
        "'Full'",
    ),
    ({"progressive": {"fade_in": "step"}}, "progressive.fade_in", "cosine"),
    ({"prior_init": {"means": 3}}, "prior_init.means", "gmm", "glorot", "3"),
    (_likelihood(output="tanh"), "likelihood.output", "linear", "'tanh'"),
    ({"precision": "float16"}, "precision", "fast_products", "'float16'"),
    # A number out of its range.
    ({"seed": -1}, "seed must be in [0, 2**32), got -1"),
    ({"seed": 2**32}, "seed", "got 4294967296"),
    ({"n_seeds": 0}, "n_seeds must be at least 1, got 0"),
    ({"data": {"on_device_gb": -1.0}}, "data.on_device_gb", "at least 0"),
    ({"facets": {"n_components": (6, 0)}}, "facets.n_components[1]", "got 0"),
    ({"facets": {"latent_dim": (-1, 3)}}, "facets.latent_dim[0]", "got -1"),
    (_ladder(decoder_rungs=((24,), (0,))), "net.decoder_rungs[1][0]"),
    ({"net": {**SHARED, "encoder": (30, -1)}}, "net.encoder[1]", "at least 1"),
    ({"net": {**SEPARATE, "encoders": ((3,), (0,))}}, "net.encoders[1][0]"),
    ({"net": {**SEPARATE, "decoder": (0,)}}, "net.decoder[0]", "at least 1"),
    (_likelihood(std=0.0), "likelihood.std", "positive and finite", "got 0.0"),
    (_likelihood(std=float("nan")), "likelihood.std", "got nan"),
    ({"prior_init": {"variance": 0.0}}, "prior_init.variance", "positive"),
    ({"progressive": {"stage_epochs": (0,)}}, "progressive.stage_epochs[0]"),
    ({"progressive": {"fade_in_steps": 0}}, "progressive.fade_in_steps"),
    ({"progressive": {"pretrain_weight_z": 1.1}}, "weight_z", "in [0, 1]"),
    ({"progressive": {"pretrain_weight_c": -0.1}}, "weight_c", "in [0, 1]"),
    ({"train": {"batch_size": 0}}, "train.batch_size must be at least 1"),
    ({"train": {"n_samples": 0}}, "train.n_samples must be at least 1"),
    ({"train": {"steps_per_dispatch": 0}}, "train.steps_per_dispatch"),
    ({"train": {"learning_rate": -1.0}}, "train.learning_rate", "positive"),
    ({"train": {"learning_rate": float("inf")}}, "learning_rate", "finite"),
    ({"evaluate": {"every_epochs": 0}}, "evaluate.every_epochs", "at least 1"),
    ({"evaluate": {"batch_size": 0}}, "evaluate.batch_size", "at least 1"),
    ({"evaluate": {"importance_samples": -1}}, "importance_samples", "least 0"),
    ({"checkpoint": {"every_epochs": 0}}, "checkpoint.every_epochs", "least 1"),
    ({"checkpoint": {"keep": 0}}, "checkpoint.keep must be at least 1, got 0"),
    ({"figures": {"temperature": -0.1}}, "figures.temperature", "at least 0"),
    # Settings that do not go together.
    (
        {"n_seeds": 3, "checkpoint": {"keep": 1}},
        "3 seeds or starts need checkpoint.keep >= 2, got 1",
    ),
    ({"data": {"name": "npz"}}, "data.name='npz' needs the file or folder"),
    (
        {"data": {"path": "mine.npz"}},
        "data.path='mine.npz'",
        "npz, npy, folder, hdf5 only",
        "'digits'",
    ),
    (
        {"facets": {"latent_dim": (2, 3, 4)}},
        "facets",
        "'n_components': 2",
        "'latent_dim': 3",
    ),
    (
        {"facets": {"covariance": ("full",)}},
        "'covariance': 1",
        "components': 2",
    ),
    ({"facets": {"learn_weights": ()}}, "'learn_weights': 0", "nents': 2"),
    (
        {
            "facets": dict.fromkeys(
                ("n_components", "latent_dim", "covariance", "learn_weights"),
                (),
            )
        },
        "facets.n_components is empty",
    ),
    (
        {"progressive": {"stage_epochs": (1, 2, 3)}},
        "progressive.stage_epochs",
        "from 1 to 2",
        "got 3: (1, 2, 3)",
    ),
    ({"progressive": {"stage_epochs": ()}}, "from 1 to 2", "got 0: ()"),
    (
        {"progressive": {"stage_epochs": (2, 2), "warm_up_epochs": (1,)}},
        "progressive.warm_up_epochs",
        "(2, 2)",
        "got (1,)",
    ),
    (
        {"progressive": {"stage_epochs": (2, 2), "warm_up_epochs": (0, 2)}},
        "less than that",
        "got (0, 2)",
    ),
    ({"progressive": {"redundancy_price": -1.0}}, "progressive.redundancy_pr"),
    *(
        (_ladder(**{name: ((24,),)}), f"net.{name}", "(2,", "got 1: ((24,),)")
        for name in (
            "encoder_backbone",
            "encoder_rungs",
            "decoder_rungs",
            "decoder_backbone",
        )
    ),
    ({"net": {**SEPARATE, "encoders": ((30,),)}}, "net.encoders", "(2,"),
    (
        {"net": {**SEPARATE, "encoder_activation": "tanh"}},
        "net.encoder_activation",
        "relu",
        "'tanh'",
    ),
    # Widths that are added must be equal; without layers, D_j is the width.
    (
        _gated(((24,), (40,)), ((32,), (25,))),
        "facet 0 (last width 24, from net.decoder_rungs[0])",
        "(width 25, from net.decoder_backbone[1])",
        "concatenate",
    ),
    (_gated(((), (40,)), ((32,), (24,))), "width 2,", "width 24,"),
    (_gated(((24,), (40,)), ((32,), ())), "width 24,", "width 40,"),
    (_gated(((), ()), ((32,), ())), "width 2,", "width 3,"),
]


@pytest.mark.parametrize(
    "fault", FAULTS, ids=[f"{i}: {fault[1]}" for i, fault in enumerate(FAULTS)]
)
def test_fault_is_named(fault):
    changes, *fragments = fault
    with pytest.raises(ValueError) as caught:
        examples.settings(**changes)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_encoders_of_one_facet_each_take_the_activation_of_the_net():
    """So runs written before they had one of their own stay the same."""
    for config, activation in (
        (SEPARATE, "elu"),
        ({**SEPARATE, "encoder_activation": "relu"}, "relu"),
    ):
        net = examples.settings(net=config).net
        assert net.encoder_activation.value == activation
        assert net.activation.value == "elu"


def test_suggestion_is_made_only_for_what_is_alike():
    with pytest.raises(ValueError, match="zzz=3") as caught:
        examples.settings(train={"zzz": 3})
    assert "did you mean" not in str(caught.value)


def test_every_missing_key_is_named():
    optional = {"data.data_dir", "data.path", "data.on_device_gb"}
    for name in traverse_util.flatten_dict(examples.config(), sep="."):
        config = examples.config()
        section, _, key = name.rpartition(".")
        del (config[section] if section else config)[key]
        if name in optional:
            config_lib.from_config(config)
            continue
        expected = f"{name} must be" if key == "kind" else f"{name} is missing"
        with pytest.raises(ValueError, match=expected):
            config_lib.from_config(config)
    for section in ("data", "facets", "net", "figures"):
        config = examples.config()
        del config[section]
        with pytest.raises(ValueError, match=f"setting {section} is missing"):
            config_lib.from_config(config)


def test_widths_that_are_concatenated_may_differ():
    net = _gated(((), ()), ((32,), ()))["net"]
    examples.settings(net={**net, "merge": "concatenate"})
    found = examples.settings(facets={"latent_dim": (3, 3)}, net=net)
    assert found.net.decoder_rungs == ((), ())


@pytest.mark.parametrize("last", [6, 7])
def test_every_merge_of_a_deeper_ladder_is_checked(last):
    changes = {
        "facets": {
            "n_components": (2, 2, 2),
            "latent_dim": (1, 1, 1),
            "covariance": ("diagonal",) * 3,
            "learn_weights": (True,) * 3,
        },
        "progressive": {"stage_epochs": (1, 1, 1)},
        **_ladder(
            encoder_backbone=((4,),) * 3,
            encoder_rungs=((),) * 3,
            decoder_rungs=((5,), (6,), (9,)),
            decoder_backbone=((4,), (5,), (6, last)),
        ),
    }
    if last == 6:
        examples.settings(**changes)
        return
    with pytest.raises(ValueError, match=r"facet 1 .*width 6"):
        examples.settings(**changes)


def test_settings_can_be_neither_changed_nor_unhashed():
    found = examples.settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.train.batch_size = 1
    assert hash(found) == hash(examples.settings())


def test_every_field_is_read_by_the_library():
    """From a name like that of its section, or from ``settings`` or ``form``.

    So ``checkpoint.keep`` is not read by whatever else has a ``keep``.
    """
    read = set()
    for path in pathlib.Path(mfcvae_jax.__file__).parent.rglob("*.py"):
        if "settings" not in path.name:
            for node in ast.walk(ast.parse(path.read_text(), str(path))):
                if isinstance(node, ast.Attribute):
                    read.add((_last_name(node.value), node.attr))
    unread = []
    for name, hint in typing.get_type_hints(settings_lib.Settings).items():
        holders = (name, "settings", "form")
        if ("settings", name) not in read:
            unread.append(name)
        for cls in typing.get_args(hint) or (hint,):
            for field in getattr(cls, "__dataclass_fields__", ()):
                if not any((holder, field) in read for holder in holders):
                    unread.append(f"{name}.{field}")
    assert not unread


def _last_name(node):
    """``b`` of ``a.b``, or None."""
    return getattr(node, "attr", getattr(node, "id", None))
