# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Settings: round trips, every fault by its message, and none that is dead."""

import ast
import copy
import dataclasses
import json
import pathlib
import typing

import hypothesis
from absl.testing import absltest, parameterized
from hypothesis import strategies as st

import mfcvae_jax
from mfcvae_jax import config as config_lib
from mfcvae_jax import settings as settings_lib
from tests import examples

_SHARED = {
    "kind": "shared_encoder",
    "encoder": (30, 20),
    "decoder": (),
    "activation": "leaky_relu",
    "batch_norm": True,
}
_SEPARATE = {
    "kind": "separate_encoders",
    "encoders": ((30,), ()),
    "decoder": (20,),
    "activation": "elu",
    "batch_norm": False,
}
_GAUSSIAN = {"kind": "gaussian", "std": 0.6, "output": "sigmoid"}


def _ladder(**overrides):
    return {**examples.config()["net"], **overrides}


def _facets(k, d, **overrides):
    return {
        "n_components": k,
        "latent_dim": d,
        "covariance": ("diagonal",) * len(k),
        "learn_weights": (True,) * len(k),
        **overrides,
    }


@st.composite
def _configs(draw):
    """Valid configs of 1 to 3 facets, of every kind of net and likelihood."""
    n = draw(st.integers(1, 3))
    sizes = st.integers(1, 600)

    def per_facet(values):
        return draw(st.tuples(*[values] * n))

    widths = st.lists(sizes, max_size=3).map(tuple)
    activation = draw(st.sampled_from(["relu", "leaky_relu", "elu"]))
    batch_norm = draw(st.booleans())
    nets = {
        "conv_ladder": lambda: {
            "weight_norm": draw(st.booleans()),
            "output_norm": draw(st.booleans()),
            "official_init": draw(st.booleans()),
        },
        "dense_ladder": lambda: {
            "encoder_backbone": per_facet(widths),
            "encoder_rungs": per_facet(widths),
            "decoder_rungs": per_facet(widths),
            "decoder_backbone": per_facet(widths),
            "batch_norm": batch_norm,
            "merge": "concatenate",
        },
        "shared_encoder": lambda: {
            "encoder": draw(widths),
            "decoder": draw(widths),
            "batch_norm": batch_norm,
        },
        "separate_encoders": lambda: {
            "encoders": per_facet(widths),
            "decoder": draw(widths),
            "batch_norm": batch_norm,
        },
    }
    kind = draw(st.sampled_from(sorted(nets)))
    weights = st.floats(0, 1)
    positive = st.floats(1e-6, 1e3)
    gaussian = {
        "kind": "gaussian",
        "std": draw(positive),
        "output": draw(st.sampled_from(["linear", "sigmoid"])),
    }
    return examples.config(
        seed=draw(st.integers(0, 2**32 - 1)),
        facets={
            "n_components": per_facet(sizes),
            "latent_dim": per_facet(sizes),
            "covariance": per_facet(st.sampled_from(["diagonal", "full"])),
            "learn_weights": per_facet(st.booleans()),
        },
        net={"kind": kind, "activation": activation, **nets[kind]()},
        likelihood=draw(st.sampled_from([{"kind": "bernoulli"}, gaussian])),
        prior_init={
            "means": draw(st.sampled_from(["gmm", "glorot"])),
            "variance": draw(positive),
        },
        progressive={
            "stage_epochs": per_facet(sizes),
            "fade_in_steps": draw(sizes),
            "fade_in": draw(st.sampled_from(["linear", "cosine"])),
            "pretrain_weight_z": draw(weights),
            "pretrain_weight_c": draw(weights),
        },
    )


class RoundTripTest(parameterized.TestCase):
    @hypothesis.given(config=_configs())
    def test_config_comes_back_as_it_went_in(self, config):
        found = config_lib.from_config(config)
        self.assertEqual(config_lib.to_config(found), config)
        self.assertEqual(config_lib.from_config(config), found)

    @hypothesis.given(config=_configs())
    def test_survives_json(self, config):
        found = config_lib.from_config(config)
        text = json.dumps(config_lib.to_config(found), allow_nan=False)
        self.assertEqual(config_lib.from_config(json.loads(text)), found)

    def test_config_is_left_as_it_was(self):
        config = examples.config()
        before = copy.deepcopy(config)
        config_lib.from_config(config)
        self.assertEqual(config, before)

    def test_optional_keys_have_their_defaults(self):
        config = examples.config()
        config["data"] = {"name": "digits"}
        found = config_lib.from_config(config).data
        self.assertEqual((found.data_dir, found.path), ("", ""))

    def test_whole_numbers_are_taken_where_floats_are_wanted(self):
        found = examples.settings(figures={"temperature": 1})
        self.assertIs(type(found.figures.temperature), float)

    def test_settings_can_be_neither_changed_nor_unhashed(self):
        found = examples.settings()
        with self.assertRaises(dataclasses.FrozenInstanceError):
            found.train.batch_size = 1
        self.assertEqual(hash(found), hash(examples.settings()))


