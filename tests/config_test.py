# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Configs: round trips, changes, files that build on others, differences."""

import copy
import dataclasses
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from mfcvae_jax import config as config_lib
from mfcvae_jax import settings as settings_lib
from mfcvae_jax import views
from mfcvae_jax.commands import config_flag, running, train
from tests import examples
from tests.settings_test import GAUSSIAN, SEPARATE, SHARED


@st.composite
def _settings(draw):
    """Settings of 1 to 3 facets, of every kind of net and likelihood.

    Hypothesis draws what is not named: choices and switches, by their types.
    """
    n = draw(st.integers(1, 3))
    counts = st.integers(1, 600)
    positive, weights = st.floats(1e-6, 1e3), st.floats(0, 1)
    widths = st.lists(counts, max_size=3).map(tuple)

    def per_facet(values):
        return st.tuples(*[values] * n)

    stacks = per_facet(widths)
    stages = draw(per_facet(counts))
    warm_ups = st.tuples(*(st.integers(0, n - 1) for n in stages))
    applied = (
        views.Colour(hue=9.0, brightness=0.1, contrast=0.0),
        views.Masked(share=draw(st.floats(0.01, 1))),
    )
    return draw(
        st.builds(
            dataclasses.replace,
            st.just(examples.settings()),
            seed=st.integers(0, 2**32 - 1),
            n_init=counts,
            facets=st.builds(
                settings_lib.Facets,
                n_components=per_facet(counts),
                latent_dim=per_facet(counts),
                covariance=per_facet(st.sampled_from(settings_lib.Covariance)),
                learn_weights=per_facet(st.booleans()),
                view=per_facet(st.sampled_from([(), applied, applied[:1]])),
            ),
            net=st.builds(settings_lib.ConvLadder)
            | st.builds(
                settings_lib.DenseLadder,
                encoder_backbone=stacks,
                encoder_rungs=stacks,
                decoder_rungs=stacks,
                decoder_backbone=stacks,
                merge=st.just(settings_lib.Merge.CONCATENATE),
            )
            | st.builds(
                settings_lib.SharedEncoder, encoder=widths, decoder=widths
            )
            | st.builds(
                settings_lib.SeparateEncoders,
                encoders=stacks,
                decoder=widths,
                encoder_activation=...,
            ),
            likelihood=st.builds(settings_lib.Bernoulli)
            | st.builds(settings_lib.Gaussian, std=positive),
            prior_init=st.builds(settings_lib.PriorInit, variance=positive),
            progressive=st.builds(
                settings_lib.Progressive,
                stage_epochs=st.just(stages),
                fade_in_steps=counts,
                pretrain_weight_z=weights,
                pretrain_weight_c=weights,
                warm_up_epochs=st.just(()) | warm_ups,
                redundancy_price=st.floats(0, 100),
            ),
        )
    )


@hypothesis.settings(max_examples=25)
@hypothesis.given(settings=_settings())
def test_settings_come_back_from_their_config_and_from_its_json(settings):
    config = config_lib.to_config(settings)
    assert config_lib.from_config(config) == settings
    text = json.dumps(config, allow_nan=False)
    assert config_lib.from_config(json.loads(text)) == settings


@pytest.mark.parametrize("net", [SHARED, SEPARATE])
def test_config_comes_back_as_it_went_in(net):
    """As each config file does, none of which has these nets."""
    config = config_lib.to_config(examples.settings(net=net))
    assert net.items() <= config["net"].items()
    assert config["likelihood"] == {"kind": "bernoulli"}


def test_prior_is_gaussian_unless_said_and_may_be_the_kind_alone():
    config = examples.config()
    config["facets"]["prior"] = ("gaussian", {"kind": "gaussian"})
    assert config_lib.from_config(config) == examples.settings()


def test_config_is_left_as_it_was():
    config = examples.config()
    before = copy.deepcopy(config)
    config_lib.from_config(config)
    config_lib.changed(config, {"likelihood.kind": "gaussian"})
    assert config == before


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
    shared = SHARED | {"activation": "relu", "batch_norm": False}
    new = {f"net.{key}": shared[key] for key in ("kind", "encoder", "decoder")}
    found = config_lib.changed(examples.config(), new)
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
    bernoulli = {"kind": "bernoulli"}
    for likelihood, changes, expected in (
        (GAUSSIAN, ["likelihood.kind=bernoulli"], bernoulli),
        (GAUSSIAN, [f"likelihood={bernoulli}"], bernoulli),
        (
            bernoulli,
            [f"likelihood.{k}={GAUSSIAN[k]}" for k in GAUSSIAN],
            GAUSSIAN,
        ),
    ):
        config = examples.config(likelihood=likelihood)
        path = examples.config_file(tmp_path / "mine.py", config)
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
    found = config_lib.load(path)
    assert (found.seed, found.train.n_samples) == (3, 2)
    assert found.train.estimator == "five_terms"
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
