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
from tests import examples, untrained

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


_FACETS = examples.config()["facets"]
_STACKS = (
    *("encoder_backbone", "encoder_rungs"),
    *("decoder_rungs", "decoder_backbone"),
)


def _gated(rungs, trunk):
    """The dense ladder with other parts of its decoder."""
    changes = {"decoder_rungs": rungs, "decoder_backbone": trunk}
    return examples.config()["net"] | changes


# A setting of a good config, a value, and what else the message says beside the
# name of the setting: what came, and what is expected.
FAULTS = [
    # A key that does not exist, with those that do.
    ("train.bach_size", 3, "=3; did you mean train.batch_size?", "n_samples"),
    ("train.kind", "adam", "='adam'", "n_samples"),
    # With a suggestion only where it is alike.
    ("train.zzz", 3, "=3. Known here: batch_size"),
    ("sead", 3, "sead=3", "did you mean seed?", "progressive"),
    ("likelihood", {**GAUSSIAN, "zzz": 1}, ".zzz=1. Known", "std, output"),
    (
        "net",
        {**SHARED, "encoder_rungs": ()},
        "net.encoder_rungs=()",
        "for net.kind='shared_encoder': encoder, decoder, activation",
    ),
    ("likelihood.std", 0.3, "=0.3. Known here for", ".kind='bernoulli': none."),
    # A key that is missing.
    (
        "likelihood",
        {"kind": "gaussian", "std": 0.3},
        "setting likelihood.output is missing",
        "for likelihood.kind='gaussian' it needs std, output",
    ),
    # Another type.
    ("seed", "1", "int", "'1'", "str"),
    ("train.batch_size", 8.0, "int", "8.0", "float"),
    ("train.batch_size", True, "int", "True"),
    ("train.data_dependent_init", 1, "bool", "1"),
    ("train.learning_rate", True, "float", "bool"),
    ("facets.latent_dim", 3, "tuple", "3"),
    ("facets.latent_dim", "23", "tuple", "'23'"),
    ("facets.latent_dim", (2, "3"), "facets.latent_dim[1]", "int"),
    ("net.encoder_rungs", ((), 5), "net.encoder_rungs[1]", "tuple", "5"),
    ("net.encoder_rungs", ((1, "x"), ()), "net.encoder_rungs[0][1]", "'x'"),
    ("data", "digits", "data must be a section of settings", "'digits'"),
    # Another choice, with those that exist.
    ("net", "dense_ladder", "net.kind", "shared_encoder", "None"),
    ("net", {**SHARED, "kind": "cnn"}, "net.kind", "conv_ladder", "'cnn'"),
    ("likelihood.kind", None, "bernoulli", "None"),
    ("net.activation", "gelu", "must be one of ['relu', 'leaky_relu', 'elu']"),
    ("net.merge", "sum", "gated_add", "concatenate", "'sum'"),
    ("facets.prior", ("gaussian", "cauchy"), "[1].kind", "['gaussian'", "'ca"),
    ("facets.covariance", ("full", "Full"), "[1]", "diagonal", "'Full'"),
    ("progressive.fade_in", "step", "cosine"),
    ("prior_init.means", 3, "gmm", "glorot", "3"),
    ("likelihood", {**GAUSSIAN, "output": "tanh"}, ".output", "linear", "tanh"),
    ("precision", "float16", "fast_products", "'float16'"),
    (
        "net",
        {**SEPARATE, "encoder_activation": "tanh"},
        "net.encoder_activation must be one of ['relu'",
        "'tanh'",
    ),
    # A number out of its range.
    ("seed", -1, "seed must be in [0, 2**32), got -1"),
    ("seed", 2**32, "got 4294967296"),
    *(
        (name, 0, "must be at least 1, got 0")
        for name in (
            "n_seeds",
            "progressive.fade_in_steps",
            *("train.batch_size", "train.n_samples"),
            "train.steps_per_dispatch",
            *("evaluate.every_epochs", "evaluate.batch_size"),
            *("checkpoint.every_epochs", "checkpoint.keep"),
        )
    ),
    *(
        (name, value, "[1]", "must be at least 1, got 0")
        for name, value in (
            ("facets.n_components", (6, 0)),
            ("facets.latent_dim", (2, 0)),
            ("net.decoder_rungs", ((24,), (0,))),
            ("progressive.stage_epochs", (2, 0)),
        )
    ),
    ("net", {**SHARED, "encoder": (30, -1)}, "net.encoder[1]", "at least 1"),
    ("net", {**SEPARATE, "encoders": ((3,), (0,))}, "net.encoders[1][0]"),
    ("net", {**SEPARATE, "decoder": (0,)}, "net.decoder[0]", "at least 1"),
    ("likelihood", {**GAUSSIAN, "std": 0.0}, ".std", "positive and", "got 0.0"),
    ("likelihood", {**GAUSSIAN, "std": float("nan")}, ".std", "got nan"),
    ("prior_init.variance", 0.0, "positive"),
    ("train.learning_rate", -1.0, "positive"),
    ("train.learning_rate", float("inf"), "finite"),
    ("progressive.pretrain_weight_z", 1.1, "in [0, 1]"),
    ("progressive.pretrain_weight_c", -0.1, "in [0, 1]"),
    ("progressive.redundancy_price", -1.0, "at least 0"),
    ("data.on_device_gb", -1.0, "at least 0"),
    ("evaluate.importance_samples", -1, "at least 0"),
    ("figures.temperature", -0.1, "at least 0"),
    # Settings that do not go together.
    ("data.name", "npz", "='npz' needs the file or folder"),
    ("data.path", "a.npz", "'a.npz'", "npz, npy, folder, hdf5 only", "digits'"),
    *(
        (
            "facets",
            _FACETS | {name: value},
            "'n_components': 2",
            f"{name}': {n}",
        )
        for name, value, n in (
            ("latent_dim", (2, 3, 4), 3),
            ("covariance", ("full",), 1),
            ("learn_weights", (), 0),
        )
    ),
    ("facets", dict.fromkeys(_FACETS, ()), "facets.n_components is empty"),
    ("progressive.stage_epochs", (1, 2, 3), "from 1 to 2", "got 3: (1, 2, 3)"),
    ("progressive.stage_epochs", (), "from 1 to 2", "got 0: ()"),
    ("progressive.warm_up_epochs", (1,), "(2, 2)", "got (1,)"),
    ("progressive.warm_up_epochs", (0, 2), "less than that", "got (0, 2)"),
    *((f"net.{name}", ((24,),), "(2,", "got 1: ((24,),)") for name in _STACKS),
    ("net", {**SEPARATE, "encoders": ((30,),)}, "net.encoders", "(2,"),
    # Widths that are added must be equal; without layers, D_j is the width.
    (
        "net",
        _gated(((24,), (40,)), ((32,), (25,))),
        "facet 0 (last width 24, from net.decoder_rungs[0])",
        "(width 25, from net.decoder_backbone[1])",
        "concatenate",
    ),
    ("net", _gated(((), (40,)), ((32,), (24,))), "width 2,", "width 24,"),
    ("net", _gated(((24,), (40,)), ((32,), ())), "width 24,", "width 40,"),
    ("net", _gated(((), ()), ((32,), ())), "width 2,", "width 3,"),
]