class FaultsTest(parameterized.TestCase):
    def _assert_refused(self, config, *fragments):
        with self.assertRaises(ValueError) as caught:
            config_lib.from_config(config)
        for fragment in fragments:
            self.assertIn(fragment, str(caught.exception))

    @parameterized.named_parameters(
        (
            "in_a_section",
            {"train": {"bach_size": 3}},
            (
                "train.bach_size=3",
                "did you mean train.batch_size?",
                "n_samples",
            ),
        ),
        (
            "at_the_top",
            {"sead": 3},
            ("sead=3", "did you mean seed?", "progressive"),
        ),
        (
            "like_no_other",
            {"likelihood": {**_GAUSSIAN, "zzz": 1}},
            ("likelihood.zzz=1", "std, output"),
        ),
        (
            "of_another_kind",
            {"net": {**_SHARED, "encoder_rungs": ((), ())}},
            ("net.encoder_rungs=((), ())", "encoder, decoder, activation"),
        ),
        (
            "of_a_kind_with_none",
            {"likelihood": {"kind": "bernoulli", "std": 0.3}},
            ("likelihood.std=0.3", "none"),
        ),
    )
    def test_unknown_key_is_named_with_those_that_exist(
        self, overrides, fragments
    ):
        self._assert_refused(examples.config(**overrides), *fragments)

    def test_suggestion_is_made_only_for_what_is_alike(self):
        with self.assertRaises(ValueError) as caught:
            examples.settings(train={"zzz": 3})
        self.assertNotIn("did you mean", str(caught.exception))

    @parameterized.parameters(
        *(field.name for field in dataclasses.fields(settings_lib.Settings))
    )
    def test_missing_section_is_named(self, name):
        config = examples.config()
        del config[name]
        self._assert_refused(config, f"setting {name} is missing")

    @parameterized.parameters(
        ("facets", "latent_dim"),
        ("net", "merge"),
        ("progressive", "fade_in_steps"),
        ("train", "n_samples"),
    )
    def test_missing_key_of_a_section_is_named(self, section, name):
        config = examples.config()
        del config[section][name]
        self._assert_refused(config, f"setting {section}.{name} is missing")

    @parameterized.named_parameters(
        ("none", {"n_seeds": 0}, ("n_seeds must be at least 1, got 0",)),
        (
            "several_without_a_second_checkpoint",
            {"n_seeds": 3, "checkpoint": {"keep": 1}},
            ("n_seeds=3 needs checkpoint.keep >= 2, got 1",),
        ),
        (
            "precision",
            {"precision": "float16"},
            ("precision", "float32", "fast_products", "bfloat16", "'float16'"),
        ),
        (
            "negative_room",
            {"data": {"on_device_gb": -1.0}},
            ("data.on_device_gb must be >= 0, got -1.0",),
        ),
    )
    def test_engine(self, overrides, fragments):
        self._assert_refused(examples.config(**overrides), *fragments)

    @parameterized.named_parameters(
        ("text_for_a_number", {"seed": "1"}, ("seed", "int", "'1'", "str")),
        (
            "fraction_for_a_count",
            {"train": {"batch_size": 8.0}},
            ("train.batch_size", "int", "8.0", "float"),
        ),
        (
            "truth_for_a_count",
            {"train": {"batch_size": True}},
            ("train.batch_size", "int", "True", "bool"),
        ),
        (
            "number_for_a_truth",
            {"train": {"data_dependent_init": 1}},
            ("train.data_dependent_init", "bool", "1", "int"),
        ),
        (
            "truth_for_a_fraction",
            {"train": {"learning_rate": True}},
            ("train.learning_rate", "float", "bool"),
        ),
        (
            "number_for_a_tuple",
            {"facets": {"latent_dim": 3}},
            ("facets.latent_dim", "tuple", "3"),
        ),
        (
            "text_for_a_tuple",
            {"facets": {"latent_dim": "23"}},
            ("facets.latent_dim", "tuple", "'23'"),
        ),
        (
            "text_within_a_tuple",
            {"facets": {"latent_dim": (2, "3")}},
            ("facets.latent_dim[1]", "int", "'3'"),
        ),
        (
            "number_for_widths",
            {"net": _ladder(encoder_rungs=((), 5))},
            ("net.encoder_rungs[1]", "tuple", "5"),
        ),
        (
            "text_within_widths",
            {"net": _ladder(encoder_backbone=((32, "x"), (48,)))},
            ("net.encoder_backbone[0][1]", "int", "'x'"),
        ),
        ("value_for_a_section", {"data": "digits"}, ("data", "'digits'")),
        (
            "value_for_a_section_of_a_kind",
            {"net": "dense_ladder"},
            ("net.kind", "shared_encoder"),
        ),
    )
    def test_wrong_type_is_named_with_the_right_one(self, overrides, fragments):
        self._assert_refused(examples.config(**overrides), *fragments)

    @parameterized.named_parameters(
        (
            "net",
            {"net": {**_SHARED, "activation": "gelu"}},
            ("net.activation", "relu", "leaky_relu", "elu", "'gelu'"),
        ),
        (
            "merge",
            {"net": _ladder(merge="sum")},
            ("net.merge", "gated_add", "concatenate", "'sum'"),
        ),
        (
            "one_facet",
            {"facets": {"covariance": ("full", "Full")}},
            ("facets.covariance[1]", "diagonal", "'Full'"),
        ),
        (
            "fade",
            {"progressive": {"fade_in": "step"}},
            ("progressive.fade_in", "linear", "cosine", "'step'"),
        ),
        (
            "number",
            {"prior_init": {"means": 3}},
            ("prior_init.means", "gmm", "glorot", "3"),
        ),
        (
            "output",
            {"likelihood": {**_GAUSSIAN, "output": "tanh"}},
            ("likelihood.output", "linear", "sigmoid", "'tanh'"),
        ),
    )
    def test_wrong_choice_is_named_with_those_that_exist(
        self, overrides, fragments
    ):
        self._assert_refused(examples.config(**overrides), *fragments)

    @parameterized.named_parameters(
        (
            "unknown",
            {"net": {**_SHARED, "kind": "conv"}},
            ("net.kind", "dense_ladder", "separate_encoders", "'conv'"),
        ),
        (
            "missing",
            {"likelihood": {"std": 0.3, "output": "linear", "kind": None}},
            ("likelihood.kind", "bernoulli", "gaussian", "None"),
        ),
    )
    def test_wrong_kind_is_named_with_those_that_exist(
        self, overrides, fragments
    ):
        self._assert_refused(examples.config(**overrides), *fragments)

    @parameterized.named_parameters(
        (
            "missing",
            {"name": "npz"},
            ("data.name='npz' needs the file or folder to read",),
        ),
        (
            "of_a_set_that_has_none",
            {"path": "mine.npz"},
            ("data.path='mine.npz'", "npz, npy, folder, hdf5 only", "'digits'"),
        ),
    )
    def test_path_and_the_data_set_npz_need_each_other(self, data, fragments):
        self._assert_refused(examples.config(data=data), *fragments)

    @parameterized.named_parameters(
        (
            "facets",
            {"facets": {"latent_dim": (2, 3, 4)}},
            ("facets", "'n_components': 2", "'latent_dim': 3"),
        ),
        (
            "covariances",
            {"facets": {"covariance": ("full",)}},
            ("'covariance': 1", "'n_components': 2"),
        ),
        (
            "weights",
            {"facets": {"learn_weights": ()}},
            ("'learn_weights': 0", "'n_components': 2"),
        ),
        (
            "stages",
            {"progressive": {"stage_epochs": (1, 2, 3)}},
            ("progressive.stage_epochs", "from 1 to 2", "got 3: (1, 2, 3)"),
        ),
        *(
            (
                name,
                {"net": _ladder(**{name: ((24,),)})},
                (f"net.{name}", "(2,", "got 1: ((24,),)"),
            )
            for name in (
                "encoder_backbone",
                "encoder_rungs",
                "decoder_rungs",
                "decoder_backbone",
            )
        ),
        (
            "separate_encoders",
            {"net": {**_SEPARATE, "encoders": ((3,), (4,), (5,))}},
            ("net.encoders", "(2,", "got 3: ((3,), (4,), (5,))"),
        ),
    )
    def test_lengths_must_be_the_number_of_facets(self, overrides, fragments):
        self._assert_refused(examples.config(**overrides), *fragments)

    def test_no_facets_at_all_are_refused(self):
        config = examples.config(facets=_facets((), ()))
        self._assert_refused(config, "n_components is empty", "one facet")

    @parameterized.named_parameters(
        *(
            (f"{section}_{name}_{value}", section, name, value)
            for section, name, value in (
                ("facets", "n_components", (0, 10)),
                ("facets", "latent_dim", (2, -3)),
                ("progressive", "stage_epochs", (2, 0)),
                ("progressive", "fade_in_steps", 0),
                ("train", "batch_size", 0),
                ("train", "batch_size", -8),
                ("train", "n_samples", 0),
                ("train", "steps_per_dispatch", 0),
                ("train", "learning_rate", 0.0),
                ("train", "learning_rate", -1e-3),
                ("train", "learning_rate", float("nan")),
                ("evaluate", "every_epochs", 0),
                ("evaluate", "batch_size", 0),
                ("evaluate", "importance_samples", -1),
                ("checkpoint", "every_epochs", 0),
                ("checkpoint", "keep", 0),
                ("prior_init", "variance", 0.0),
                ("prior_init", "variance", -0.01),
                ("progressive", "pretrain_weight_z", -0.1),
                ("progressive", "pretrain_weight_c", 1.1),
                ("figures", "temperature", -0.1),
            )
        )
    )
    def test_number_out_of_its_range_is_refused(self, section, name, value):
        config = examples.config(**{section: {name: value}})
        self._assert_refused(config, f"{section}.{name}", f"got {value}")

    @parameterized.named_parameters(
        ("ladder", _ladder(decoder_rungs=((24,), (0,))), "decoder_rungs"),
        ("shared", {**_SHARED, "encoder": (30, -1)}, "encoder"),
        ("separate", {**_SEPARATE, "encoders": ((30,), (0,))}, "encoders"),
        ("decoder", {**_SEPARATE, "decoder": (0,)}, "decoder"),
    )
    def test_width_below_1_is_refused(self, net, name):
        self._assert_refused(
            examples.config(net=net), f"net.{name} must be at least 1"
        )

    @parameterized.parameters(-1, 2**32)
    def test_seed_out_of_its_range_is_refused(self, seed):
        self._assert_refused(examples.config(seed=seed), f"got {seed}")

    @parameterized.parameters(0.0, -0.3)
    def test_spread_of_the_likelihood_must_be_positive(self, std):
        config = examples.config(likelihood={**_GAUSSIAN, "std": std})
        self._assert_refused(config, "likelihood.std", f"got {std}")


