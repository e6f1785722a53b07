# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Configs: round trips, changes, files that build on others, differences."""

import copy
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from mfcvae_jax import config as config_lib
from mfcvae_jax.commands import config_flag, running, train
from tests import examples
from tests.settings_test import GAUSSIAN, SHARED


@st.composite
def _configs(draw):
    """Valid configs of 1 to 3 facets, of every kind of net and likelihood."""
    n = draw(st.integers(1, 3))
    sizes = st.integers(1, 600)

    def per_facet(values):
        return draw(st.tuples(*[values] * n))

    widths = st.lists(sizes, max_size=3).map(tuple)
    activations = st.sampled_from(["relu", "leaky_relu", "elu"])
    activation = draw(activations)
    batch_norm = {"batch_norm": draw(st.booleans())}
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
            "merge": "concatenate",
            **batch_norm,
        },
        "shared_encoder": lambda: {
            "encoder": draw(widths),
            "decoder": draw(widths),
            **batch_norm,
        },
        "separate_encoders": lambda: {
            "encoders": per_facet(widths),
            "decoder": draw(widths),
            "encoder_activation": draw(activations),
            **batch_norm,
        },
    }
    kind = draw(st.sampled_from(sorted(nets)))
    stage_epochs = per_facet(sizes)
    warm_ups = st.tuples(*(st.integers(0, n - 1) for n in stage_epochs))
    weights = st.floats(0, 1)
    positive = st.floats(1e-6, 1e3)
    gaussian = {
        "kind": "gaussian",
        "std": draw(positive),
        "output": draw(st.sampled_from(["linear", "sigmoid"])),
    }
    views = (
        {"kind": "colour", "hue": 9.0, "brightness": 0.1, "contrast": 0.0},
        {"kind": "masked", "share": draw(st.floats(0.01, 1))},
    )
    return examples.config(
        seed=draw(st.integers(0, 2**32 - 1)),
        n_init=draw(sizes),
        facets={
            "n_components": per_facet(sizes),
            "latent_dim": per_facet(sizes),
            "covariance": per_facet(
                st.sampled_from(["diagonal", "full", "spherical", "tied"])
            ),
            "learn_weights": per_facet(st.booleans()),
            "prior": per_facet(st.just({"kind": "gaussian"})),
            "view": per_facet(st.sampled_from([(), views, views[:1]])),
        },
        net={"kind": kind, "activation": activation, **nets[kind]()},
        likelihood=draw(st.sampled_from([{"kind": "bernoulli"}, gaussian])),
        prior_init={
            "means": draw(st.sampled_from(["gmm", "glorot"])),
            "variance": draw(positive),
        },
        progressive={
            "stage_epochs": stage_epochs,
            "fade_in_steps": draw(sizes),
            "fade_in": draw(st.sampled_from(["linear", "cosine"])),
            "pretrain_weight_z": draw(weights),
            "pretrain_weight_c": draw(weights),
            "warm_up_epochs": draw(st.just(()) | warm_ups),
            "redundancy_price": draw(st.floats(0, 100)),
        },
    )


@hypothesis.settings(max_examples=25)
@hypothesis.given(config=_configs())
def test_config_comes_back_as_it_went_in_and_survives_json(config):
    found = config_lib.from_config(config)
    assert config_lib.to_config(found) == config
    assert config_lib.from_config(config) == found
    text = json.dumps(config_lib.to_config(found), allow_nan=False)
    assert config_lib.from_config(json.loads(text)) == found


def test_config_without_a_warm_up_is_the_published_schedule():
    config = examples.config()
    assert "warm_up_epochs" not in config["progressive"]
    plain = config_lib.from_config(config)
    config["progressive"] |= {"warm_up_epochs": (), "redundancy_price": 0.0}
    config["n_init"] = 1
    assert config_lib.from_config(config) == plain
    assert plain.progressive.warm_ups == (0, 0)


def test_prior_is_gaussian_unless_said_and_may_be_the_kind_alone():
    config = examples.config()
    assert "prior" not in config["facets"]
    plain = config_lib.from_config(config)
    config["facets"]["prior"] = ("gaussian", {"kind": "gaussian"})
    assert config_lib.from_config(config) == plain
    assert config_lib.differences(config_lib.from_config(config), plain) == []
    config["facets"]["prior"] = ("gaussian", "cauchy")
    with pytest.raises(
        ValueError, match=r"facets.prior\[1\].kind must be .*gaussian.*'cauchy'"
    ):
        config_lib.from_config(config)


def test_config_is_left_as_it_was():
    config = examples.config()
    before = copy.deepcopy(config)
    config_lib.from_config(config)
    config_lib.changed(config, {"likelihood.kind": "gaussian"})
    assert config == before


def test_optional_keys_have_their_defaults():
    config = examples.config()
    config["data"] = {"name": "digits"}
    found = config_lib.from_config(config).data
    assert (found.data_dir, found.path) == ("", "")


def test_whole_numbers_are_taken_where_floats_are_wanted():
    found = examples.settings(figures={"temperature": 1})
    assert type(found.figures.temperature) is float


def test_single_settings_change_by_name():
    found = config_lib.changed(
        examples.config(), {"seed": 3, "train.batch_size": 64}
    )
    assert found == examples.config(seed=3, train={"batch_size": 64})
    with pytest.raises(ValueError, match="trane.batch_size: the config has no"):
        config_lib.changed(examples.config(), {"trane.batch_size": 64})