@pytest.mark.parametrize(
    "fault", FAULTS, ids=[f"{i}: {fault[0]}" for i, fault in enumerate(FAULTS)]
)
def test_fault_is_named(fault):
    name, value, *fragments = fault
    config = examples.config()
    section, _, key = name.rpartition(".")
    (config[section] if section else config)[key] = value
    with pytest.raises(ValueError) as caught:
        config_lib.from_config(config)
    for fragment in (name, *fragments):
        assert fragment in str(caught.value)


def test_several_seeds_need_two_checkpoints():
    message = "3 seeds or starts need checkpoint.keep >= 2, got 1"
    with pytest.raises(ValueError, match=message):
        examples.settings(n_seeds=3, checkpoint={"keep": 1})


def test_encoders_of_one_facet_each_take_the_activation_of_the_net():
    """So runs written before they had one of their own stay the same."""
    for config, activation in (
        (SEPARATE, "elu"),
        ({**SEPARATE, "encoder_activation": "relu"}, "relu"),
    ):
        net = examples.settings(net=config).net
        assert net.encoder_activation.value == activation
        assert net.activation.value == "elu"


def test_key_that_is_missing_is_named_unless_it_has_a_published_value():
    published = {
        "n_init",
        *("data.data_dir", "data.path", "data.on_device_gb"),
        *("facets.prior", "facets.view"),
        *("progressive.warm_up_epochs", "progressive.redundancy_price"),
    }
    names = traverse_util.flatten_dict(examples.config(), sep=".")
    for name in (*names, "data", "facets", "net", "figures"):
        config = examples.config()
        section, _, key = name.rpartition(".")
        del (config[section] if section else config)[key]
        if name in published:
            assert config_lib.from_config(config) == examples.settings()
            continue
        expected = f"{name} must be" if key == "kind" else f"{name} is missing"
        with pytest.raises(ValueError, match=expected):
            config_lib.from_config(config)


def test_configs_from_before_there_were_views_have_none():
    assert examples.settings().facets.view == ((), ())


def test_widths_that_are_concatenated_may_differ():
    net = _gated(((), ()), ((32,), ()))
    examples.settings(net={**net, "merge": "concatenate"})
    found = examples.settings(facets={"latent_dim": (3, 3)}, net=net)
    assert found.net.decoder_rungs == ((), ())


def test_every_merge_of_a_deeper_ladder_is_checked():
    def ladder(last):
        three = untrained.facets(2, 2, 2)
        three["net"] |= {
            "decoder_rungs": ((5,), (6,), (9,)),
            "decoder_backbone": ((4,), (5,), (6, last)),
            "merge": "gated_add",
        }
        return examples.settings(**three)

    ladder(6)
    with pytest.raises(ValueError, match=r"facet 1 .*width 6"):
        ladder(7)


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