class GatedAddTest(parameterized.TestCase):
    """Widths that are added must be equal; without layers, D_j is the width."""

    @parameterized.named_parameters(
        (
            "layers",
            ((24,), (40,)),
            ((32,), (25,)),
            ("facet 0", "24", "25", "decoder_backbone[1]", "concatenate"),
        ),
        ("rung_empty", ((), (40,)), ((32,), (24,)), ("width 2", "width 24")),
        ("trunk_empty", ((24,), (40,)), ((32,), ()), ("width 24", "width 40")),
        ("both_empty", ((), ()), ((32,), ()), ("width 2", "width 3")),
    )
    def test_unequal_widths_are_refused(self, rungs, trunk, fragments):
        net = _ladder(decoder_rungs=rungs, decoder_backbone=trunk)
        with self.assertRaises(ValueError) as caught:
            examples.settings(net=net)
        for fragment in fragments:
            self.assertIn(fragment, str(caught.exception))
        # The other form of merging takes them.
        examples.settings(net={**net, "merge": "concatenate"})

    def test_equal_widths_without_a_layer_are_taken(self):
        found = examples.settings(
            facets=_facets((4, 4), (3, 3)),
            net=_ladder(decoder_rungs=((), ()), decoder_backbone=((32,), ())),
        )
        self.assertEqual(found.net.decoder_rungs, ((), ()))

    def test_every_merge_of_a_deeper_ladder_is_checked(self):
        for widths, is_good in (((5, 6, 7), False), ((5, 6, 6), True)):
            config = examples.config(
                facets=_facets((2, 2, 2), (1, 1, 1)),
                progressive={"stage_epochs": (1, 1, 1)},
                net=_ladder(
                    encoder_backbone=((4,),) * 3,
                    encoder_rungs=((),) * 3,
                    decoder_rungs=((5,), (6,), (9,)),
                    decoder_backbone=((4,), widths[:1], widths[1:]),
                ),
            )
            if is_good:
                config_lib.from_config(config)
            else:
                with self.assertRaisesRegex(ValueError, "facet 1 .*width 6"):
                    config_lib.from_config(config)