def test_another_kind_drops_what_only_the_others_have():
    gaussian = examples.config(likelihood=GAUSSIAN)
    change = {"likelihood.kind": "bernoulli"}
    assert config_lib.changed(gaussian, change) == examples.config()
    # A wish for what the kind has not got is refused.
    wished = config_lib.changed(gaussian, {**change, "likelihood.std": 0.2})
    with pytest.raises(ValueError, match=r"unknown setting likelihood.std=0.2"):
        config_lib.from_config(wished)
    # So is what no kind has, and a kind that does not exist.
    gaussian["likelihood"] = GAUSSIAN | {"stdd": 0.2}
    with pytest.raises(ValueError, match="unknown setting likelihood.stdd"):
        config_lib.from_config(config_lib.changed(gaussian, change))
    nonsense = config_lib.changed(gaussian, {"likelihood.kind": "poisson"})
    with pytest.raises(ValueError, match=r"likelihood.kind must be one of"):
        config_lib.from_config(nonsense)
    # What two kinds share stays.
    new = {"kind": "shared_encoder", "encoder": (30, 20), "decoder": ()}
    found = config_lib.changed(
        examples.config(), {f"net.{key}": new[key] for key in new}
    )
    shared = SHARED | {"activation": "relu", "batch_norm": False}
    assert found == examples.config(net=shared)


def _config_file(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text)
    return str(path)


def _read(path, *changes):
    argv = ["train", f"--config={path}", "--workdir=x"]
    changes = [f"--config.{change}" for change in changes]
    return config_flag.read(running.parse(train, [*argv, *changes]))


def test_command_line_changes_kinds(tmp_path, capsys):
    for likelihood, changes, expected in (
        (GAUSSIAN, ["likelihood.kind=bernoulli"], {"kind": "bernoulli"}),
        (
            GAUSSIAN,
            ["likelihood={'kind': 'bernoulli'}"],
            {"kind": "bernoulli"},
        ),
        (
            {"kind": "bernoulli"},
            [
                "likelihood.kind=gaussian",
                "likelihood.std=0.6",
                "likelihood.output=sigmoid",
            ],
            GAUSSIAN,
        ),
    ):
        config = examples.config(likelihood=likelihood)
        path = _config_file(
            tmp_path,
            "import ml_collections\n"
            "def get_config():\n"
            f"    return ml_collections.ConfigDict({config!r})\n",
        )
        found = _read(path, *changes)
        assert found == examples.settings(likelihood=expected)
    with pytest.raises(ValueError, match="kind='shared_encoder' it needs enc"):
        _read(path, "net.kind=shared_encoder")
    with pytest.raises(ValueError, match="did you mean train.batch_size"):
        _read(path, "train.batch_sise=3")
    with pytest.raises(SystemExit):
        _read(path, "trane.batch_size=3")
    assert "--config has no setting 'trane'" in capsys.readouterr().err


_DERIVED = """
from mfcvae_jax.config import load
def get_config():
    config = load("base.py", __file__)
    config.seed = 3
    return config
"""
_BASE = """
from mfcvae_jax.config import make_config
def get_config():
    return make_config(data={"name": "digits"}, train={"n_samples": 2})
"""


def test_file_builds_on_the_one_beside_it(tmp_path, monkeypatch):
    _config_file(tmp_path, _BASE, "base.py")
    path = _config_file(tmp_path, _DERIVED)
    monkeypatch.chdir("/")
    found = config_lib.load(path).to_dict()
    assert (found["seed"], found["train"]["n_samples"]) == (3, 2)
    assert found["train"]["estimator"] == "five_terms"
    # Nothing that a caller changes comes back at the next call.
    config_lib.make_config().train.n_samples = 7
    assert config_lib.make_config().train.n_samples == 1


def test_file_that_is_copied_alone_names_the_one_that_it_needs(
    tmp_path, capsys
):
    path = _config_file(tmp_path, _DERIVED)
    message = f"no config file {tmp_path}/base.py, on which {path} builds"
    with pytest.raises(FileNotFoundError, match=message):
        config_lib.load(path)
    with pytest.raises((SystemExit, OSError)) as caught:
        _read(path)
    assert message in f"{caught.value} {capsys.readouterr().err}"
    with pytest.raises(ValueError, match="has no function get_config"):
        config_lib.load(_config_file(tmp_path, "x = 1"))


def test_differences_name_each_key_with_both_values():
    found = examples.settings()
    assert config_lib.differences(found, found) == []
    other = examples.settings(
        seed=7,
        train={"batch_size": 64},
        facets={"covariance": ("diagonal", "full")},
        figures={"temperature": 0.1},  # changes no training
    )
    assert config_lib.differences(found, other) == [
        "facets.covariance: ('diagonal', 'diagonal') != ('diagonal', 'full')",
        "seed: 0 != 7",
        "train.batch_size: 128 != 64",
    ]


def test_differences_show_keys_that_only_one_kind_of_net_has():
    found = config_lib.differences(
        examples.settings(), examples.settings(net=SHARED)
    )
    assert "net.kind: 'dense_ladder' != 'shared_encoder'" in found
    assert "net.encoder: 'absent' != (30, 20)" in found
    assert "net.merge: 'gated_add' != 'absent'" in found
    assert all(line.startswith("net.") for line in found)