class DifferencesTest(absltest.TestCase):
    def test_run_does_not_differ_from_itself(self):
        found = examples.settings()
        self.assertEqual(config_lib.differences(found, found), [])

    def test_each_key_is_named_with_both_values(self):
        other = examples.settings(
            seed=7,
            train={"batch_size": 64},
            facets={"covariance": ("diagonal", "full")},
        )
        self.assertEqual(
            config_lib.differences(examples.settings(), other),
            [
                "facets.covariance: ('diagonal', 'diagonal') != "
                "('diagonal', 'full')",
                "seed: 0 != 7",
                "train.batch_size: 128 != 64",
            ],
        )

    def test_keys_that_only_one_kind_of_net_has_are_shown(self):
        found = config_lib.differences(
            examples.settings(), examples.settings(net=_SHARED)
        )
        self.assertIn("net.kind: 'dense_ladder' != 'shared_encoder'", found)
        self.assertIn("net.encoder: 'absent' != (30, 20)", found)
        self.assertIn("net.merge: 'gated_add' != 'absent'", found)
        self.assertTrue(all(line.startswith("net.") for line in found))


class NoDeadSettingsTest(absltest.TestCase):
    """Every field is read by the library, through something of its type."""

    def test_every_field_is_read(self):
        root = pathlib.Path(mfcvae_jax.__file__).parent
        read = set()
        for path in root.rglob("*.py"):
            if path.name != "settings.py":
                read |= _reads(ast.parse(path.read_text(), str(path)))
        dead = [
            f"{cls.__name__}.{field.name}"
            for cls in _CLASSES.values()
            for field in dataclasses.fields(cls)
            if (cls.__name__, field.name) not in read
        ]
        self.assertEqual(dead, [])

    def test_the_walk_knows_what_is_read(self):
        source = """
def f(chosen: settings.Training, x, options: Options):
    a = chosen.batch_size + x.keep + options.temperature
    return settings.prior_init.means, self.net.encoder

match form:
    case Gaussian(std=std):
        pass
"""
        self.assertEqual(
            _reads(ast.parse(source)),
            {
                ("Training", "batch_size"),
                ("Settings", "prior_init"),
                ("PriorInit", "means"),
                ("SharedEncoder", "encoder"),
                ("Gaussian", "std"),
            },
        )


_CLASSES = {
    name: cls
    for name, cls in vars(settings_lib).items()
    if dataclasses.is_dataclass(cls)
}
_UNIONS = {
    "Net": ("ConvLadder", "DenseLadder", "SharedEncoder", "SeparateEncoders"),
    "Likelihood": ("Bernoulli", "Gaussian"),
}
# The classes that `settings`, and `settings.net` or a local `net`, may hold.
_SECTIONS = {"settings": ("Settings",)} | {
    field.name: tuple(
        cls.__name__ for cls in typing.get_args(field.type) or (field.type,)
    )
    for field in dataclasses.fields(settings_lib.Settings)
}


def _reads(tree):
    """Pairs (class, field) of settings that a module reads.

    An attribute is a field's if it is taken from a name that is annotated with
    the field's class in the same module, or that is called as its section is;
    so ``Checkpoints.keep`` is not read by whatever else has a ``keep``.
    """
    held = {name: set(classes) for name, classes in _SECTIONS.items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign):
            name, annotation = _last_name(node.target), node.annotation
        else:
            continue
        words = {_last_name(part) for part in ast.walk(annotation)}
        for word in words - {None}:
            classes = _UNIONS.get(word, (word,))
            held.setdefault(name, set()).update(set(classes) & set(_CLASSES))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            classes = held.get(_last_name(node.value), ())
            names = [node.attr]
        elif isinstance(node, ast.MatchClass):
            classes, names = [_last_name(node.cls)], node.kwd_attrs
        else:
            continue
        found |= {
            (cls, name)
            for cls in classes
            for name in names
            if cls in _CLASSES
            and name in {f.name for f in dataclasses.fields(_CLASSES[cls])}
        }
    return found


def _last_name(node):
    """``c`` of ``a.b.c``, or None."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


if __name__ == "__main__":
    absltest.main()
